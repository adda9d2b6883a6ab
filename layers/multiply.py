"""Product of several inputs, number by number."""

from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .broadcast import broadcast_output, sum_to


class MultiplyCache(NamedTuple):
    xs: tuple


def multiply_forward(*xs):
    """out = x0 * x1 * ..., from left to right.

    xs      any shapes that NumPy broadcasts, at least one, float32 or float64
    out     their common shape
    Raises ShapeError where they do not broadcast.
    """
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    broadcast_output(*(x.shape for x in xs))
    out = xs[0]
    for x in xs[1:]:
        out = out * x
    return out, MultiplyCache(xs)


def multiply_backward(dout, cache):
    """(dx0, dx1, ...): out = x0 * x1 * ..., so each input gets dout times all the others.

    The others are multiplied, out is not divided: x may be 0. An input that was broadcast gets the sum over the
    places where it was read.

    dout    the shape of out
    dxs     the inputs' shapes
    """
    xs = cache.xs
    check_dout(dout, broadcast_output(*(x.shape for x in xs)), x0=xs[0])
    dxs = []
    for i, x in enumerate(xs):
        dx = dout
        for other in xs[:i] + xs[i + 1 :]:
            dx = dx * other
        dxs.append(sum_to(dx, x.shape))
    return tuple(dxs)


class Multiply(Layer):
    """Product of several inputs, broadcast as NumPy does; see `multiply_forward`."""

    def forward(self, *xs):
        return multiply_forward(*xs)

    backward_input = staticmethod(multiply_backward)

    def out_shape(self, *shapes):
        return broadcast_output(*shapes)


CASES = [
    (Multiply(), (2, 3, 1, 4), (2, 3, 1, 4)),
    (Multiply(), (2, 3, 2, 1), (3, 1, 1), (2, 1, 1, 4)),
    (Multiply(), (2, 3)),
]
