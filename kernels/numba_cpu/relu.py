"""ReLU: out = x where x > 0, else 0; NaN stays NaN."""

import numpy as np
from numba import prange

from ..shapes import check_dout
from .jit import index, jit, parallel_jit
from .memory import empty
from .rows import part, rows, touched
from .threads import lock, shares


def relu_forward(x):
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = empty(x.shape, x.dtype)
    with lock:
        _forward(x.reshape(-1), shares(x.size, x.size), out.reshape(-1))
    return out


def relu_backward(dout, x):
    check_dout(dout, x.shape, x=x)
    dx = empty(x.shape, dout.dtype)
    with lock:
        _backward(*rows(dout, x), shares(x.size, x.size), dx.reshape(-1))
    return dx


@parallel_jit
def _forward(x, shares, out):
    for t in prange(len(shares) - 1):
        _rectify(x[shares[t] : shares[t + 1]], out[shares[t] : shares[t + 1]])


@jit
def _rectify(x, out):
    for i in range(x.size):
        out[i] = 0 if x[i] <= 0 else x[i]  # a comparison with NaN is false, so NaN passes


@parallel_jit
def _backward(length, dout, dout_distance, x, x_distance, shares, out):
    for t in prange(len(shares) - 1):
        for row in touched(length, shares[t], shares[t + 1]):
            first, count = part(row, length, shares[t], shares[t + 1])
            at = row * length + first
            _gate(dout[row * dout_distance + first :], x[row * x_distance + first :], out[at : at + count])


@jit
def _gate(dout, x, out):
    for i in range(out.size):
        out[index(i)] = dout[index(i)] if x[index(i)] > 0 else 0
