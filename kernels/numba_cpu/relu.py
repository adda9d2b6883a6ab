"""ReLU: out = x where x > 0, else 0; NaN stays NaN."""

import numpy as np
from numba import prange

from ..shapes import check_dout
from .jit import jit, parallel_jit
from .memory import empty
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
        flat = (np.ascontiguousarray(a).reshape(-1) for a in (dout, x))
        _backward(*flat, shares(x.size, x.size), dx.reshape(-1))
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
def _backward(dout, x, shares, out):
    for t in prange(len(shares) - 1):
        mine = slice(shares[t], shares[t + 1])
        _gate(dout[mine], x[mine], out[mine])


@jit
def _gate(dout, x, out):
    for i in range(x.size):
        out[i] = dout[i] if x[i] > 0 else 0
