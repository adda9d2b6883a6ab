"""Numbers held between two bounds."""

from math import inf
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .checks import check_number


class ClipCache(NamedTuple):
    x: Any
    low: Any
    high: Any


def clip_forward(x, low=None, high=None):
    """out = low where x < low, then high where that is > high; NaN stays NaN. ReLU6 is low 0 and high 6.

    x, out  any shape, float32 or float64
    low     None for no bound
    high    None for no bound; where it is below low, every out is high
    """
    check_float(x=x)
    out, xp = x, current().xp
    if low is not None:
        out = xp.where(out < low, x.dtype.type(low), out)
    if high is not None:
        out = xp.where(out > high, x.dtype.type(high), out)
    return out, ClipCache(x, low, high)


def clip_backward(dout, cache):
    """dx = dout where low <= x <= high, else 0: there out = x. At a bound dout passes, as in PyTorch; at NaN not.

    dout, dx  x's shape
    """
    x, low, high = cache
    check_dout(dout, x.shape, x=x)
    low, high = -inf if low is None else low, inf if high is None else high
    passes = (x >= low) & (x <= high)
    return current().xp.where(passes, dout, dout.dtype.type(0))


class Clip(Layer):
    """Numbers held between two bounds; see `clip_forward`."""

    def __init__(self, low=None, high=None):
        super().__init__()
        for name, value in (("low", low), ("high", high)):
            if value is not None:
                check_number(name, value, lambda v: v == v, "a number or None")
        self.low = None if low is None else float(low)
        self.high = None if high is None else float(high)

    def forward(self, x):
        return clip_forward(x, self.low, self.high)

    backward_input = staticmethod(clip_backward)

    def out_shape(self, shape):
        return shape

    def describe(self):
        bounds = (("low", self.low), ("high", self.high))
        return ", ".join(f"{name} {value:g}" for name, value in bounds if value is not None)


CASES = [(Clip(-0.5, 0.75), (3, 5)), (Clip(high=0.2), (2, 3, 1, 4)), (Clip(low=-0.2), (2, 3, 4)), (Clip(), (2, 3))]
