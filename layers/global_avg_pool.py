"""Global average pooling."""

from typing import NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, check_ndim, show
from .base import Layer


class GlobalAvgPoolCache(NamedTuple):
    x_shape: tuple


def global_avg_pool_forward(x):
    """out[n,c,0,0] = mean of x[n,c] over all positions, summed in float64.

    x       (N, C, H, W) float32 or float64
    out     (N, C, 1, 1)
    Raises ShapeError for an image without pixels.
    """
    check_float(x=x)
    _output(x.shape)
    out = x.mean(axis=(2, 3), keepdims=True, dtype="float64").astype(x.dtype)
    return out, GlobalAvgPoolCache(x.shape)


def global_avg_pool_backward(dout, cache):
    """dx = dout / (H*W) at every position: out = sum(x) / (H*W).

    dout    (N, C, 1, 1)
    dx      (N, C, H, W)
    """
    N, C, H, W = cache.x_shape
    check_dout(dout, (N, C, 1, 1))
    return current().xp.broadcast_to(dout / (H * W), cache.x_shape).copy()


def _output(shape):
    check_ndim("x", shape, 4)
    if 0 in shape[2:]:
        raise ShapeError(f"no mean over an image without pixels (x {show(shape)})")
    return (*shape[:2], 1, 1)


class GlobalAvgPool(Layer):
    """Global average pooling, to one pixel a channel; see `global_avg_pool_forward`. Lin et al., ICLR 2014"""

    def forward(self, x):
        return global_avg_pool_forward(x)

    backward_input = staticmethod(global_avg_pool_backward)

    def out_shape(self, shape):
        return _output(shape)


CASES = [(GlobalAvgPool(), (2, 3, 4, 5)), (GlobalAvgPool(), (1, 2, 1, 1))]
