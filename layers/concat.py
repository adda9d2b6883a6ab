"""Concatenation of channels."""

from itertools import accumulate
from typing import NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .base import Layer


class ConcatCache(NamedTuple):
    shapes: tuple  # of the inputs, in order


def concat_forward(*xs):
    """out[n, C0 + c] = x1[n,c] and so on: the inputs' channels one after the other.

    xs      (N, C0, ...), (N, C1, ...), ... float32 or float64, alike but for the channels
    out     (N, C0 + C1 + ..., ...)
    Raises ShapeError where they differ elsewhere.
    """
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    shapes = tuple(x.shape for x in xs)
    _output(shapes)
    return current().xp.concatenate(xs, axis=1), ConcatCache(shapes)


def concat_backward(dout, cache):
    """(dx0, dx1, ...): out holds every input once, so each gets its own channels of dout back.

    dout    (N, C0 + C1 + ..., ...)
    dxs     the inputs' shapes
    """
    check_dout(dout, _output(cache.shapes))
    ends = list(accumulate(shape[1] for shape in cache.shapes))
    return tuple(dout[:, start:end] for start, end in zip([0, *ends], ends))


def _output(shapes):
    first = shapes[0]
    for i, shape in enumerate(shapes):
        if len(shape) < 2 or shape[:1] + shape[2:] != first[:1] + first[2:]:
            raise ShapeError(f"x{i} {show(shape)} and x0 {show(first)} must be alike but for the channels")
    return (first[0], sum(shape[1] for shape in shapes), *first[2:])


class Concat(Layer):
    """Concatenation of channels; see `concat_forward`."""

    def forward(self, *xs):
        return concat_forward(*xs)

    backward_input = staticmethod(concat_backward)

    def out_shape(self, *shapes):
        return _output(shapes)


CASES = [(Concat(), (2, 3, 2, 3), (2, 1, 2, 3), (2, 2, 2, 3)), (Concat(), (2, 3), (2, 1)), (Concat(), (1, 1, 1, 1))]
