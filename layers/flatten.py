"""Flattening an image to a vector."""

from math import prod
from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float, check_ndim
from .base import Layer


class FlattenCache(NamedTuple):
    x_shape: tuple


def flatten_forward(x):
    """out[n, (c*H + y)*W + x] = x[n,c,y,x].

    x       (N, C, H, W) float32 or float64
    out     (N, C*H*W)
    """
    check_float(x=x)
    return x.reshape(_output(x.shape)), FlattenCache(x.shape)


def flatten_backward(dout, cache):
    """dx = dout in x's shape: out holds the same numbers in the same order.

    dout    (N, C*H*W)
    dx      (N, C, H, W)
    """
    check_dout(dout, _output(cache.x_shape))
    return dout.reshape(cache.x_shape)


def _output(shape):
    check_ndim("x", shape, 4)
    return (shape[0], prod(shape[1:]))


class Flatten(Layer):
    """Flattening an image to a vector, channels outermost; see `flatten_forward`."""

    def forward(self, x):
        return flatten_forward(x)

    backward_input = staticmethod(flatten_backward)

    def out_shape(self, shape):
        return _output(shape)


CASES = [(Flatten(), (2, 3, 4, 5)), (Flatten(), (1, 1, 1, 1))]
