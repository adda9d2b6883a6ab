"""Convolution."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_float, check_same, conv2d_output, pad4, pair
from .base import Layer
from .checks import check_sizes
from .describe import describe_window


class Conv2dCache(NamedTuple):
    x: Any
    w: Any
    b: Any
    stride: tuple
    pad: tuple
    dilation: tuple
    groups: int


def conv2d_forward(x, w, b=None, stride=1, pad=0, dilation=1, groups=1):
    """Convolution (cross-correlation, as everywhere in this field).

        out[n,f,i,j] = b[f] + sum over c, k, l of w[f,c,k,l] * x[n, g+c, i*stride - top + k*dilation,
                                                                         j*stride - left + l*dilation]

    where g is the first channel of f's group; outside the image x counts as 0.

    x       (N, C, H, W) float32 or float64
    w       (F, C // groups, KH, KW)
    b       (F,) or None
    out     (N, F, OH, OW)    OH = (H + top + bottom - (KH-1)*dilation - 1)//stride + 1
    pad     an int, (vertical, horizontal) or (top, bottom, left, right)
    cache   x and w, not the columns: they are KH*KW times larger and quickly made again
    Raises ShapeError if C does not fit w or OH, OW < 1; DTypeError if dtypes differ.
    """
    stride, pad, dilation = pair(stride, "stride"), pad4(pad), pair(dilation, "dilation")
    check_float(x=x, w=w, b=b)
    conv2d_output(x.shape, w.shape, stride, pad, dilation, groups)
    if b is not None:
        check_same("b", b.shape, "w's first dimension", w.shape[:1])
    out = current().conv2d_forward(x, w, b, stride, pad, dilation, groups)
    return out, Conv2dCache(x, w, b, stride, pad, dilation, groups)


def conv2d_backward(dout, cache):
    """dx: out reads x through w, so dx is dout sent back through the same w.

    dout    (N, F, OH, OW)
    dx      (N, C, H, W)
    """
    return current().conv2d_backward_input(
        dout, cache.w, cache.x.shape, cache.stride, cache.pad, cache.dilation, cache.groups
    )


def conv2d_backward_params(dout, cache):
    """{"w": dw, "b": db}: out = w * x + b, so dw is dout correlated with x, and db = sum of dout over n, i, j.

    dw      (F, C // groups, KH, KW)
    db      (F,), summed in float64; absent where b is None
    """
    dw = current().conv2d_backward_weight(
        dout, cache.x, cache.w.shape, cache.stride, cache.pad, cache.dilation, cache.groups
    )
    if cache.b is None:
        return {"w": dw}
    return {"w": dw, "b": dout.sum(axis=(0, 2, 3), dtype="float64").astype(dout.dtype)}


class Conv2d(Layer):
    """Convolution with weights w (F, C // groups, KH, KW) and biases b (F,); see `conv2d_forward`."""

    def __init__(self, in_channels, out_channels, kernel, stride=1, pad=0, dilation=1, groups=1, bias=True):
        super().__init__()
        check_sizes(in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ShapeError(f"groups={groups} divides not both in_channels={in_channels}, out_channels={out_channels}")
        self.kernel, self.stride = pair(kernel, "kernel"), pair(stride, "stride")
        self.pad, self.dilation, self.groups = pad4(pad), pair(dilation, "dilation"), groups
        self.param_shapes = {"w": (out_channels, in_channels // groups, *self.kernel)}
        if bias:
            self.param_shapes["b"] = (out_channels,)

    def forward(self, x):
        b = self.array("b") if "b" in self.param_shapes else None
        return conv2d_forward(x, self.array("w"), b, self.stride, self.pad, self.dilation, self.groups)

    backward_input = staticmethod(conv2d_backward)
    backward_params = staticmethod(conv2d_backward_params)

    def out_shape(self, shape):
        return conv2d_output(shape, self.param_shapes["w"], self.stride, self.pad, self.dilation, self.groups)

    def macs(self, shape):
        N, F, OH, OW = self.out_shape(shape)
        _, CG, KH, KW = self.param_shapes["w"]
        return N * F * OH * OW * CG * KH * KW

    def describe(self):
        F, CG = self.param_shapes["w"][:2]
        text = f"{CG * self.groups}, {F}, {describe_window(self, stride=(1, 1), dilation=(1, 1), groups=1)}"
        return text + ("" if "b" in self.param_shapes else ", no bias")


CASES = [
    (Conv2d(2, 3, 3), (2, 2, 5, 4)),
    (Conv2d(3, 2, (3, 2), stride=(2, 1), pad=(1, 0, 0, 1)), (1, 3, 6, 4)),
    (Conv2d(4, 6, (1, 2), stride=3, groups=2, bias=False), (2, 4, 4, 5)),
    (Conv2d(2, 2, 2, dilation=(2, 3), pad=1, groups=2), (1, 2, 3, 5)),
    (Conv2d(1, 1, 1), (1, 1, 1, 1)),
]
