"""An array that the net brings along."""

from numbers import Integral
from typing import Any, NamedTuple

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float
from .base import Layer


class ConstantCache(NamedTuple):
    value: Any


def constant_forward(value):
    """out = value.

    value, out  any shape, float32 or float64
    """
    check_float(value=value)
    return value, ConstantCache(value)


def constant_backward(dout, cache):
    """(): no input was read.

    dout    value's shape
    """
    check_dout(dout, cache.value.shape, value=cache.value)
    return ()


def constant_backward_params(dout, cache):
    """{"value": dout}: out = value.

    dout    value's shape
    """
    check_dout(dout, cache.value.shape, value=cache.value)
    return {"value": dout}


class Constant(Layer):
    """An array of its own, the parameter `value`, for a node without inputs; zeros until it is loaded or learnt.

    shape   sizes >= 0, the batch's axis included where there is one; () for a single number
    """

    def __init__(self, shape):
        super().__init__()
        good = isinstance(shape, (tuple, list)) and all(isinstance(s, Integral) and s >= 0 for s in shape)
        if not good:
            raise ShapeError(f"shape must be a tuple of ints >= 0, not {shape!r}")
        self.param_shapes = {"value": tuple(map(int, shape))}

    def forward(self):
        return constant_forward(self.array("value"))

    backward_input = staticmethod(constant_backward)
    backward_params = staticmethod(constant_backward_params)

    def out_shape(self):
        return self.param_shapes["value"]

    def describe(self):
        return f"{self.param_shapes['value']}"


CASES = [(Constant((2, 3)),), (Constant((1, 3, 1, 1)),)]
