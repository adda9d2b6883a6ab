"""Quotient of two inputs."""

from typing import Any, NamedTuple

from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .broadcast import broadcast_output, sum_to


class DivideCache(NamedTuple):
    out: Any
    x1: Any
    x0_shape: tuple


def divide_forward(x0, x1):
    """out = x0 / x1; by 0 it is infinite, and 0 / 0 is NaN.

    x0, x1  shapes that NumPy broadcasts, float32 or float64
    out     their common shape
    Raises ShapeError where they do not broadcast.
    """
    check_float(x0=x0, x1=x1)
    broadcast_output(x0.shape, x1.shape)
    out = x0 / x1
    return out, DivideCache(out, x1, x0.shape)


def divide_backward(dout, cache):
    """(dx0, dx1) = (dout / x1, -dout * out / x1): out = x0 / x1, and d(x0/x1) / dx1 = -x0 / x1^2 = -out / x1.

    Each is summed over the places where its input was broadcast to.

    dout    the shape of out
    dxs     the inputs' shapes
    """
    out, x1, x0_shape = cache
    check_dout(dout, out.shape, out=out)
    dx0 = dout / x1
    return sum_to(dx0, x0_shape), sum_to(-dx0 * out, x1.shape)


class Divide(Layer):
    """Quotient of two inputs, broadcast as NumPy does; see `divide_forward`."""

    def forward(self, x0, x1):
        return divide_forward(x0, x1)

    backward_input = staticmethod(divide_backward)

    def out_shape(self, shape0, shape1):
        return broadcast_output(shape0, shape1)


CASES = [(Divide(), (2, 3, 1, 4), (2, 3, 1, 4)), (Divide(), (3, 1), (2, 3, 4))]
