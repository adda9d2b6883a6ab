"""Average pooling: the sum of a window's real cells, divided by the number of cells that count."""

import numpy as np
from numba import prange

from ..shapes import check_ndim, check_pooled, window_output
from .jit import jit, parallel_jit
from .memory import empty
from .threads import lock, shares
from .window import inside


def avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad):
    check_ndim("x", x.shape, 4)
    N, C, H, W = x.shape
    OH, OW = window_output((H, W), kernel, stride, pad, (1, 1), ceil_mode)
    planes = np.ascontiguousarray(x).reshape(N * C, H, W)
    out = empty((N * C, OH, OW), x.dtype)
    with lock:
        _forward(planes, kernel, stride, pad, bool(count_include_pad), shares(N * C, N * C * H * W), out)
    return out.reshape(N, C, OH, OW)


def avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad):
    check_pooled(dout, x_shape, kernel, stride, pad)
    N, C, H, W = x_shape
    planes = np.ascontiguousarray(dout).reshape(N * C, *dout.shape[2:])
    dx = empty((N * C, H, W), dout.dtype)
    with lock:
        _backward(planes, kernel, stride, pad, bool(count_include_pad), shares(N * C, N * C * H * W), dx)
    return dx.reshape(x_shape)


@parallel_jit
def _forward(x, kernel, stride, pad, count_include_pad, shares, out):
    for t in prange(len(shares) - 1):
        lo, hi = shares[t], shares[t + 1]
        _average(x[lo:hi], kernel, stride, pad, count_include_pad, out[lo:hi])


@jit
def _average(x, kernel, stride, pad, count_include_pad, out):
    """x (P, H, W), one plane an image and channel; out (P, OH, OW)."""
    (P, H, W), (_, OH, OW) = x.shape, out.shape
    top, bottom, left, right = pad
    for p in range(P):
        for oy in range(OH):
            y0, y1, high = _extent(oy, kernel[0], stride[0], H, top, bottom, count_include_pad)
            for ox in range(OW):
                x0, x1, wide = _extent(ox, kernel[1], stride[1], W, left, right, count_include_pad)
                total = 0.0
                for y in range(y0, y1):
                    for column in range(x0, x1):
                        total += x[p, y, column]
                out[p, oy, ox] = total / max(high * wide, 1)


@parallel_jit
def _backward(dout, kernel, stride, pad, count_include_pad, shares, out):
    for t in prange(len(shares) - 1):
        lo, hi = shares[t], shares[t + 1]
        _spread(dout[lo:hi], kernel, stride, pad, count_include_pad, out[lo:hi])


@jit
def _spread(dout, kernel, stride, pad, count_include_pad, out):
    """dout (P, OH, OW); out (P, H, W). Each plane is summed by one loop, so no sum races."""
    (P, H, W), (_, OH, OW) = out.shape, dout.shape
    top, bottom, left, right = pad
    for p in range(P):
        out[p] = 0
        for oy in range(OH):
            y0, y1, high = _extent(oy, kernel[0], stride[0], H, top, bottom, count_include_pad)
            for ox in range(OW):
                x0, x1, wide = _extent(ox, kernel[1], stride[1], W, left, right, count_include_pad)
                # out = sum(window) / area, so each cell of the window gets dout / area
                share = dout[p, oy, ox] / max(high * wide, 1)
                for y in range(y0, y1):
                    for column in range(x0, x1):
                        out[p, y, column] += share


@jit
def _extent(o, kernel, stride, size, before, after, count_include_pad):
    """Along one axis, window o's real cells [first, last), and how many of its cells count."""
    start = o * stride - before
    first, last = inside(start, 1, size, kernel)
    counted = min(kernel, size + after - start) if count_include_pad else last - first
    return start + first, start + last, counted
