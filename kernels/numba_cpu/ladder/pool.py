"""Max pooling, rung by rung:  out[n, c, y, x] = the largest of the window's cells; ties go to the first, NaN wins.

x       (N, C, H, W) float32
kernel  (KH, KW), stride (SH, SW), pad (top, bottom, left, right)
out     (N, C, OH, OW)    OH = (H + top + bottom - KH)//SH + 1
argmax  (N, C, OH, OW) int32, index inside the window; returned beside out
"""

import numpy as np
from numba import prange

from ...shapes import window_output
from .. import threads
from ..jit import jit, parallel_jit
from ..max_pool import max_pool2d_forward
from ..memory import empty


def loops(x, kernel, stride, pad):
    """1. The definition, in Python: each number is an object, each step is looked up."""
    out, argmax = _empty(x, kernel, stride, pad, np.empty)
    for n, c, oy, ox in np.ndindex(*out.shape):
        best, cell = -np.inf, -1
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                y, column = oy * stride[0] + i - pad[0], ox * stride[1] + j - pad[2]
                if 0 <= y < x.shape[2] and 0 <= column < x.shape[3]:
                    value = x[n, c, y, column]
                    if cell < 0 or value > best or (value != value and best == best):
                        best, cell = value, i * kernel[1] + j
        out[n, c, oy, ox], argmax[n, c, oy, ox] = best, max(cell, 0)
    return out, argmax


def compiled_loops(x, kernel, stride, pad):
    """2. The same loops compiled: fast between the questions, but each cell asks two, and no processor guesses them."""
    out, argmax = _empty(x, kernel, stride, pad, empty)
    planes = np.ascontiguousarray(x).reshape(-1, *x.shape[2:])
    N, C, OH, OW = out.shape
    flat, shares = (N * C, OH, OW), threads.shares(N * C, x.size)
    with threads.lock:
        _compiled_loops(planes, kernel, stride, pad, shares, argmax.reshape(flat), out.reshape(flat))
    return out, argmax


def whole_planes(x, kernel, stride, pad):
    """3. minicnn's own: all windows of a plane look at the same cell together, a vector of them at a time, unasked."""
    return max_pool2d_forward(x, kernel, stride, pad, (1, 1), False)


RUNGS = (loops, compiled_loops, whole_planes)


def _empty(x, kernel, stride, pad, make):
    """(out, argmax), unfilled, made by `make`."""
    shape = (*x.shape[:2], *window_output(x.shape[2:], kernel, stride, pad, (1, 1)))
    return make(shape, x.dtype), make(shape, np.int32)


@parallel_jit
def _compiled_loops(x, kernel, stride, pad, shares, argmax, out):
    for t in prange(len(shares) - 1):
        for p in range(shares[t], shares[t + 1]):
            _plane(x[p], kernel, stride, pad, argmax[p], out[p])


@jit
def _plane(x, kernel, stride, pad, argmax, out):
    (H, W), (OH, OW) = x.shape, out.shape
    for oy in range(OH):
        for ox in range(OW):
            best, cell = x.dtype.type(-np.inf), -1
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    y, column = oy * stride[0] + i - pad[0], ox * stride[1] + j - pad[2]
                    if 0 <= y < H and 0 <= column < W:
                        value = x[y, column]
                        if cell < 0 or value > best or (value != value and best == best):
                            best, cell = value, i * kernel[1] + j
            out[oy, ox], argmax[oy, ox] = best, max(cell, 0)
