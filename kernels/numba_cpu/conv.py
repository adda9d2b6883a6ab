"""Convolution: which algorithm computes it.

    window                                              forward, gradient to the input      to the weights
    3x3, stride 1, dilation 1, one group, float32,
    where it saves time                                 Winograd F(4x4, 3x3)                Winograd
    any other                                           direct                              direct

"direct" is a product of the weights and shifted lines of the image (`correlate.py`, `weight_gradient.py`); 1x1,
strided, dilated and grouped convolutions differ only in their tables of taps. On small images and with few channels
Winograd's transforms cost more than the multiplications that they save.
"""

import numpy as np

from ..shapes import check_dout, conv2d_output
from . import direct, winograd, winograd_weights
from .memory import empty
from .product import lanes, round_up
from .taps import forward_taps
from .weight_gradient import weight_gradient

# What Winograd's steps cost, in the time of so many multiply-adds of a product: transforming a filter, and a tile of
# one channel, and beginning at all. Measured.
FILTER, TILE, START = 600, 1000, 8_000_000
# Direct products are so much slower for the pixels that they compute past the ends of rows and vectors.
DIRECT = 1.1


def _winograd_pays(w, stride, dilation, groups, out_shape):
    """Multiplications: 9 a pixel and filter against 36 a tile and filter, and the transforms."""
    if w.dtype != np.float32 or w.shape[2:] != (3, 3) or stride != (1, 1) or dilation != (1, 1) or groups != 1:
        return False
    (N, _, OH, OW), (F, C) = out_shape, w.shape[:2]
    tiles = N * -(-OH // 4) * -(-OW // 4)
    winograd = F * C * (36 * round_up(tiles, lanes(w.dtype)) + FILTER) + (F + C) * tiles * TILE + START
    return winograd < DIRECT * F * C * 9 * N * OH * (OW + 2)


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    out = empty(conv2d_output(x.shape, w.shape, stride, pad, dilation, groups), x.dtype)
    if not out.size:
        return out
    if _winograd_pays(w, stride, dilation, groups, out.shape):
        winograd.convolve(x, w, b, (pad[0], pad[2]), False, out)
    else:
        direct.forward(x, w, b, stride, pad, dilation, groups, out)
    return out


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    check_dout(dout, conv2d_output(x_shape, w.shape, stride, pad, dilation, groups), w=w)
    dx = empty(x_shape, dout.dtype)
    if not dx.size:
        return dx
    if _winograd_pays(w, stride, dilation, groups, x_shape):
        # x's cell y is read by output rows y + pad - 2 .. y + pad: correlation with the window turned around
        winograd.convolve(dout, w, None, (2 - pad[0], 2 - pad[2]), True, dx)
    else:
        direct.backward_input(dout, w, stride, pad, dilation, groups, dx)
    return dx


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    check_dout(dout, conv2d_output(x.shape, w_shape, stride, pad, dilation, groups), x=x)
    dw = empty(w_shape, dout.dtype)
    if not dout.size:
        dw[:] = 0
    elif _winograd_pays(dw, stride, dilation, groups, dout.shape):
        winograd_weights.weight_gradient(dout, x, (pad[0], pad[2]), dw)
    else:
        weight_gradient(dout, x, forward_taps(w_shape[2:], stride, pad, dilation), groups, dw)
    return dw
