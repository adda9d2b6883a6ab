"""Addition of two arrays of one shape."""

from numba import prange

from ..shapes import check_float, check_same
from .jit import index, jit, parallel_jit
from .memory import empty
from .rows import part, rows, touched
from .threads import lock, shares


def add(a, b):
    check_same("a", a.shape, "b", b.shape)
    check_float(a=a, b=b)
    out = empty(a.shape, a.dtype)
    with lock:
        _add(*rows(a, b), shares(a.size, a.size), out.reshape(-1))
    return out


@parallel_jit
def _add(length, a, a_distance, b, b_distance, shares, out):
    for t in prange(len(shares) - 1):
        for row in touched(length, shares[t], shares[t + 1]):
            first, count = part(row, length, shares[t], shares[t + 1])
            at = row * length + first
            _sum(a[row * a_distance + first :], b[row * b_distance + first :], out[at : at + count])


@jit
def _sum(a, b, out):
    for i in range(out.size):
        out[index(i)] = a[index(i)] + b[index(i)]
