"""Axes of size 1 taken away."""

from typing import NamedTuple

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .axes import axes_of, check_axes
from .base import Layer


class SqueezeCache(NamedTuple):
    x_shape: tuple
    out_shape: tuple


def squeeze_forward(x, axes=None):
    """out holds x's numbers in x's shape without some axes of size 1.

    x       any shape, float32 or float64
    axes    those to take away; all of size 1 unless given, the batch's too if it is one image
    out     x's shape without them
    Raises ShapeError where one of them has another size.
    """
    check_float(x=x)
    out_shape = _output(x.shape, axes)
    return x.reshape(out_shape), SqueezeCache(x.shape, out_shape)


def squeeze_backward(dout, cache):
    """dx = dout in x's shape: out holds the same numbers in the same order.

    dout    the shape of out
    dx      x's shape
    """
    check_dout(dout, cache.out_shape)
    return dout.reshape(cache.x_shape)


def _output(shape, axes):
    if axes is None:
        return tuple(size for size in shape if size != 1)
    gone = axes_of(axes, shape)
    for axis in gone:
        if shape[axis] != 1:
            raise ShapeError(f"axis {axis} has size {shape[axis]}, only 1 can be taken away (x {show(shape)})")
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


class Squeeze(Layer):
    """Axes of size 1 taken away; see `squeeze_forward`."""

    def __init__(self, axes=None):
        super().__init__()
        self.axes = None if axes is None else check_axes(axes)

    def forward(self, x):
        return squeeze_forward(x, self.axes)

    backward_input = staticmethod(squeeze_backward)

    def out_shape(self, shape):
        return _output(shape, self.axes)

    def describe(self):
        return "" if self.axes is None else f"{self.axes}"


CASES = [(Squeeze((2, -1)), (2, 3, 1, 1)), (Squeeze(), (2, 1, 3))]
