"""Flattening an image to a vector."""

from math import prod
from typing import NamedTuple

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .axes import check_axis
from .base import Layer
from .describe import describe_axis


class FlattenCache(NamedTuple):
    x_shape: tuple
    out_shape: tuple


def flatten_forward(x, axis=1):
    """out[n, (c*H + y)*W + x] = x[n,c,y,x]: all axes from `axis` on become one, and all before it another.

    x       (N, C, H, W) or any other shape, float32 or float64
    axis    0 to the number of axes; negative ones count from the end
    out     (N, C*H*W); always two axes, of size 1 where nothing is flattened into one
    Raises ShapeError where there is no such axis.
    ONNX, operator Flatten
    """
    check_float(x=x)
    out_shape = _output(x.shape, axis)
    return x.reshape(out_shape), FlattenCache(x.shape, out_shape)


def flatten_backward(dout, cache):
    """dx = dout in x's shape: out holds the same numbers in the same order.

    dout    (N, C*H*W)
    dx      (N, C, H, W)
    """
    check_dout(dout, cache.out_shape)
    return dout.reshape(cache.x_shape)


def _output(shape, axis):
    ndim = len(shape)
    if not -ndim <= axis <= ndim:
        raise ShapeError(f"x has {ndim} dimensions, none to flatten from axis {axis} on (x {show(shape)})")
    first = axis + ndim if axis < 0 else axis
    return (prod(shape[:first]), prod(shape[first:]))


class Flatten(Layer):
    """Flattening an image to a vector, channels outermost; see `flatten_forward`."""

    def __init__(self, axis=1):
        super().__init__()
        self.axis = check_axis(axis)

    def forward(self, x):
        return flatten_forward(x, self.axis)

    backward_input = staticmethod(flatten_backward)

    def out_shape(self, shape):
        return _output(shape, self.axis)

    def describe(self):
        return describe_axis(self)


CASES = [(Flatten(), (2, 3, 4, 5)), (Flatten(), (1, 1, 1, 1)), (Flatten(-1), (2, 3, 4))]
