"""Transposed convolution: the backward of a convolution, run forward."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, check_ndim, check_same, pad4, pair, show
from .base import Layer
from .checks import check_sizes
from .describe import describe_window


class ConvTranspose2dCache(NamedTuple):
    x: Any
    w: Any
    b: Any
    geometry: tuple  # see `_geometry`


def conv_transpose2d_forward(x, w, b=None, stride=1, pad=0, output_padding=0, dilation=1, groups=1):
    """Transposed convolution, also called deconvolution: every x is spread over the out through w.

        out[n,f, i*stride - top + k*dilation, j*stride - left + l*dilation]
            = b[f] + sum of x[n,c,i,j] * w[c,f,k,l] over all c, i, j, k, l that meet there (f counted in c's group)

    This is `conv2d_backward_input` of the convolution that has these w and takes (N, F, OH, OW) to (N, C, H, W):
    a deconvolution is a convolution's backward, and its own backward is that convolution.

    x       (N, C, H, W) float32 or float64
    w       (C, F // groups, KH, KW)
    b       (F,) or None
    out     (N, F, OH, OW)    OH = (H-1)*stride - top - bottom + (KH-1)*dilation + 1 + output_padding
    pad     an int, (vertical, horizontal) or (top, bottom, left, right): how much of the out is cut off
    output_padding  an int or a pair: rows and columns added at the end, with what pad cut off there, then with b alone
    Raises ShapeError if C does not fit w or nothing is left of the out; DTypeError if dtypes differ.
    Zeiler et al., CVPR 2010; Dumoulin & Visin, arXiv 1603.07285, chapter 4
    """
    stride, pad, dilation = pair(stride, "stride"), pad4(pad), pair(dilation, "dilation")
    check_float(x=x, w=w, b=b)
    geometry = _geometry(x.shape, w.shape, stride, pad, _added(output_padding), dilation, groups)
    reached, added, window = geometry
    out = current().conv2d_backward_input(x, w, reached, *window)
    if any(added):
        out = current().xp.pad(out, ((0, 0), (0, 0), (0, added[0]), (0, added[1])))
    if b is not None:
        check_same("b", b.shape, "the out's channels", reached[1:2])
        out = out + b.reshape(-1, 1, 1)
    return out, ConvTranspose2dCache(x, w, b, geometry)


def conv_transpose2d_backward(dout, cache):
    """dx: out is x sent backward through a convolution with w, so dx is dout sent forward through it.

    dout    (N, F, OH, OW)
    dx      (N, C, H, W)
    """
    return current().conv2d_forward(_reached(dout, cache), cache.w, None, *cache.geometry[2])


def conv_transpose2d_backward_params(dout, cache):
    """{"w": dw, "b": db}: that convolution's dw, with x in dout's place and dout in x's; db = sum of dout over n, i, j.

    dw      (C, F // groups, KH, KW)
    db      (F,), summed in float64; absent where b is None
    """
    dw = current().conv2d_backward_weight(cache.x, _reached(dout, cache), cache.w.shape, *cache.geometry[2])
    if cache.b is None:
        return {"w": dw}
    return {"w": dw, "b": dout.sum(axis=(0, 2, 3), dtype="float64").astype(dout.dtype)}


def _reached(dout, cache):
    """The part of dout whose out read x."""
    check_dout(dout, _output(cache.geometry), x=cache.x)
    OH, OW = cache.geometry[0][2:]
    return dout[:, :, :OH, :OW]


def _geometry(x_shape, w_shape, stride, pad, output_padding, dilation, groups):
    """(reached, added, (stride, pad, dilation, groups)): the out that x reaches, and how much more there is of it.

    output_padding first takes back what pad cut off at the end. Only what is still left of it lies past all that x
    reaches, so no size of it asks for a convolution that does not exist.
    """
    check_ndim("x", x_shape, 4)
    check_ndim("w", w_shape, 4)
    N, C, *hw = x_shape
    if C != w_shape[0]:
        raise ShapeError(f"x has C={C}, w expects {w_shape[0]} (x {show(x_shape)}, w {show(w_shape)})")
    if C % groups:
        raise ShapeError(f"C={C} is no multiple of groups={groups} (w {show(w_shape)})")
    reached, added, cut = [N, w_shape[1] * groups], [], []
    for a in (0, 1):
        before, after, more = pad[2 * a], pad[2 * a + 1], output_padding[a]
        cut += [before, max(after - more, 0)]
        added.append(max(more - after, 0))
        reached.append((hw[a] - 1) * stride[a] + (w_shape[2 + a] - 1) * dilation[a] + 1 - sum(cut[-2:]))
        if reached[-1] < 1:
            raise ShapeError(
                f"O{'HW'[a]}={reached[-1] + added[-1]}: pad {pad} leaves nothing of what x {show(x_shape)} reaches "
                f"through w {show(w_shape)} (stride {stride}, dilation {dilation})"
            )
    return tuple(reached), tuple(added), (stride, tuple(cut), dilation, groups)


def _output(geometry):
    (N, F, OH, OW), added, _ = geometry
    return (N, F, OH + added[0], OW + added[1])


def _added(value):
    values = (value, value) if isinstance(value, Integral) else tuple(value)
    if len(values) != 2 or not all(isinstance(v, Integral) and v >= 0 for v in values):
        raise ShapeError(f"output_padding must be an int >= 0 or a pair of them, not {value!r}")
    return tuple(map(int, values))


class ConvTranspose2d(Layer):
    """Transposed convolution with weights w (C, F // groups, KH, KW), biases b (F,); see `conv_transpose2d_forward`."""

    def __init__(
        self, in_channels, out_channels, kernel, stride=1, pad=0, output_padding=0, dilation=1, groups=1, bias=True
    ):
        super().__init__()
        check_sizes(in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ShapeError(f"groups={groups} divides not both in_channels={in_channels}, out_channels={out_channels}")
        self.kernel, self.stride, self.pad = pair(kernel, "kernel"), pair(stride, "stride"), pad4(pad)
        self.output_padding = _added(output_padding)
        self.dilation, self.groups = pair(dilation, "dilation"), groups
        self.param_shapes = {"w": (in_channels, out_channels // groups, *self.kernel)}
        if bias:
            self.param_shapes["b"] = (out_channels,)

    def draw(self, name, shape, rng):
        """As every layer, but an out reads C // groups channels of x, and of a window one cell in a stride."""
        drawn = super().draw(name, shape, rng)
        if name != "w":
            return drawn
        C, FG = shape[:2]
        return drawn * np.float32((FG * self.groups * self.stride[0] * self.stride[1] / C) ** 0.5)

    def forward(self, x):
        b = self.array("b") if "b" in self.param_shapes else None
        return conv_transpose2d_forward(
            x, self.array("w"), b, self.stride, self.pad, self.output_padding, self.dilation, self.groups
        )

    backward_input = staticmethod(conv_transpose2d_backward)
    backward_params = staticmethod(conv_transpose2d_backward_params)

    def out_shape(self, shape):
        w_shape = self.param_shapes["w"]
        return _output(
            _geometry(shape, w_shape, self.stride, self.pad, self.output_padding, self.dilation, self.groups)
        )

    def macs(self, shape):
        self.out_shape(shape)
        N, _, H, W = shape
        C, FG, KH, KW = self.param_shapes["w"]
        return N * H * W * C * FG * KH * KW

    def describe(self):
        C, FG = self.param_shapes["w"][:2]
        window = describe_window(self, stride=(1, 1), output_padding=(0, 0), dilation=(1, 1), groups=1)
        return f"{C}, {FG * self.groups}, {window}" + ("" if "b" in self.param_shapes else ", no bias")


CASES = [
    (ConvTranspose2d(2, 3, 3, stride=2, pad=1, output_padding=1), (2, 2, 3, 2)),
    (ConvTranspose2d(3, 2, (3, 2), stride=(2, 1), pad=(1, 0, 0, 1), bias=False), (1, 3, 2, 4)),
    (ConvTranspose2d(4, 6, (1, 2), stride=3, output_padding=(0, 2), groups=2), (2, 4, 2, 2)),
    (ConvTranspose2d(2, 2, 2, dilation=(2, 3), pad=1, output_padding=(3, 0), groups=2), (1, 2, 2, 3)),
    (ConvTranspose2d(1, 1, 1), (1, 1, 1, 1)),
]
