"""Nothing done."""

from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float
from .base import Layer


class IdentityCache(NamedTuple):
    x_shape: tuple


def identity_forward(x):
    """out = x.

    x, out  any shape, float32 or float64
    """
    check_float(x=x)
    return x, IdentityCache(x.shape)


def identity_backward(dout, cache):
    """dx = dout: out = x.

    dout, dx  x's shape
    """
    check_dout(dout, cache.x_shape)
    return dout


class Identity(Layer):
    """Nothing done: another name for its input."""

    def forward(self, x):
        return identity_forward(x)

    backward_input = staticmethod(identity_backward)

    def out_shape(self, shape):
        return shape


CASES = [(Identity(), (3, 5)), (Identity(), (2, 3, 1, 4))]
