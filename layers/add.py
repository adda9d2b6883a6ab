"""Sum of several inputs."""

from typing import NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .broadcast import broadcast_output, sum_to


class AddCache(NamedTuple):
    shapes: tuple  # of the inputs, in order


def add_forward(*xs):
    """out = x0 + x1 + ..., from left to right.

    xs      any shapes that NumPy broadcasts, at least one, float32 or float64
    out     their common shape
    Raises ShapeError where they do not broadcast.
    """
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    shapes = tuple(x.shape for x in xs)
    broadcast_output(*shapes)
    out = xs[0]
    for x in xs[1:]:
        out = current().add(out, x) if out.shape == x.shape else out + x
    return out, AddCache(shapes)


def add_backward(dout, cache):
    """(dx0, dx1, ...): out = x0 + x1 + ... reads every input with weight 1, so each gets dout itself.

    An input that was broadcast was read at several places and gets the sum over them.

    dout    the shape of out
    dxs     the inputs' shapes
    """
    check_dout(dout, broadcast_output(*cache.shapes))
    return tuple(sum_to(dout, shape) for shape in cache.shapes)


class Add(Layer):
    """Sum of several inputs, broadcast as NumPy does; see `add_forward`."""

    def forward(self, *xs):
        return add_forward(*xs)

    backward_input = staticmethod(add_backward)

    def out_shape(self, *shapes):
        return broadcast_output(*shapes)


CASES = [
    (Add(), (2, 3, 1, 4), (2, 3, 1, 4)),
    (Add(), (2, 3), (2, 3), (2, 3)),
    (Add(), (2, 3, 2, 1), (3, 1, 1), (2, 1, 1, 4)),
]
