"""ReLU: out = x where x > 0, else 0; NaN stays NaN."""

import numpy as np

from ..shapes import check_dout
from .jit import jit


def relu_forward(x):
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = np.empty_like(x)
    _forward(x.reshape(-1), out.reshape(-1))
    return out


def relu_backward(dout, x):
    check_dout(dout, x.shape, x=x)
    dx = np.empty(x.shape, dout.dtype)
    _backward(np.ascontiguousarray(dout).reshape(-1), np.ascontiguousarray(x).reshape(-1), dx.reshape(-1))
    return dx


@jit
def _forward(x, out):
    for i in range(x.size):
        out[i] = 0 if x[i] <= 0 else x[i]  # a comparison with NaN is false, so NaN passes


@jit
def _backward(dout, x, out):
    for i in range(x.size):
        out[i] = dout[i] if x[i] > 0 else 0
