"""Addition of two arrays of one shape: out = a + b.

a, b, out   any shape, the same; the rungs see them as one long row

Nothing but memory counts: 12 bytes a float32 number for one addition.
"""

from numba import cuda

from ..shapes import check_float, check_same
from .device import contiguous, empty
from .launch import covering, kernel, striding
from .raw import Source
from .rungs import Ladder

ADD = Ladder("add")
SOURCE = Source("add")


def add(a, b):
    check_same("a", a.shape, "b", b.shape)
    check_float(a=a, b=b)
    a, b = contiguous(a), contiguous(b)
    out = empty(a.shape, a.dtype)
    ADD(a.reshape(-1), b.reshape(-1), out.reshape(-1))
    return out


@ADD.numba("one_each")
def one_each(a, b, out):
    """1. One thread a number: neighbouring threads read neighbouring numbers, 128 bytes a warp."""
    _add[covering(out.size)](a, b, out)


@ADD.numba("grid_stride")
def grid_stride(a, b, out):
    """2. A thread takes every so many numbers: as many blocks as fill the card, each set up once."""
    _add_striding[striding(out.size)](a, b, out)


@ADD.cuda_c("vectors")
def vectors(a, b, out):
    """3. In CUDA C, 16 bytes a load: a quarter of the instructions, and more bytes under way at a time."""
    SOURCE(a.dtype).add[covering(-(-a.nbytes // 16))](a, b, out, out.size)


@kernel(lambda T: (T[::1], T[::1], T[::1]))
def _add(a, b, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i] + b[i]


@kernel(lambda T: (T[::1], T[::1], T[::1]))
def _add_striding(a, b, out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = a[i] + b[i]
