"""Softmax over the channels, computed in float64 whatever x is."""

import math

import numpy as np
from numba import prange

from ..shapes import check_channels, check_dout
from .jit import index, jit, parallel_jit
from .memory import empty
from .threads import lock, shares

# So many numbers are looked at side by side, or more positions where the channels of all stay in the cache.
LANES = 32
CACHED = 32_768


def softmax_forward(x):
    check_channels("x", x.shape)
    out = empty(x.shape, x.dtype)
    with lock:
        _forward(np.ascontiguousarray(x).reshape(-1), *_blocks(x), out.reshape(-1))
    return out


def softmax_backward(dout, out):
    check_dout(dout, out.shape, out=out)
    check_channels("out", out.shape)
    dx = empty(out.shape, out.dtype)
    flat = [np.ascontiguousarray(a).reshape(-1) for a in (dout, out)]
    with lock:
        _backward(*flat, *_blocks(out), dx.reshape(-1))
    return dx


def _blocks(x):
    """(C, P, lanes, shares of all images' blocks): a block is up to `lanes` positions, with all their channels."""
    N, C = x.shape[:2]
    P = x.size // max(N * C, 1)
    lanes = min(max(CACHED // max(C, 1), LANES), P) if P > 1 else min(LANES, C)
    return C, P, lanes, shares(N * -(-P // max(lanes, 1)), 4 * x.size)


@parallel_jit
def _forward(x, C, P, lanes, shares, out):
    for t in prange(len(shares) - 1):
        _normalise(x, C, P, lanes, shares[t], shares[t + 1], out)


@parallel_jit
def _backward(dout, out, C, P, lanes, shares, dx):
    for t in prange(len(shares) - 1):
        _take_off(dout, out, C, P, lanes, shares[t], shares[t + 1], dx)


@jit
def _table(C, P, lanes, block):
    """(start, end, step, width, last) of the table that a block is: its rows begin at start, start + step, ... end.

    Every row has `width` numbers, but the last one has `last`. Several positions stand side by side, a channel a row;
    the channels of a single position are folded into rows.
    """
    if P > 1:
        in_image = -(-P // lanes)
        n, p = block // in_image, block % in_image * lanes
        width, start = min(lanes, P - p), n * C * P + p
        return start, start + (C - 1) * P, P, width, width
    start, folds = block * C, (C - 1) // lanes
    return start, start + folds * lanes, lanes, lanes, C - folds * lanes


@jit
def _normalise(x, C, P, lanes, first_block, last_block, out):
    largest, total = np.empty(lanes), np.empty(lanes)
    for block in range(first_block, last_block):
        start, end, step, width, last = _table(C, P, lanes, block)
        largest[:] = -np.inf
        total[:] = 0
        for at in range(start, end + 1, step):
            _keep_largest(x, at, last if at == end else width, largest)
        if P == 1:
            largest[:] = largest.max()
        for at in range(start, end + 1, step):
            _exponentials(x, at, last if at == end else width, largest, total, out)
        if P == 1:
            total[:] = total.sum()
        for j in range(width):
            total[j] = 1 / total[j]
        for at in range(start, end + 1, step):
            _multiply(total, at, last if at == end else width, out)


@jit
def _keep_largest(x, at, width, largest):
    """No comparison with NaN is true: it is passed over here, and its exponential is NaN all the same."""
    for j in range(width):
        value = x[index(at) + index(j)]
        largest[index(j)] = value if value > largest[index(j)] else largest[index(j)]


@jit
def _exponentials(x, at, width, largest, total, out):
    for j in range(width):
        e = _exp(x[index(at) + index(j)] - largest[index(j)])
        total[index(j)] += e
        out[index(at) + index(j)] = e


@jit
def _multiply(total, at, width, out):
    for j in range(width):
        out[index(at) + index(j)] *= total[index(j)]


@jit
def _take_off(dout, out, C, P, lanes, first_block, last_block, dx):
    total = np.empty(lanes)
    for block in range(first_block, last_block):
        start, end, step, width, last = _table(C, P, lanes, block)
        total[:] = 0
        for at in range(start, end + 1, step):
            _add_products(dout, out, at, last if at == end else width, total)
        if P == 1:
            total[:] = total.sum()
        for at in range(start, end + 1, step):
            _gradients(dout, out, at, last if at == end else width, total, dx)


@jit
def _add_products(dout, out, at, width, total):
    for j in range(width):
        total[index(j)] += np.float64(dout[index(at) + index(j)]) * out[index(at) + index(j)]


@jit
def _gradients(dout, out, at, width, total, dx):
    for j in range(width):
        away = dout[index(at) + index(j)] - total[index(j)]
        dx[index(at) + index(j)] = out[index(at) + index(j)] * away


# exp(x) = 2^k * exp(r), with k the integer next to x / ln 2 and r = x - k * ln 2. |r| < 0.35, so that 14 terms of the
# series are enough. ln 2 in two parts, the first one so short that k times it is exact: Cody & Waite, 1980.
LN_2_HIGH = math.floor(math.log(2) * 2**32) / 2**32
LN_2_LOW = 1.9082149292705877e-10
TAYLOR = tuple(1 / math.factorial(n) for n in range(13, -1, -1))
# A small number plus this one ends in its nearest integer, in the last bits of the sum.
ROUNDER = 1.5 * 2**52


@jit
def _exp(x):
    """exp(x) for x <= 0, in float64; 0 where that has no more than denormal numbers. A loop over it is vectorised."""
    t = x * (1 / math.log(2)) + ROUNDER
    k = t - ROUNDER
    r = x - k * LN_2_HIGH - k * LN_2_LOW
    p = 0.0
    for a in TAYLOR:
        p = p * r + a
    exponent = (np.float64(t).view(np.int64) + 1023) << 52
    return 0.0 if x < -708 else p * np.int64(exponent).view(np.float64)
