"""Average pooling."""

from typing import NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim, pad4, pair, window_output
from .base import Layer
from .describe import describe_window


class AvgPool2dCache(NamedTuple):
    x_shape: tuple
    kernel: tuple
    stride: tuple
    pad: tuple
    count_include_pad: bool


def avg_pool2d_forward(x, kernel, stride=None, pad=0, ceil_mode=False, count_include_pad=True):
    """out[n,c,i,j] = sum of x[n,c] over the window / area.

    area is the number of the window's cells inside the input; with count_include_pad inside the input and its
    padding. Cells that only ceil_mode adds never count.

    x       (N, C, H, W) float32 or float64; padding counts as 0
    out     (N, C, OH, OW)    OH = (H + top + bottom - KH)//stride + 1; ceil_mode rounds up
    stride  the kernel unless given
    pad     an int, (vertical, horizontal) or (top, bottom, left, right)
    Raises ShapeError if OH < 1 or OW < 1.
    """
    kernel, stride, pad = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride"), pad4(pad)
    check_float(x=x)
    out = current().avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad)
    return out, AvgPool2dCache(x.shape, kernel, stride, pad, count_include_pad)


def avg_pool2d_backward(dout, cache):
    """dx: out = sum(window) / area, so each cell of a window gets dout / area; overlapping windows add up.

    dout    (N, C, OH, OW)
    dx      (N, C, H, W)
    """
    return current().avg_pool2d_backward(
        dout, cache.x_shape, cache.kernel, cache.stride, cache.pad, cache.count_include_pad
    )


class AvgPool2d(Layer):
    """Average pooling; see `avg_pool2d_forward`."""

    def __init__(self, kernel, stride=None, pad=0, ceil_mode=False, count_include_pad=True):
        super().__init__()
        self.kernel, self.stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
        self.pad, self.ceil_mode, self.count_include_pad = pad4(pad), bool(ceil_mode), bool(count_include_pad)

    def forward(self, x):
        return avg_pool2d_forward(x, self.kernel, self.stride, self.pad, self.ceil_mode, self.count_include_pad)

    backward_input = staticmethod(avg_pool2d_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        window = window_output(shape[2:], self.kernel, self.stride, self.pad, ceil_mode=self.ceil_mode)
        return (*shape[:2], *window)

    def describe(self):
        return describe_window(self, ceil_mode=False, count_include_pad=True)


CASES = [
    (AvgPool2d(2), (2, 3, 5, 4)),
    (AvgPool2d(3, stride=2, pad=1, ceil_mode=True), (1, 2, 6, 8)),
    (AvgPool2d((3, 2), stride=1, pad=(1, 0, 1, 1), count_include_pad=False), (2, 1, 4, 5)),
    (AvgPool2d(1, stride=3), (1, 2, 7, 1)),
]
