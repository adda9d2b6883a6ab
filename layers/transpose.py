"""Axes in another order."""

from typing import NamedTuple

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, check_ndim
from .axes import axes_of, check_axes
from .base import Layer


class TransposeCache(NamedTuple):
    x_shape: tuple
    axes: tuple


def transpose_forward(x, axes):
    """The out's axis k is x's axis axes[k]: out[i0, i1, ...] = x at the index whose entry axes[k] is ik.

    x       any shape, float32 or float64
    axes    all of x's axes, each once
    out     (x.shape[axes[0]], x.shape[axes[1]], ...)
    """
    check_float(x=x)
    _output(x.shape, axes)
    return x.transpose(axes), TransposeCache(x.shape, tuple(axes))


def transpose_backward(dout, cache):
    """dx: out = x with its axes in the order of axes, so dx is dout with its axes put back.

    dout    the shape of out
    dx      x's shape
    """
    check_dout(dout, _output(cache.x_shape, cache.axes))
    axes = axes_of(cache.axes, cache.x_shape)
    return dout.transpose([axes.index(axis) for axis in range(len(axes))])


def _output(shape, axes):
    check_ndim("x", shape, len(axes))
    return tuple(shape[axis] for axis in axes_of(axes, shape))


class Transpose(Layer):
    """Axes in another order; see `transpose_forward`."""

    def __init__(self, axes):
        super().__init__()
        self.axes = check_axes(axes)
        ndim = len(self.axes)
        if sorted(axis + ndim if axis < 0 else axis for axis in self.axes) != list(range(ndim)):
            raise ShapeError(f"axes must be all axes of an array, each once, not {axes!r}")

    def forward(self, x):
        return transpose_forward(x, self.axes)

    backward_input = staticmethod(transpose_backward)

    def out_shape(self, shape):
        return _output(shape, self.axes)

    def describe(self):
        return f"{self.axes}"


CASES = [(Transpose((0, 2, 3, 1)), (2, 3, 1, 4)), (Transpose((2, 0, 1)), (2, 3, 4)), (Transpose((1, -2)), (2, 3))]
