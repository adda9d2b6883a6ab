"""Max pooling: every output is the first of the largest real cells of its window."""

import numpy as np
from numba import prange

from ..shapes import check_ndim, check_pooled, check_same, window_output
from .jit import index, jit, parallel_jit
from .memory import empty
from .threads import lock, shares
from .window import inside


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    check_ndim("x", x.shape, 4)
    N, C, H, W = x.shape
    OH, OW = window_output((H, W), kernel, stride, pad, dilation, ceil_mode)
    planes = np.ascontiguousarray(x).reshape(N * C, H, W)
    out = empty((N * C, OH, OW), x.dtype)
    argmax = empty((N * C, OH, OW), np.int32)
    with lock:
        _forward(planes, kernel, stride, pad, dilation, shares(N * C, N * C * H * W), argmax, out)
    return out.reshape(N, C, OH, OW), argmax.reshape(N, C, OH, OW)


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    check_pooled(dout, x_shape, kernel, stride, pad, dilation)
    check_same("argmax", argmax.shape, "dout", dout.shape)
    N, C, H, W = x_shape
    planes = np.ascontiguousarray(dout).reshape(N * C, *dout.shape[2:])
    argmax = np.ascontiguousarray(argmax, np.int32).reshape(planes.shape)
    dx = empty((N * C, H, W), dout.dtype)
    with lock:
        _backward(planes, argmax, kernel, stride, pad, dilation, shares(N * C, N * C * H * W), dx)
    return dx.reshape(x_shape)


@parallel_jit
def _forward(x, kernel, stride, pad, dilation, shares, argmax, out):
    for t in prange(len(shares) - 1):
        lo, hi = shares[t], shares[t + 1]
        _pool(x[lo:hi], kernel, stride, pad, dilation, argmax[lo:hi], out[lo:hi])


@jit
def _pool(x, kernel, stride, pad, dilation, argmax, out):
    """x (P, H, W), one plane an image and channel; argmax and out (P, OH, OW).

    All windows of a plane look at their cell (i, j) together, in one long loop that is vectorised: with the padding as
    -inf and, under a stride, cells of equal remainder side by side, that cell lies at a fixed distance from the window.
    """
    (P, H, W), (_, OH, OW), (KH, KW) = x.shape, out.shape, kernel
    (SH, SW), (DH, DW), top, left = stride, dilation, pad[0], pad[2]
    height, width = OH + (KH - 1) * DH // SH, OW + (KW - 1) * DW // SW
    phases = np.full((SH, SW, (height + 1) * width), -np.inf, x.dtype)
    best, arg = np.empty(OH * width, x.dtype), np.empty(OH * width, np.int32)
    for p in range(P):
        for y in range(-top, min(H, height * SH - top)):
            if y >= 0:
                line = phases[(y + top) % SH, :, (y + top) // SH * width :]
                for r in range(SW):
                    # Cell q of this remainder is column q*SW + r - left.
                    first, last = inside(r - left, SW, W, width)
                    _take(x[p, y, first * SW + r - left :], SW, line[r, first:last])
        best[:] = -np.inf
        arg[:] = -1
        for i in range(KH):
            for j in range(KW):
                away = i * DH // SH * width + j * DW // SW
                _challenge(phases[i * DH % SH, j * DW % SW, away:], np.int32(i * KW + j), best, arg)
        lowest = 0
        for oy in range(OH):
            row, cells = out[p, oy], argmax[p, oy]
            for ox in range(OW):
                row[index(ox)] = best[index(oy * width + ox)]
                cells[index(ox)] = arg[index(oy * width + ox)]
                lowest = min(lowest, arg[index(oy * width + ox)])
        if lowest < 0:
            for oy in range(OH):
                for ox in range(OW):
                    if argmax[p, oy, ox] < 0:
                        argmax[p, oy, ox] = _first_real(oy * SH - top, ox * SW - left, H, W, kernel, dilation)


@jit
def _take(row, step, out):
    """out[q] = row[q*step]"""
    if step == 1:  # apart, so that these are vectorised
        for q in range(len(out)):
            out[q] = row[q]
    elif step == 2:
        for q in range(len(out)):
            out[index(q)] = row[index(2 * q)]
    else:
        for q in range(len(out)):
            out[index(q)] = row[index(step * q)]


@jit
def _challenge(values, cell, best, arg):
    """The first of equals stays; the first NaN wins, with which no comparison is true."""
    for q in range(len(best)):
        value, old = values[index(q)], best[index(q)]
        wins = (value > old) | ((value != value) & (old == old))
        best[index(q)] = value if wins else old
        arg[index(q)] = cell if wins else arg[index(q)]


@jit
def _first_real(y, x, H, W, kernel, dilation):
    """The first cell of the window at (y, x) that lies in the image, where all are -inf; 0 where none does."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            if 0 <= y + i * dilation[0] < H and 0 <= x + j * dilation[1] < W:
                return i * kernel[1] + j
    return 0


@parallel_jit
def _backward(dout, argmax, kernel, stride, pad, dilation, shares, out):
    for t in prange(len(shares) - 1):
        lo, hi = shares[t], shares[t + 1]
        _unpool(dout[lo:hi], argmax[lo:hi], kernel, stride, pad, dilation, out[lo:hi])


@jit
def _unpool(dout, argmax, kernel, stride, pad, dilation, out):
    """dout, argmax (P, OH, OW); out (P, H, W). Each plane is summed by one loop, so no sum races."""
    (P, H, W), (_, OH, OW), (KH, KW) = out.shape, dout.shape, kernel
    (SH, SW), (DH, DW), top, left = stride, dilation, pad[0], pad[2]
    down, right = np.repeat(np.arange(KH) * DH, KW), np.arange(KH * KW) % KW * DW
    for p in range(P):
        out[p] = 0
        for oy in range(OH):
            for ox in range(OW):
                cell = argmax[p, oy, ox]
                y, x = oy * SH - top + down[cell], ox * SW - left + right[cell]
                if 0 <= y < H and 0 <= x < W:  # else the window was all padding
                    out[p, y, x] += dout[p, oy, ox]
