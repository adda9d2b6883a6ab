"""Local response normalisation across channels."""

import numpy as np
from numba import prange

from ..shapes import check_dout, check_ndim, check_same
from .jit import index, jit, parallel_jit
from .memory import empty
from .threads import lock, shares


def lrn_forward(x, size, alpha, beta, k):
    check_ndim("x", x.shape, 4)
    x = np.ascontiguousarray(x)
    out, scale = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    rows = [_rows(a) for a in (x, scale, out)]
    with lock:
        _forward(rows[0], size, x.dtype.type(alpha / size), beta, x.dtype.type(k), *_blocks(rows[0]), *rows[1:])
    return out, scale


def lrn_backward(dout, x, scale, size, alpha, beta):
    check_dout(dout, x.shape, x=x, scale=scale)
    check_same("scale", scale.shape, "x", x.shape)
    dx = empty(x.shape, x.dtype)
    dout, x, scale, out = (_rows(np.ascontiguousarray(a)) for a in (dout, x, scale, dx))
    with lock:
        _backward(dout, x, scale, size, x.dtype.type(2 * alpha * beta / size), beta, *_blocks(x), out)
    return dx


def _rows(x):
    """(N, C, H*W), a view."""
    N, C, H, W = x.shape
    return x.reshape(N, C, H * W)


def _blocks(rows):
    """(shares of the blocks of all images, pixels of a block): a block's channels stay in the cache."""
    N, C, P = rows.shape
    pixels = min(max(100_000 // max(C, 1), 64), max(P, 1))
    return shares(N * -(-P // pixels), rows.size), pixels


@parallel_jit
def _forward(x, size, factor, beta, k, shares, pixels, scale, out):
    _, C, P = x.shape
    in_image = -(-P // pixels)
    for t in prange(len(shares) - 1):
        for block in range(shares[t], shares[t + 1]):
            n, first = block // in_image, block % in_image * pixels
            last = min(first + pixels, P)
            squares = np.empty((C, last - first), x.dtype)
            for c in range(C):
                row, square = x[n, c, first:last], squares[c]
                for p in range(last - first):
                    square[index(p)] = row[index(p)] * row[index(p)]
            for c in range(C):
                row = scale[n, c, first:last]
                _add_channels(squares, c - size // 2, c + (size - 1) // 2, row)
                for p in range(last - first):
                    row[index(p)] = k + factor * row[index(p)]
                _power(row, beta, out[n, c, first:last])
                _multiply(x[n, c, first:last], out[n, c, first:last])


@parallel_jit
def _backward(dout, x, scale, size, factor, beta, shares, pixels, out):
    _, C, P = x.shape
    in_image = -(-P // pixels)
    for t in prange(len(shares) - 1):
        for block in range(shares[t], shares[t + 1]):
            n, first = block // in_image, block % in_image * pixels
            last = min(first + pixels, P)
            direct, through = np.empty((C, last - first), x.dtype), np.empty((C, last - first), x.dtype)
            for c in range(C):
                # out[c] = x[c] * scale[c]^-beta
                _power(scale[n, c, first:last], beta, direct[c])
                _multiply(dout[n, c, first:last], direct[c])
                row, over, line = x[n, c, first:last], scale[n, c, first:last], through[c]
                for p in range(last - first):
                    line[index(p)] = direct[c, index(p)] * row[index(p)] / over[index(p)]
            for c in range(C):
                # scale[c] reads the channels c - size//2 .. c + (size-1)//2: c is read by the mirrored window
                row, line = out[n, c, first:last], x[n, c, first:last]
                _add_channels(through, c - (size - 1) // 2, c + size // 2, row)
                for p in range(last - first):
                    row[index(p)] = direct[c, index(p)] - factor * line[index(p)] * row[index(p)]


@jit
def _add_channels(x, first, last, out):
    """out[p] = the sum of x[c, p] over first <= c <= last, the channels that exist."""
    out[:] = 0
    for c in range(max(first, 0), min(last + 1, len(x))):
        row = x[c]
        for p in range(out.size):
            out[index(p)] += row[index(p)]


@jit
def _power(scale, beta, out):
    """out = scale^-beta; for the papers' 3/4 by two square roots, which vector units have."""
    if beta == 0.75:
        for p in range(out.size):
            root = np.sqrt(scale[index(p)])
            out[index(p)] = 1 / (root * np.sqrt(root))
    else:
        for p in range(out.size):
            out[index(p)] = scale[index(p)] ** -beta


@jit
def _multiply(x, out):
    for p in range(out.size):
        out[index(p)] *= x[index(p)]
