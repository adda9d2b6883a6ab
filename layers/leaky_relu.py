"""Leaky rectified linear unit."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .checks import check_number


class LeakyReLUCache(NamedTuple):
    x: Any
    slope: float


def leaky_relu_forward(x, slope=0.01):
    """out = x where x > 0, else slope * x; NaN stays NaN.

    x, out  any shape, float32 or float64
    """
    check_float(x=x)
    return current().xp.where(x > 0, x, slope * x), LeakyReLUCache(x, slope)


def leaky_relu_backward(dout, cache):
    """dx = dout where x > 0, else slope * dout; the gradient at 0 is slope.

    dout, dx  x's shape
    """
    check_dout(dout, cache.x.shape, x=cache.x)
    return current().xp.where(cache.x > 0, dout, cache.slope * dout)


class LeakyReLU(Layer):
    """Leaky rectified linear unit; see `leaky_relu_forward`. Maas et al., ICML 2013 workshop"""

    def __init__(self, slope=0.01):
        super().__init__()
        # At slope 0 this would be ReLU, with NaN for -inf.
        check_number("slope", slope, lambda s: 0 < s < float("inf"), "a number above 0")
        self.slope = float(slope)

    def forward(self, x):
        return leaky_relu_forward(x, self.slope)

    backward_input = staticmethod(leaky_relu_backward)

    def out_shape(self, shape):
        return shape

    def describe(self):
        return f"slope {self.slope:g}"


CASES = [(LeakyReLU(), (3, 5)), (LeakyReLU(slope=0.3), (2, 3, 1, 4))]
