"""Leaky rectified linear unit whose slopes are learnt."""

from typing import Any, NamedTuple

import numpy as np

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .base import Layer
from .broadcast import broadcast_output, sum_to
from .checks import check_sizes


class PReLUCache(NamedTuple):
    x: Any
    w: Any


def prelu_forward(x, w):
    """out = x where x > 0, else w * x; NaN stays NaN.

    x, out  any shape, float32 or float64
    w       broadcast to x as NumPy does: (C, 1, 1) is one slope a channel of (N, C, H, W), (1,) one for all
    Raises ShapeError if w does not broadcast to x's shape.
    """
    check_float(x=x, w=w)
    _check_fit(x.shape, w.shape)
    return current().xp.where(x > 0, x, w * x), PReLUCache(x, w)


def prelu_backward(dout, cache):
    """dx = dout where x > 0, else w * dout; the gradient at 0 is w.

    dout, dx  x's shape
    """
    x, w = cache
    check_dout(dout, x.shape, x=x)
    return current().xp.where(x > 0, dout, w * dout)


def prelu_backward_params(dout, cache):
    """{"w": dw}: out = w * x where x is not above 0, so dw is the sum of dout * x there, over all that share a slope.

    dout    x's shape
    dw      w's shape, summed in float64
    """
    x, w = cache
    check_dout(dout, x.shape, x=x)
    return {"w": sum_to(current().xp.where(x > 0, dout.dtype.type(0), dout * x), w.shape)}


def _check_fit(x_shape, w_shape):
    if broadcast_output(x_shape, w_shape) != tuple(x_shape):
        raise ShapeError(f"w {show(w_shape)} does not broadcast to x {show(x_shape)}")


class PReLU(Layer):
    """Leaky rectified linear unit with learnt slopes w; see `prelu_forward`. He et al., ICCV 2015

    shape   of w, without the batch's axis: (C, 1, 1) for one slope a channel of an image
    """

    def __init__(self, shape):
        super().__init__()
        if not isinstance(shape, (tuple, list)):
            raise ShapeError(f"shape must be a tuple of ints, not {shape!r}")
        check_sizes(**{f"shape[{i}]": size for i, size in enumerate(shape)})
        self.param_shapes = {"w": tuple(map(int, shape))}

    def draw(self, name, shape, rng):
        """1/4, as He et al. begin."""
        return np.full(shape, 0.25, np.float32)

    def forward(self, x):
        return prelu_forward(x, self.array("w"))

    backward_input = staticmethod(prelu_backward)
    backward_params = staticmethod(prelu_backward_params)

    def out_shape(self, shape):
        _check_fit(shape, self.param_shapes["w"])
        return shape

    def describe(self):
        return f"{self.param_shapes['w']}"


CASES = [(PReLU((3, 1, 1)), (2, 3, 2, 3)), (PReLU((1,)), (3, 5)), (PReLU((3, 2)), (2, 3, 2))]
