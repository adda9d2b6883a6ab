"""Concatenation of channels."""

import numpy as np
from numba import prange

from ..shapes import check_float, concat_output
from .jit import index, jit, parallel_jit
from .memory import empty
from .rows import part, rows, touched
from .threads import lock, shares

# A result of so many bytes stays in the cache, and one thread copies it before others are called for each input.
FEW_BYTES = 6 << 20


def concat(xs):
    shape = concat_output([x.shape for x in xs])
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    out, first = empty(shape, xs[0].dtype), 0
    if out.nbytes < FEW_BYTES:
        return np.concatenate(xs, axis=1, out=out)
    with lock:
        for x in xs:
            last = first + x.shape[1]
            _copy(*rows(x, out[:, first:last]), shares(x.size, x.size))
            first = last
    return out


@parallel_jit
def _copy(length, x, x_distance, out, out_distance, shares):
    for t in prange(len(shares) - 1):
        for row in touched(length, shares[t], shares[t + 1]):
            first, count = part(row, length, shares[t], shares[t + 1])
            place = row * out_distance + first
            _fill(x[row * x_distance + first :], out[place : place + count])


@jit
def _fill(x, out):
    for i in range(out.size):
        out[index(i)] = x[index(i)]
