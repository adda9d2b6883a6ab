"""The same numbers in another shape."""

from math import prod
from numbers import Integral
from typing import NamedTuple

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .base import Layer


class ReshapeCache(NamedTuple):
    x_shape: tuple
    out_shape: tuple


def reshape_forward(x, shape, allow_zero=False):
    """out holds x's numbers in row-major order, in another shape.

    x       any shape, float32 or float64
    shape   the out's: a size, 0 for that of x's axis at this place (a size of 0 with allow_zero), or once -1 for
            what is left; axes that 0 copies are not counted for it, so that a batch of none has a shape, too
    out     (shape)
    Raises ShapeError where the shapes hold different numbers of elements.
    ONNX, operator Reshape
    """
    check_float(x=x)
    out_shape = _output(x.shape, _checked(shape), allow_zero)
    return x.reshape(out_shape), ReshapeCache(x.shape, out_shape)


def reshape_backward(dout, cache):
    """dx = dout in x's shape: out holds the same numbers in the same order.

    dout    the shape of out
    dx      x's shape
    """
    check_dout(dout, cache.out_shape)
    return dout.reshape(cache.x_shape)


def _output(x_shape, shape, allow_zero):
    copied = () if allow_zero else [axis for axis, size in enumerate(shape) if size == 0]
    does_not_fit = ShapeError(f"x {show(x_shape)} cannot be reshaped to {show(shape)}")
    if any(axis >= len(x_shape) for axis in copied):
        raise does_not_fit
    out = [x_shape[axis] if axis in copied else size for axis, size in enumerate(shape)]
    if -1 in shape:
        whole = prod(size for axis, size in enumerate(x_shape) if axis not in copied)
        given = prod(size for axis, size in enumerate(shape) if axis not in copied and size != -1)
        if given == 0:
            raise does_not_fit
        out[shape.index(-1)] = whole // given
    if prod(out) != prod(x_shape):
        raise does_not_fit
    return tuple(out)


def _checked(shape):
    good = isinstance(shape, (tuple, list)) and all(isinstance(s, Integral) and s >= -1 for s in shape)
    if not good or sum(s == -1 for s in shape) > 1:
        raise ShapeError(f"shape must be a tuple of ints >= 0, of which one may be -1, not {shape!r}")
    return tuple(map(int, shape))


class Reshape(Layer):
    """The same numbers in another shape; see `reshape_forward`."""

    def __init__(self, shape, allow_zero=False):
        super().__init__()
        self.shape, self.allow_zero = _checked(shape), bool(allow_zero)

    def forward(self, x):
        return reshape_forward(x, self.shape, self.allow_zero)

    backward_input = staticmethod(reshape_backward)

    def out_shape(self, shape):
        return _output(shape, self.shape, self.allow_zero)

    def describe(self):
        return show(self.shape) + (", allow_zero" if self.allow_zero else "")


CASES = [(Reshape((0, -1)), (2, 3, 1, 4)), (Reshape((-1, 3, 2, 2)), (2, 12)), (Reshape((0, 2, 3)), (3, 6))]
