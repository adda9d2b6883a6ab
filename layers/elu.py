"""Exponential linear unit."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .checks import check_number


class ELUCache(NamedTuple):
    x: Any
    alpha: float


def elu_forward(x, alpha=1.0):
    """out = x where x > 0, else alpha * (exp(x) - 1); NaN stays NaN.

    x, out  any shape, float32 or float64
    """
    check_float(x=x)
    xp = current().xp
    # exp sees no positive number: it would overflow there, for nothing.
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0))), ELUCache(x, alpha)


def elu_backward(dout, cache):
    """dx = dout where x > 0, else dout * alpha * exp(x), the derivative of alpha * (exp(x) - 1); at 0 it is alpha.

    dout, dx  x's shape
    """
    x, alpha = cache
    check_dout(dout, x.shape, x=x)
    xp = current().xp
    return xp.where(x > 0, dout, dout * alpha * xp.exp(xp.minimum(x, 0)))


class ELU(Layer):
    """Exponential linear unit; see `elu_forward`. Clevert et al., ICLR 2016"""

    def __init__(self, alpha=1.0):
        super().__init__()
        check_number("alpha", alpha, lambda a: abs(a) < float("inf"), "a finite number")
        self.alpha = float(alpha)

    def forward(self, x):
        return elu_forward(x, self.alpha)

    backward_input = staticmethod(elu_backward)

    def out_shape(self, shape):
        return shape

    def describe(self):
        return "" if self.alpha == 1 else f"alpha {self.alpha:g}"


CASES = [(ELU(), (3, 5)), (ELU(0.3), (2, 3, 1, 4))]
