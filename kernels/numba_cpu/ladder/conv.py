"""Convolution of stride 1, rung by rung:  out[n, f, y, x] = sum over c, i, j of w[f, c, i, j] * x[n, c, y+i, x+j].

x       (N, C, H, W) float32; cells of the padding, which y+i and x+j count from, are 0
w       (F, C, KH, KW)
pad     (top, bottom, left, right)
out     (N, F, OH, OW)    OH = H + top + bottom - KH + 1
"""

import numpy as np
from numba import prange

from ...shapes import conv2d_output
from .. import direct, threads, winograd
from ..im2col import im2col
from ..jit import index, jit, parallel_jit
from ..matmul import matmul
from ..memory import empty
from ..window import inside

_ONE = (1, 1)


def loops(x, w, pad):
    """1. The definition, in Python: each number is an object, each step is looked up."""
    (_, C, H, W), (_, _, KH, KW) = x.shape, w.shape
    out = np.empty(_out_shape(x, w, pad), x.dtype)
    for n, f, oy, ox in np.ndindex(*out.shape):
        total = x.dtype.type(0)
        for c in range(C):
            for i in range(KH):
                for j in range(KW):
                    y, column = oy + i - pad[0], ox + j - pad[2]
                    if 0 <= y < H and 0 <= column < W:
                        total += w[f, c, i, j] * x[n, c, y, column]
        out[n, f, oy, ox] = total
    return out


def compiled_loops(x, w, pad):
    """2. The same loops compiled: numbers are in registers, but every cell asks whether it is in the image."""
    return _by_planes(_compiled_loops, x, w, pad)


def whole_rows(x, w, pad):
    """3. The loop along the row becomes the innermost: it asks once a row, and takes a vector of numbers at a time."""
    return _by_planes(_whole_rows, x, w, pad)


def columns_and_product(x, w, pad):
    """4. Every window is copied to a column (im2col); then one matrix product, fast, for KH*KW times the memory."""
    out = empty(_out_shape(x, w, pad), x.dtype)
    cols = im2col(x, w.shape[2:], _ONE, pad, _ONE)
    for n in range(len(x)):
        out[n] = matmul(w.reshape(len(w), -1), cols[n]).reshape(out.shape[1:])
    return out


def table_of_offsets(x, w, pad):
    """5. No columns: a table says where each would begin in a block of the image that stays in the cache."""
    out = empty(_out_shape(x, w, pad), x.dtype)
    direct.forward(x, w, None, _ONE, pad, _ONE, 1, out)
    return out


def winograd_tiles(x, w, pad):
    """6. 4x4 outputs at a time from 36 products instead of 144 (3x3 windows, float32); rounds a little more."""
    out = empty(_out_shape(x, w, pad), x.dtype)
    winograd.convolve(x, w, None, (pad[0], pad[2]), False, out)
    return out


RUNGS = (loops, compiled_loops, whole_rows, columns_and_product, table_of_offsets, winograd_tiles)


def _out_shape(x, w, pad):
    return conv2d_output(x.shape, w.shape, _ONE, pad, _ONE, 1)


def _by_planes(kernel, x, w, pad):
    """out, of which each thread computes some planes (n, f)."""
    out = empty(_out_shape(x, w, pad), x.dtype)
    shares = threads.shares(len(x) * len(w), out.size * w[0].size // 64)
    with threads.lock:
        kernel(np.ascontiguousarray(x), np.ascontiguousarray(w), pad, shares, out)
    return out


@parallel_jit
def _compiled_loops(x, w, pad, shares, out):
    for t in prange(len(shares) - 1):
        for plane in range(shares[t], shares[t + 1]):
            n, f = plane // len(w), plane % len(w)
            _plane(x[n], w[f], pad[0], pad[2], out[n, f])


@jit
def _plane(x, w, top, left, out):
    (C, H, W), (_, KH, KW), (OH, OW) = x.shape, w.shape, out.shape
    for oy in range(OH):
        for ox in range(OW):
            total = x.dtype.type(0)
            for c in range(C):
                for i in range(KH):
                    for j in range(KW):
                        y, column = oy + i - top, ox + j - left
                        if 0 <= y < H and 0 <= column < W:
                            total += w[c, i, j] * x[c, y, column]
            out[oy, ox] = total


@parallel_jit
def _whole_rows(x, w, pad, shares, out):
    for t in prange(len(shares) - 1):
        for plane in range(shares[t], shares[t + 1]):
            n, f = plane // len(w), plane % len(w)
            _plane_by_rows(x[n], w[f], pad[0], pad[2], out[n, f])


@jit
def _plane_by_rows(x, w, top, left, out):
    (C, H, W), (_, KH, KW), (OH, OW) = x.shape, w.shape, out.shape
    out[:] = 0
    for c in range(C):
        for i in range(KH):
            for j in range(KW):
                first, last = inside(j - left, 1, W, OW)
                for oy in range(OH):
                    y = oy + i - top
                    if 0 <= y < H:
                        start = first + j - left
                        _add(w[c, i, j], x[c, y, start : start + last - first], out[oy, first:last])


@jit
def _add(number, line, out):
    for column in range(len(out)):
        out[index(column)] += number * line[index(column)]
