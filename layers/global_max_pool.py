"""Global max pooling."""

from ..kernels.errors import ShapeError
from ..kernels.shapes import check_float, check_ndim, show
from .base import Layer
from .max_pool2d import max_pool2d_backward, max_pool2d_forward


def global_max_pool_forward(x):
    """out[n,c,0,0] = max of x[n,c] over all positions; ties go to the first in row-major order, a NaN wins.

    Max pooling with one window, the whole image.

    x       (N, C, H, W) float32 or float64
    out     (N, C, 1, 1)
    cache   that of `max_pool2d_forward`: argmax (N, C, 1, 1) int32, y*W + x
    Raises ShapeError for an image without pixels.
    """
    check_float(x=x)
    _output(x.shape)
    return max_pool2d_forward(x, x.shape[2:])


def _output(shape):
    check_ndim("x", shape, 4)
    if 0 in shape[2:]:
        raise ShapeError(f"no maximum over an image without pixels (x {show(shape)})")
    return (*shape[:2], 1, 1)


class GlobalMaxPool(Layer):
    """Global max pooling, to one pixel a channel; see `global_max_pool_forward`."""

    def forward(self, x):
        return global_max_pool_forward(x)

    # out = x[argmax] copies one cell of the one window.
    backward_input = staticmethod(max_pool2d_backward)

    def out_shape(self, shape):
        return _output(shape)


CASES = [(GlobalMaxPool(), (2, 3, 4, 5)), (GlobalMaxPool(), (1, 2, 1, 1))]
