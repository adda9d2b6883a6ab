"""Convolution as im2col and one matrix product an image and group, and its two adjoints.

Columns are made for one image at a time, in a buffer that the next image overwrites: they are KH*KW times larger
than the image.
"""

import numpy as np

from ..shapes import check_dout, conv2d_output
from .col2im import gather_columns
from .im2col import fill_columns
from .matmul import product


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    N, F, OH, OW = conv2d_output(x.shape, w.shape, stride, pad, dilation, groups)
    matrix = w.reshape(groups, F // groups, w[0].size)
    out = np.empty((N, groups, F // groups, OH * OW), x.dtype)
    for n, cols in enumerate(_columns(x, w.shape[2:], (OH, OW), stride, pad, dilation, groups)):
        product(matrix, cols, out[n])
    out = out.reshape(N, F, OH, OW)
    if b is not None:
        out += b.reshape(F, 1, 1)
    return out


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    N, F, OH, OW = conv2d_output(x_shape, w.shape, stride, pad, dilation, groups)
    check_dout(dout, (N, F, OH, OW), w=w)
    dout = np.ascontiguousarray(dout).reshape(N, groups, F // groups, OH * OW)
    # out = w @ cols, so dcols = w' @ dout
    matrix = w.reshape(groups, F // groups, w[0].size).transpose(0, 2, 1)
    dx = np.empty(x_shape, dout.dtype)
    if _is_view(w.shape[2:], stride, pad):
        product(matrix, dout, dx.reshape(N, groups, w[0].size, OH * OW))
        return dx
    dcols = np.empty((groups, w[0].size, OH * OW), dout.dtype)
    windows = dcols.reshape(x_shape[1], *w.shape[2:], OH, OW)
    for n in range(N):
        product(matrix, dout[n], dcols)
        gather_columns(windows, stride, pad, dilation, dx[n])
    return dx


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    N, F, OH, OW = conv2d_output(x.shape, w_shape, stride, pad, dilation, groups)
    check_dout(dout, (N, F, OH, OW), x=x)
    dout = np.ascontiguousarray(dout).reshape(N, groups, F // groups, OH * OW)
    dw = np.zeros((groups, F // groups, w_shape[1] * w_shape[2] * w_shape[3]), dout.dtype)
    of_one = np.empty_like(dw)
    for n, cols in enumerate(_columns(x, w_shape[2:], (OH, OW), stride, pad, dilation, groups)):
        # out = w @ cols, so dw = dout @ cols', summed over the batch
        product(dout[n], cols.transpose(0, 2, 1), of_one)
        dw += of_one
    return dw.reshape(w_shape)


def _is_view(kernel, stride, pad):
    """Whether the columns are the image itself."""
    return kernel == (1, 1) and stride == (1, 1) and pad == (0, 0, 0, 0)


def _columns(x, kernel, out_hw, stride, pad, dilation, groups):
    """The columns (groups, C/groups*KH*KW, OH*OW) of one image after the other; each is overwritten by the next."""
    x = np.ascontiguousarray(x)
    (N, C), (KH, KW), (OH, OW) = x.shape[:2], kernel, out_hw
    if _is_view(kernel, stride, pad):
        yield from x.reshape(N, groups, C // groups, OH * OW)
        return
    windows = np.empty((C, KH, KW, OH, OW), x.dtype)
    cols = windows.reshape(groups, C // groups * KH * KW, OH * OW)
    for n in range(N):
        fill_columns(x[n], stride, pad, dilation, windows)
        yield cols
