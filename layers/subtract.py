"""Difference of two inputs."""

from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .broadcast import broadcast_output, sum_to


class SubtractCache(NamedTuple):
    shapes: tuple  # of the two inputs


def subtract_forward(x0, x1):
    """out = x0 - x1.

    x0, x1  shapes that NumPy broadcasts, float32 or float64
    out     their common shape
    Raises ShapeError where they do not broadcast.
    """
    check_float(x0=x0, x1=x1)
    broadcast_output(x0.shape, x1.shape)
    return x0 - x1, SubtractCache((x0.shape, x1.shape))


def subtract_backward(dout, cache):
    """(dx0, dx1) = (dout, -dout): out = x0 - x1; each summed over the places where its input was broadcast to.

    dout    the shape of out
    dxs     the inputs' shapes
    """
    check_dout(dout, broadcast_output(*cache.shapes))
    return sum_to(dout, cache.shapes[0]), sum_to(-dout, cache.shapes[1])


class Subtract(Layer):
    """Difference of two inputs, broadcast as NumPy does; see `subtract_forward`."""

    def forward(self, x0, x1):
        return subtract_forward(x0, x1)

    backward_input = staticmethod(subtract_backward)

    def out_shape(self, shape0, shape1):
        return broadcast_output(shape0, shape1)


CASES = [(Subtract(), (2, 3, 1, 4), (2, 3, 1, 4)), (Subtract(), (3, 1), (2, 3, 4))]
