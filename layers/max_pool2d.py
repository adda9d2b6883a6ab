"""Max pooling."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim, pad4, pair, window_output
from .base import Layer
from .describe import describe_window


class MaxPool2dCache(NamedTuple):
    argmax: Any
    x_shape: tuple
    kernel: tuple
    stride: tuple
    pad: tuple
    dilation: tuple


def max_pool2d_forward(x, kernel, stride=None, pad=0, dilation=1, ceil_mode=False):
    """out[n,c,i,j] = max of x[n,c] over the window; ties go to the first in row-major order, a NaN wins.

    x       (N, C, H, W) float32 or float64; padding counts as -inf
    out     (N, C, OH, OW)    OH = (H + top + bottom - (KH-1)*dilation - 1)//stride + 1; ceil_mode rounds up
    stride  the kernel unless given
    pad     an int, (vertical, horizontal) or (top, bottom, left, right)
    cache   argmax (N, C, OH, OW) int32, index inside the window: the "switches" of [1]
    Raises ShapeError if OH < 1 or OW < 1.
    [1] Zeiler & Fergus, ECCV 2014, section 2.1
    """
    kernel, stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
    pad, dilation = pad4(pad), pair(dilation, "dilation")
    check_float(x=x)
    out, argmax = current().max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode)
    return out, MaxPool2dCache(argmax, x.shape, kernel, stride, pad, dilation)


def max_pool2d_backward(dout, cache):
    """dx[n,c,y,x] = sum of dout over the windows whose maximum was taken there: out = x[argmax] copies one cell.

    dout    (N, C, OH, OW)
    dx      (N, C, H, W)
    """
    return current().max_pool2d_backward(
        dout, cache.argmax, cache.x_shape, cache.kernel, cache.stride, cache.pad, cache.dilation
    )


class MaxPool2d(Layer):
    """Max pooling; see `max_pool2d_forward`."""

    def __init__(self, kernel, stride=None, pad=0, dilation=1, ceil_mode=False):
        super().__init__()
        self.kernel, self.stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
        self.pad, self.dilation, self.ceil_mode = pad4(pad), pair(dilation, "dilation"), bool(ceil_mode)

    def forward(self, x):
        return max_pool2d_forward(x, self.kernel, self.stride, self.pad, self.dilation, self.ceil_mode)

    backward_input = staticmethod(max_pool2d_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        window = window_output(shape[2:], self.kernel, self.stride, self.pad, self.dilation, self.ceil_mode)
        return (*shape[:2], *window)

    def describe(self):
        return describe_window(self, dilation=(1, 1), ceil_mode=False)


CASES = [
    (MaxPool2d(2), (2, 3, 5, 4)),
    (MaxPool2d(3, stride=2, ceil_mode=True), (1, 2, 6, 8)),
    (MaxPool2d((3, 2), stride=1, pad=(1, 0, 1, 1)), (2, 1, 4, 5)),
    (MaxPool2d(2, stride=3, dilation=2), (1, 2, 7, 6)),
    (MaxPool2d(1), (1, 1, 1, 1)),
]
