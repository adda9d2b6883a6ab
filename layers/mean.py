"""Mean over some axes."""

from math import prod
from typing import NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .axes import axes_of, check_axes
from .base import Layer


class MeanCache(NamedTuple):
    x_shape: tuple
    axes: tuple
    keepdims: bool


def mean_forward(x, axes=None, keepdims=True):
    """out = mean of x over some axes, summed in float64.

    x         any shape, float32 or float64
    axes      all unless given
    keepdims  whether they stay, with size 1
    out       x's shape, with 1 at each of axes or without them
    Raises ShapeError where there is nothing to take the mean of, or no such axis.
    """
    check_float(x=x)
    axes = _axes(axes, x.shape)
    out = x.mean(axis=axes, keepdims=keepdims, dtype="float64").astype(x.dtype)
    return out, MeanCache(x.shape, axes, keepdims)


def mean_backward(dout, cache):
    """dx = dout / M, M the number of values in a mean: out = sum(x) / M.

    dout    the shape of out
    dx      x's shape
    """
    x_shape, axes, keepdims = cache
    check_dout(dout, _output(x_shape, axes, keepdims))
    share = dout.reshape(_output(x_shape, axes, True)) / prod(x_shape[axis] for axis in axes)
    return current().xp.broadcast_to(share, x_shape).copy()


def _axes(axes, shape):
    axes = tuple(range(len(shape))) if axes is None else axes_of(axes, shape)
    if any(shape[axis] == 0 for axis in axes):
        raise ShapeError(f"no mean over nothing (x {show(shape)}, axes {axes})")
    return axes


def _output(shape, axes, keepdims):
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keepdims or axis not in axes)


class Mean(Layer):
    """Mean over some axes; see `mean_forward`."""

    def __init__(self, axes=None, keepdims=True):
        super().__init__()
        self.axes, self.keepdims = None if axes is None else check_axes(axes), bool(keepdims)

    def forward(self, x):
        return mean_forward(x, self.axes, self.keepdims)

    backward_input = staticmethod(mean_backward)

    def out_shape(self, shape):
        return _output(shape, _axes(self.axes, shape), self.keepdims)

    def describe(self):
        text = "" if self.axes is None else f"{self.axes}"
        return text if self.keepdims else f"{text}, keepdims False".removeprefix(", ")


CASES = [(Mean((2, -1)), (2, 3, 4, 5)), (Mean((1,), keepdims=False), (2, 3, 4)), (Mean((-1, 1)), (2, 3, 1))]
