"""Where max pooling finds its maxima."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.errors import MinicnnError
from ..kernels.shapes import check_float, check_ndim, check_same, pad4, pair, window_output
from .base import Layer
from .describe import describe_window
from .max_pool2d import max_pool2d_forward

ORDERS = ("row", "column")


class MaxPoolIndicesCache(NamedTuple):
    x_shape: tuple
    out_shape: tuple
    dtype: Any  # of x


def max_pool_indices_forward(x, kernel, stride=None, pad=0, dilation=1, ceil_mode=False, order="row"):
    """out[n,c,i,j] = the place (y, x) in all of x of the maximum that `max_pool2d_forward` finds, as one number:

        row     ((n*C + c)*H + y)*W + x
        column  ((n*C + c)*W + x)*H + y     only the image itself is counted by columns

    x       (N, C, H, W) float32 or float64; ties and NaN as in max pooling, whatever the order
    out     (N, C, OH, OW) int64; -1 where a window holds nothing but padding
    Raises ShapeError if OH < 1 or OW < 1.
    ONNX, operator MaxPool: the second output, Indices, with storage_order 0 or 1
    """
    check_float(x=x)
    _, pooled = max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode)
    xp, (N, C, H, W), KW = current().xp, x.shape, pooled.kernel[1]
    (OH, OW), (SH, SW), (DH, DW) = pooled.argmax.shape[2:], pooled.stride, pooled.dilation
    # The window's corner, and from it the cell that the switch names.
    y = (xp.arange(OH) * SH - pooled.pad[0]).reshape(-1, 1) + pooled.argmax // KW * DH
    column = xp.arange(OW) * SW - pooled.pad[2] + pooled.argmax % KW * DW
    inside = (y >= 0) & (y < H) & (column >= 0) & (column < W)
    in_image = y * W + column if order == "row" else column * H + y
    images = (xp.arange(N * C, dtype="int64") * (H * W)).reshape(N, C, 1, 1)
    out = xp.where(inside, images + in_image, -1)
    return out, MaxPoolIndicesCache(x.shape, out.shape, x.dtype)


def max_pool_indices_backward(dout, cache):
    """dx = 0: a small step of x moves no index.

    dout    (N, C, OH, OW)
    dx      (N, C, H, W)
    """
    check_same("dout", dout.shape, "the forward's out", cache.out_shape)
    return current().xp.zeros(cache.x_shape, cache.dtype)


class MaxPoolIndices(Layer):
    """Where max pooling finds its maxima, for who asks the same window of MaxPool2d; see `max_pool_indices_forward`."""

    def __init__(self, kernel, stride=None, pad=0, dilation=1, ceil_mode=False, order="row"):
        super().__init__()
        self.kernel, self.stride = pair(kernel, "kernel"), pair(kernel if stride is None else stride, "stride")
        self.pad, self.dilation, self.ceil_mode = pad4(pad), pair(dilation, "dilation"), bool(ceil_mode)
        if order not in ORDERS:
            raise MinicnnError(f"order must be row or column, not {order!r}")
        self.order = order

    def forward(self, x):
        return max_pool_indices_forward(
            x, self.kernel, self.stride, self.pad, self.dilation, self.ceil_mode, self.order
        )

    backward_input = staticmethod(max_pool_indices_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        window = window_output(shape[2:], self.kernel, self.stride, self.pad, self.dilation, self.ceil_mode)
        return (*shape[:2], *window)

    def describe(self):
        return describe_window(self, dilation=(1, 1), ceil_mode=False, order="row")


# No CASES: whole numbers have no differences to check a gradient with.
