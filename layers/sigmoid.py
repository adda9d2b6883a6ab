"""Logistic sigmoid."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer


class SigmoidCache(NamedTuple):
    out: Any


def sigmoid(x):
    """1 / (1 + exp(-x)), as exp(x) / (1 + exp(x)) where x < 0: exp never overflows.

    x       any shape, float32 or float64; NaN stays NaN
    """
    xp = current().xp
    e = xp.exp(-abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def sigmoid_forward(x):
    """out = 1 / (1 + exp(-x)).

    x, out  any shape, float32 or float64
    """
    check_float(x=x)
    out = sigmoid(x)
    return out, SigmoidCache(out)


def sigmoid_backward(dout, cache):
    """dx = dout * out * (1 - out): the derivative of out = 1 / (1 + exp(-x)), written with out alone.

    dout, dx  x's shape
    """
    check_dout(dout, cache.out.shape, out=cache.out)
    return dout * cache.out * (1 - cache.out)


class Sigmoid(Layer):
    """Logistic sigmoid; see `sigmoid_forward`."""

    def forward(self, x):
        return sigmoid_forward(x)

    backward_input = staticmethod(sigmoid_backward)

    def out_shape(self, shape):
        return shape


CASES = [(Sigmoid(), (3, 5)), (Sigmoid(), (2, 3, 1, 4))]
