"""Concatenation of channels: out[n, C0 + c] = x1[n, c] and so on.

xs      (N, C0, ...), (N, C1, ...), ...; the rungs see each as (N, length): an image's numbers in a row
out     (N, C0 + C1 + ..., ...); the rungs see it as (N, length of all), each input a range of every row

Nothing but memory counts: 8 bytes a float32 number, no operation.
"""

import math

import numba
from numba import cuda

from ..shapes import check_float, concat_output
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .window import by_image

CONCAT = Ladder("concat")
SOURCE = Source("concat")

TOGETHER = 4  # inputs of a launch in CUDA C: as many branches as an Inception block has


def concat(xs):
    shape = concat_output([x.shape for x in xs])
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    out = empty(shape, xs[0].dtype)
    CONCAT([_rows(contiguous(x)) for x in xs], _rows(out))
    return out


def _rows(x):
    return x.reshape(len(x), math.prod(x.shape[1:]))


@CONCAT.numba("one_each")
def one_each(xs, out):
    """1. A launch for each input, a thread a number, which divides to find its image."""
    first = 0
    for x in xs:
        _copy[covering(x.size)](x, first, out)
        first += x.shape[1]


@CONCAT.numba("rows")
def rows(xs, out):
    """2. Images stand in the grid's other dimension: no division, and a thread takes its place of several images."""
    first = 0
    for x in xs:
        _copy_rows[by_image(x.shape[1], len(x))](x, first, out)
        first += x.shape[1]


@CONCAT.cuda_c("together")
def together(xs, out):
    """3. In CUDA C, four inputs a launch, and 16 bytes at once where an input's rows allow it."""
    first = 0
    for i in range(0, len(xs), TOGETHER):
        some = xs[i : i + TOGETHER]
        lengths = [x.shape[1] for x in some]
        (across, images), block = by_image(-(-max(lengths) * out.itemsize // 16), len(out))
        missing = TOGETHER - len(some)
        pointers, ends = [*some, *[None] * missing], [*lengths, *[0] * missing]
        SOURCE(out.dtype).concat[(across, images, len(some)), block](*pointers, *ends, first, *out.shape, out)
        first += sum(lengths)


@kernel(lambda T: (T[:, ::1], numba.int64, T[:, ::1]))
def _copy(x, first, out):
    at = cuda.grid(1)
    if at < x.size:
        n, i = at // x.shape[1], at % x.shape[1]
        out[n, first + i] = x[n, i]


@kernel(lambda T: (T[:, ::1], numba.int64, T[:, ::1]))
def _copy_rows(x, first, out):
    N, length = x.shape
    i = cuda.grid(1)
    if i < length:
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            out[n, first + i] = x[n, i]
