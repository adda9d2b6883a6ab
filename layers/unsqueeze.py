"""Axes of size 1 put in."""

from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float
from .axes import axes_of, check_axes
from .base import Layer


class UnsqueezeCache(NamedTuple):
    x_shape: tuple
    out_shape: tuple


def unsqueeze_forward(x, axes):
    """out holds x's numbers in x's shape with axes of size 1 put in.

    x       any shape, float32 or float64
    axes    where the new ones stand, counted among the out's axes
    out     x's shape, with 1 at each of axes
    Raises ShapeError where the out has no such axis, or for one named twice.
    """
    check_float(x=x)
    out_shape = _output(x.shape, axes)
    return x.reshape(out_shape), UnsqueezeCache(x.shape, out_shape)


def unsqueeze_backward(dout, cache):
    """dx = dout in x's shape: out holds the same numbers in the same order.

    dout    the shape of out
    dx      x's shape
    """
    check_dout(dout, cache.out_shape)
    return dout.reshape(cache.x_shape)


def _output(shape, axes):
    ndim = len(shape) + len(axes)
    new, sizes = axes_of(axes, shape, ndim), iter(shape)
    return tuple(1 if axis in new else next(sizes) for axis in range(ndim))


class Unsqueeze(Layer):
    """Axes of size 1 put in; see `unsqueeze_forward`."""

    def __init__(self, axes):
        super().__init__()
        self.axes = check_axes(axes)

    def forward(self, x):
        return unsqueeze_forward(x, self.axes)

    backward_input = staticmethod(unsqueeze_backward)

    def out_shape(self, shape):
        return _output(shape, self.axes)

    def describe(self):
        return f"{self.axes}"


CASES = [(Unsqueeze((2, -1)), (2, 3)), (Unsqueeze((1,)), (2, 3, 4))]
