"""Concatenation."""

from itertools import accumulate
from math import prod
from typing import NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .axes import axis_of, check_axis
from .base import Layer
from .describe import describe_axis


class ConcatCache(NamedTuple):
    shapes: tuple  # of the inputs, in order
    axis: int


def concat_forward(*xs, axis=1):
    """out[n, C0 + c] = x1[n,c] and so on: the inputs one after the other, along the channels unless axis says else.

    xs      (N, C0, ...), (N, C1, ...), ... float32 or float64, alike but for that axis
    out     (N, C0 + C1 + ..., ...)
    Raises ShapeError where they differ elsewhere.
    """
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    shapes = tuple(x.shape for x in xs)
    out_shape, first = _output(shapes, axis), axis_of(axis, shapes[0])
    # All axes before it are one, and so are it and all after it: there the inputs follow one another.
    folded = [x.reshape(prod(x.shape[:first]), prod(x.shape[first:])) for x in xs]
    return current().concat(folded).reshape(out_shape), ConcatCache(shapes, axis)


def concat_backward(dout, cache):
    """(dx0, dx1, ...): out holds every input once, so each gets its own part of dout back.

    dout    (N, C0 + C1 + ..., ...)
    dxs     the inputs' shapes
    """
    shapes, axis = cache.shapes, axis_of(cache.axis, cache.shapes[0])
    check_dout(dout, _output(shapes, axis))
    ends = list(accumulate(shape[axis] for shape in shapes))
    before = (slice(None),) * axis
    return tuple(dout[(*before, slice(start, end))] for start, end in zip([0, *ends], ends))


def _output(shapes, axis):
    first = shapes[0]
    axis = axis_of(axis, first)
    for i, shape in enumerate(shapes):
        if len(shape) != len(first) or shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise ShapeError(f"x{i} {show(shape)} and x0 {show(first)} must be alike but for axis {axis}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


class Concat(Layer):
    """Concatenation, of channels unless axis says else; see `concat_forward`."""

    def __init__(self, axis=1):
        super().__init__()
        self.axis = check_axis(axis)

    def forward(self, *xs):
        return concat_forward(*xs, axis=self.axis)

    backward_input = staticmethod(concat_backward)

    def out_shape(self, *shapes):
        return _output(shapes, self.axis)

    def describe(self):
        return describe_axis(self)


CASES = [
    (Concat(), (2, 3, 2, 3), (2, 1, 2, 3), (2, 2, 2, 3)),
    (Concat(), (2, 3), (2, 1)),
    (Concat(), (1, 1, 1, 1)),
    (Concat(-1), (2, 3, 2), (2, 3, 1)),
]
