"""The reference backend: what every kernel computes, in NumPy. Read this first; it defines what is right.

A convolution is im2col and one matrix product. Signatures and shapes stand in `contract.py`.
"""

import numpy as np

from .shapes import (
    check_channels,
    check_cols,
    check_dout,
    check_float,
    check_ndim,
    check_pooled,
    check_same,
    check_values,
    concat_output,
    conv2d_output,
    matmul_output,
    window_output,
)

xp = np


def to_device(x):
    return np.asarray(x)


def to_host(x):
    return x


# Windows ---------------------------------------------------------------------------------------------------------


def _windows(x, kernel, stride, pad, dilation, ceil_mode=False, fill=0):
    """(N, C, KH, KW, OH, OW): [n, c, i, j] is the image as the window's cell (i, j) sees it."""
    check_ndim("x", x.shape, 4)
    (N, C, H, W), (KH, KW), (SH, SW), (DH, DW) = x.shape, kernel, stride, dilation
    top, bottom, left, right = pad
    OH, OW = window_output((H, W), kernel, stride, pad, dilation, ceil_mode)
    # ceil_mode lets the last window reach past the padding: give it cells to stand on.
    bottom = max(bottom, (OH - 1) * SH + (KH - 1) * DH + 1 - H - top)
    right = max(right, (OW - 1) * SW + (KW - 1) * DW + 1 - W - left)
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    out = np.empty((N, C, KH, KW, OH, OW), x.dtype)
    for i in range(KH):
        for j in range(KW):
            y0, x0 = i * DH, j * DW
            out[:, :, i, j] = x[:, :, y0 : y0 + (OH - 1) * SH + 1 : SH, x0 : x0 + (OW - 1) * SW + 1 : SW]
    return out


def _windows_adjoint(windows, x_shape, stride, pad, dilation):
    """(N, C, H, W): every cell of every window added back to where it was read."""
    (N, C, H, W), (SH, SW), (DH, DW) = x_shape, stride, dilation
    _, _, KH, KW, OH, OW = windows.shape
    top, bottom, left, right = pad
    bottom = max(bottom, (OH - 1) * SH + (KH - 1) * DH + 1 - H - top)
    right = max(right, (OW - 1) * SW + (KW - 1) * DW + 1 - W - left)
    x = np.zeros((N, C, H + top + bottom, W + left + right), windows.dtype)
    for i in range(KH):
        for j in range(KW):
            y0, x0 = i * DH, j * DW
            x[:, :, y0 : y0 + (OH - 1) * SH + 1 : SH, x0 : x0 + (OW - 1) * SW + 1 : SW] += windows[:, :, i, j]
    return np.ascontiguousarray(x[:, :, top : top + H, left : left + W])


def im2col(x, kernel, stride, pad, dilation):
    windows = _windows(x, kernel, stride, pad, dilation)
    N, C, KH, KW, OH, OW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


def col2im(cols, x_shape, kernel, stride, pad, dilation):
    OH, OW = check_cols(cols, x_shape, kernel, stride, pad, dilation)
    windows = cols.reshape(*x_shape[:2], *kernel, OH, OW)
    return _windows_adjoint(windows, x_shape, stride, pad, dilation)


# Convolution -----------------------------------------------------------------------------------------------------


def matmul(a, b):
    matmul_output(a.shape, b.shape)
    return a @ b


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    N, F, OH, OW = conv2d_output(x.shape, w.shape, stride, pad, dilation, groups)
    cols = im2col(x, w.shape[2:], stride, pad, dilation)
    # One product a group; with groups == 1 this is w (F, C*KH*KW) times cols (C*KH*KW, OH*OW).
    cols = cols.reshape(N, groups, w[0].size, OH * OW)
    out = w.reshape(groups, F // groups, w[0].size) @ cols
    out = out.reshape(N, F, OH, OW)
    return out if b is None else out + b.reshape(F, 1, 1)


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    (N, F, OH, OW), P = conv2d_output(x_shape, w.shape, stride, pad, dilation, groups), w[0].size
    check_dout(dout, (N, F, OH, OW), w=w)
    # out = w @ cols, so dcols = w' @ dout
    dout = dout.reshape(N, groups, F // groups, OH * OW)
    dcols = w.reshape(groups, F // groups, P).transpose(0, 2, 1) @ dout
    return col2im(dcols.reshape(N, groups * P, OH * OW), x_shape, w.shape[2:], stride, pad, dilation)


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    N, F, OH, OW = conv2d_output(x.shape, w_shape, stride, pad, dilation, groups)
    check_dout(dout, (N, F, OH, OW), x=x)
    P = w_shape[1] * w_shape[2] * w_shape[3]
    cols = im2col(x, w_shape[2:], stride, pad, dilation).reshape(N, groups, P, OH * OW)
    # out = w @ cols, so dw = dout @ cols', summed over the batch
    dw = dout.reshape(N, groups, F // groups, OH * OW) @ cols.transpose(0, 1, 3, 2)
    return dw.sum(0).reshape(w_shape)


# Several inputs --------------------------------------------------------------------------------------------------


def add(a, b):
    check_same("a", a.shape, "b", b.shape)
    check_float(a=a, b=b)
    return a + b


def concat(xs):
    concat_output([x.shape for x in xs])
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    return np.concatenate(xs, axis=1)


# ReLU ------------------------------------------------------------------------------------------------------------


def relu_forward(x):
    # Not np.maximum: that turns -0.0 and NaN into platform matters.
    return np.where(x <= 0, x.dtype.type(0), x)


def relu_backward(dout, x):
    check_dout(dout, x.shape, x=x)
    return np.where(x > 0, dout, dout.dtype.type(0))


# Pooling ---------------------------------------------------------------------------------------------------------


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    windows = _windows(x, kernel, stride, pad, dilation, ceil_mode, fill=-np.inf)
    N, C, KH, KW, OH, OW = windows.shape
    cells = windows.reshape(N, C, KH * KW, OH, OW)
    argmax = cells.argmax(axis=2)  # the first of equals; a NaN counts as the largest
    out = np.take_along_axis(cells, argmax[:, :, None], axis=2)[:, :, 0]
    # Where all real cells are -inf, padding ties with them: the first real cell must win.
    inside = _windows(np.ones((1, 1, *x.shape[2:]), bool), kernel, stride, pad, dilation, ceil_mode)
    first_inside = inside.reshape(KH * KW, OH, OW).argmax(axis=0)
    return out, np.where(out == -np.inf, np.maximum(argmax, first_inside), argmax).astype(np.int32)


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    check_pooled(dout, x_shape, kernel, stride, pad, dilation)
    check_same("argmax", argmax.shape, "dout", dout.shape)
    N, C, OH, OW = dout.shape
    cell = np.arange(kernel[0] * kernel[1]).reshape(-1, 1, 1)
    windows = np.where(argmax[:, :, None] == cell, dout[:, :, None], dout.dtype.type(0))
    return _windows_adjoint(windows.reshape(N, C, *kernel, OH, OW), x_shape, stride, pad, dilation)


def _pool_area(hw, kernel, stride, pad, out_hw, count_include_pad):
    """(OH, OW): how many cells of each window count in its average; at least 1."""
    extents = []
    for a in (0, 1):
        start = np.arange(out_hw[a]) * stride[a] - pad[2 * a]
        low, high = (-pad[2 * a], hw[a] + pad[2 * a + 1]) if count_include_pad else (0, hw[a])
        extents.append(np.minimum(start + kernel[a], high) - np.maximum(start, low))
    return np.maximum(np.outer(*extents), 1)


def avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad):
    windows = _windows(x, kernel, stride, pad, (1, 1), ceil_mode)
    area = _pool_area(x.shape[2:], kernel, stride, pad, windows.shape[4:], count_include_pad)
    return windows.sum(axis=(2, 3)) / area.astype(x.dtype)


def avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad):
    check_pooled(dout, x_shape, kernel, stride, pad)
    area = _pool_area(x_shape[2:], kernel, stride, pad, dout.shape[2:], count_include_pad)
    # out = sum(window) / area, so each cell of the window gets dout / area
    share = (dout / area.astype(dout.dtype))[:, :, None, None]
    windows = np.broadcast_to(share, (*dout.shape[:2], *kernel, *dout.shape[2:]))
    return _windows_adjoint(windows, x_shape, stride, pad, (1, 1))


# Local response normalisation ------------------------------------------------------------------------------------


def _channel_sum(x, before, after):
    """Sum over the channels c - before .. c + after, those that exist."""
    C = x.shape[1]
    padded = np.pad(x, ((0, 0), (before, after), (0, 0), (0, 0)))
    return sum(padded[:, d : d + C] for d in range(before + after + 1))


def lrn_forward(x, size, alpha, beta, k):
    check_ndim("x", x.shape, 4)
    scale = k + alpha / size * _channel_sum(x * x, size // 2, (size - 1) // 2)
    return x * scale**-beta, scale


def lrn_backward(dout, x, scale, size, alpha, beta):
    check_dout(dout, x.shape, x=x, scale=scale)
    check_same("scale", scale.shape, "x", x.shape)
    # out[c] = x[c] * scale[c]^-beta, and scale[c] reads the channels c - size//2 .. c + (size-1)//2:
    # channel c' is read by c' - (size-1)//2 .. c' + size//2, the mirrored window.
    through_scale = _channel_sum(dout * x * scale ** (-beta - 1), (size - 1) // 2, size // 2)
    return dout * scale**-beta - 2 * alpha * beta / size * x * through_scale


# Batch normalisation ---------------------------------------------------------------------------------------------


def _all_but_channels(x):
    return (0, *range(2, x.ndim))


def _by_channel(vector, x):
    """(1, C, 1, ...), in float64."""
    return vector.reshape(-1, *(1,) * (x.ndim - 2)).astype("float64")


def _normalised(x, mean, inverse_std):
    return (x - _by_channel(mean, x)) * _by_channel(inverse_std, x)


def batch_norm_statistics(x):
    check_values(x.shape)
    axes = _all_but_channels(x)
    mean = x.mean(axes, "float64")
    return mean, ((x - _by_channel(mean, x)) ** 2).mean(axes)


def batch_norm_forward(x, mean, inverse_std, w, b):
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, b=b)
    check_float(x=x, w=w, b=b)
    out = _normalised(x, mean, inverse_std) * _by_channel(w, x) + _by_channel(b, x)
    return out.astype(x.dtype)


def batch_norm_backward_params(dout, x, mean, inverse_std):
    check_dout(dout, x.shape, x=x)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std)
    # out = xhat * w + b
    axes = _all_but_channels(x)
    return (dout * _normalised(x, mean, inverse_std)).sum(axes), dout.sum(axes, "float64")


def batch_norm_backward_input(dout, x, mean, inverse_std, w, sums):
    check_dout(dout, x.shape, x=x, w=w)
    dw, db = sums or (None, None)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, dw=dw, db=db)
    scale = _by_channel(w, x) * _by_channel(inverse_std, x)
    if sums is None:
        return (dout * scale).astype(x.dtype)
    # xhat keeps mean 0 and variance 1 whatever x does: what would shift or stretch the channel moves nothing.
    M = max(x[:, :1].size, 1)
    moving = dout - _by_channel(db, x) / M - _normalised(x, mean, inverse_std) * _by_channel(dw, x) / M
    return (moving * scale).astype(x.dtype)


# Softmax ---------------------------------------------------------------------------------------------------------


def softmax_forward(x):
    check_channels("x", x.shape)
    e = np.exp(x - x.max(axis=1, keepdims=True)) if x.size else x
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dout, out):
    check_dout(dout, out.shape, out=out)
    check_channels("out", out.shape)
    return out * (dout - (dout * out).sum(axis=1, keepdims=True))
