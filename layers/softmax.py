"""Softmax over the classes."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer


class SoftmaxCache(NamedTuple):
    out: Any


def softmax_forward(x):
    """out[n,c] = exp(x[n,c] - max_c x) / sum over c of exp(x[n,c] - max_c x); the shift keeps exp from overflowing.

    x, out  (N, C) or (N, C, H, W), float32 or float64; each position of its own
    """
    check_float(x=x)
    xp = current().xp
    e = xp.exp(x - x.max(axis=1, keepdims=True)) if x.size else x
    out = e / e.sum(axis=1, keepdims=True)
    return out, SoftmaxCache(out)


def softmax_backward(dout, cache):
    """dx[c] = out[c] * (dout[c] - sum over c' of dout[c'] * out[c']).

    Because out = exp(x) / sum exp(x), d out[c'] / d x[c] = out[c'] * ([c = c'] - out[c]).
    """
    out = cache.out
    check_dout(dout, out.shape, out=out)
    return out * (dout - (dout * out).sum(axis=1, keepdims=True))


class Softmax(Layer):
    """Softmax over the classes; see `softmax_forward`."""

    def forward(self, x):
        return softmax_forward(x)

    backward_input = staticmethod(softmax_backward)

    def out_shape(self, shape):
        return shape


CASES = [(Softmax(), (3, 5)), (Softmax(), (2, 3, 2, 1)), (Softmax(), (1, 1))]
