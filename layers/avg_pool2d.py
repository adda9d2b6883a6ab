"""Average pooling."""

from typing import NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim, check_pooled, pad4, pair, window_output
from .base import Layer
from .describe import describe_window


class AvgPool2dCache(NamedTuple):
    x_shape: tuple
    kernel: tuple
    stride: tuple
    pad: tuple
    count_include_pad: bool
    dilation: tuple


def avg_pool2d_forward(x, kernel, stride=None, pad=0, ceil_mode=False, count_include_pad=True, dilation=1):
    """out[n,c,i,j] = sum of x[n,c] over the window / area.

    area is the number of the window's cells inside the input; with count_include_pad inside the input and its
    padding. Cells that only ceil_mode adds never count.

    x       (N, C, H, W) float32 or float64; padding counts as 0
    out     (N, C, OH, OW)    OH = (H + top + bottom - (KH-1)*dilation - 1)//stride + 1; ceil_mode rounds up
    stride  the kernel unless given
    pad     an int, (vertical, horizontal) or (top, bottom, left, right)
    Raises ShapeError if OH < 1 or OW < 1.
    """
    kernel, stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
    pad, dilation = pad4(pad), pair(dilation, "dilation")
    check_float(x=x)
    cache = AvgPool2dCache(x.shape, kernel, stride, pad, count_include_pad, dilation)
    if dilation == (1, 1):
        return current().avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad), cache
    check_ndim("x", x.shape, 4)
    N, C, H, W = x.shape
    out_hw = window_output((H, W), kernel, stride, pad, dilation, ceil_mode)
    # A sum over a dilated window is a convolution with ones, each channel an image of its own.
    ones, window = current().xp.ones((1, 1, *kernel), x.dtype), _convolution(cache, out_hw)
    sums = current().conv2d_forward(x.reshape(N * C, 1, H, W), ones, None, *window)
    return sums.reshape(N, C, *out_hw) / _area(cache, out_hw, x.dtype), cache


def avg_pool2d_backward(dout, cache):
    """dx: out = sum(window) / area, so each cell of a window gets dout / area; overlapping windows add up.

    dout    (N, C, OH, OW)
    dx      (N, C, H, W)
    """
    x_shape, kernel, stride, pad, count_include_pad, dilation = cache
    if dilation == (1, 1):
        return current().avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad)
    check_pooled(dout, x_shape, kernel, stride, pad, dilation)
    N, C, H, W = x_shape
    out_hw = dout.shape[2:]
    share = (dout / _area(cache, out_hw, dout.dtype)).reshape(N * C, 1, *out_hw)
    ones, window = current().xp.ones((1, 1, *kernel), dout.dtype), _convolution(cache, out_hw)
    return current().conv2d_backward_input(share, ones, (N * C, 1, H, W), *window).reshape(x_shape)


def _convolution(cache, out_hw):
    """(stride, pad, dilation, groups) of the convolution with as many windows: it knows no ceil_mode."""
    pad = []
    for a in (0, 1):
        before, size = cache.pad[2 * a], cache.x_shape[2 + a]
        last = (out_hw[a] - 1) * cache.stride[a] + (cache.kernel[a] - 1) * cache.dilation[a]
        pad += [before, max(last + 1 - before - size, 0)]
    return cache.stride, tuple(pad), cache.dilation, 1


def _area(cache, out_hw, dtype):
    """(OH, OW): how many cells of each window count; at least 1."""
    counts = []
    for a in (0, 1):
        size, before, after = cache.x_shape[2 + a], *cache.pad[2 * a : 2 * a + 2]
        low, high = (-before, size + after) if cache.count_include_pad else (0, size)
        cells = range(0, cache.kernel[a] * cache.dilation[a], cache.dilation[a])
        starts = range(-before, out_hw[a] * cache.stride[a] - before, cache.stride[a])
        counts.append([sum(low <= start + cell < high for cell in cells) for start in starts])
    area = [[max(high * wide, 1) for wide in counts[1]] for high in counts[0]]
    return current().xp.asarray(area, dtype)


class AvgPool2d(Layer):
    """Average pooling; see `avg_pool2d_forward`."""

    def __init__(self, kernel, stride=None, pad=0, ceil_mode=False, count_include_pad=True, dilation=1):
        super().__init__()
        self.kernel, self.stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
        self.pad, self.ceil_mode, self.count_include_pad = pad4(pad), bool(ceil_mode), bool(count_include_pad)
        self.dilation = pair(dilation, "dilation")

    def forward(self, x):
        return avg_pool2d_forward(
            x, self.kernel, self.stride, self.pad, self.ceil_mode, self.count_include_pad, self.dilation
        )

    backward_input = staticmethod(avg_pool2d_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        window = window_output(shape[2:], self.kernel, self.stride, self.pad, self.dilation, self.ceil_mode)
        return (*shape[:2], *window)

    def describe(self):
        return describe_window(self, dilation=(1, 1), ceil_mode=False, count_include_pad=True)


CASES = [
    (AvgPool2d(2), (2, 3, 5, 4)),
    (AvgPool2d(3, stride=2, pad=1, ceil_mode=True), (1, 2, 6, 8)),
    (AvgPool2d((3, 2), stride=1, pad=(1, 0, 1, 1), count_include_pad=False), (2, 1, 4, 5)),
    (AvgPool2d(1, stride=3), (1, 2, 7, 1)),
    (AvgPool2d(2, stride=1, pad=1, dilation=(2, 3), count_include_pad=False), (2, 2, 4, 5)),
    (AvgPool2d((2, 3), stride=2, pad=(0, 1), dilation=2, ceil_mode=True), (1, 1, 6, 7)),
]
