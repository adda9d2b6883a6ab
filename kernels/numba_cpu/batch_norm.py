"""Batch normalisation: sums in float64, the rest in x's own precision with what float64 leaves of its constants.

A mean is taken off in two parts, the near one, which x's precision holds, from x, the rest with the shift: of a channel
that is far from zero, no digit of the mean is lost.
"""

import numpy as np
from numba import prange

from ..shapes import check_channels, check_dout, check_float, check_values
from .jit import index, jit, parallel_jit
from .memory import empty
from .rows import images, part, touched
from .threads import lock, shares

# Sums are taken over pieces of so many numbers of a channel, and of all channels before the next ones: a piece is still
# in the cache for the second look at it, and memory is read nearly in order.
PIECE = 4096
# So many sums side by side, added up at the end: a single one would wait for each of its additions.
LANES = 64


def batch_norm_statistics(x):
    check_values(x.shape)
    C, P, M = _sizes(x)
    pieces, mean, var = -(-M // PIECE), np.zeros(C), np.zeros(C)
    moments = np.empty((pieces, C, 3))
    with lock:
        _statistics(*images(x), P, M, shares(pieces * C, x.size), moments, mean, var)
    return mean, var


def batch_norm_forward(x, mean, inverse_std, w, b):
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, b=b)
    check_float(x=x, w=w, b=b)
    scale, near = inverse_std * w, mean.astype(x.dtype)
    return _normalised(x, near, scale, b - (mean - near) * scale)


def batch_norm_backward_params(dout, x, mean, inverse_std):
    check_dout(dout, x.shape, x=x)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std)
    C, P, M = _sizes(x)
    pieces, dw, db = -(-M // PIECE), np.zeros(C), np.zeros(C)
    sums = np.empty((pieces, C, 2))
    with lock:
        _sums(*images(dout), *images(x), P, M, np.array(mean), shares(pieces * C, x.size), sums, dw, db)
    return dw * inverse_std, db


def batch_norm_backward_input(dout, x, mean, inverse_std, w, sums):
    check_dout(dout, x.shape, x=x, w=w)
    dw, db = sums or (None, None)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, dw=dw, db=db)
    scale = inverse_std * w
    if sums is None:
        # To take off 0 and to add -0 leaves every number as it is, the sign of a zero included.
        return _normalised(dout, np.zeros_like(mean), scale, np.full_like(mean, -0.0))
    C, P, M = _sizes(x)
    near, shift, stretch = mean.astype(x.dtype), db / max(M, 1), inverse_std * dw / max(M, 1)
    constants = _vectors(x.dtype, near, shift - (mean - near) * stretch, stretch, scale)
    dx = empty(x.shape, x.dtype)
    with lock:
        _backward(*images(dout), *images(x), C, P, *constants, shares(x.size, 2 * x.size), dx.reshape(-1))
    return dx


def _normalised(x, mean, scale, shift):
    """out = (x - mean) * scale + shift, in x's own precision."""
    C, P, _ = _sizes(x)
    constants, out = _vectors(x.dtype, mean, scale, shift), empty(x.shape, x.dtype)
    with lock:
        _forward(*images(x), C, P, *constants, shares(x.size, x.size), out.reshape(-1))
    return out


def _sizes(x):
    """(channels, numbers of a plane, numbers of a channel), the last 0 where there is none."""
    N, C = x.shape[:2]
    return C, max(x.size // max(N * C, 1), 1), x.size // max(C, 1)


def _vectors(dtype, *vectors):
    """Copies: contiguous and writable, as the compiled code has been told."""
    return [np.array(v, dtype) for v in vectors]


@parallel_jit
def _statistics(x, distance, P, M, shares, moments, mean, var):
    for t in prange(len(shares) - 1):
        _take_moments(x, distance, P, M, shares[t], shares[t + 1], moments)
    _merge(moments, M, mean, var)


@jit
def _take_moments(x, distance, P, M, first_item, last_item, out):
    """out[piece, c] = (how many numbers, their mean, the sum of their squared distances from it)."""
    (pieces, C, _), sums = out.shape, np.empty(LANES)
    for item in range(first_item, last_item):
        piece, c = item // C, item % C
        first, last = piece * M // pieces, (piece + 1) * M // pieces
        _clear(sums)
        for n in touched(P, first, last):
            p, count = part(n, P, first, last)
            _add(x, n * distance + c * P + p, count, sums)
        mean = _sum(sums) / (last - first)
        _clear(sums)
        for n in touched(P, first, last):
            p, count = part(n, P, first, last)
            _add_squares(x, n * distance + c * P + p, count, mean, sums)
        out[piece, c, 0] = last - first
        out[piece, c, 1] = mean
        out[piece, c, 2] = _sum(sums)


@jit
def _clear(sums):
    for j in range(LANES):
        sums[j] = 0


@jit
def _sum(sums):
    total = 0.0
    for j in range(LANES):
        total += sums[j]
    return total


@jit
def _add(x, at, count, sums):
    for i in range(0, count, LANES):
        for j in range(min(LANES, count - i)):
            sums[index(j)] += x[index(at + i) + index(j)]


@jit
def _add_squares(x, at, count, mean, sums):
    for i in range(0, count, LANES):
        for j in range(min(LANES, count - i)):
            d = x[index(at + i) + index(j)] - mean
            sums[index(j)] += d * d


@jit
def _merge(moments, M, mean, var):
    """Taken from the mean of all, the squared distances of a piece are larger by count * (mean of all - its own)^2.

    Chan, Golub & LeVeque, The American Statistician, 1983
    """
    pieces, C, _ = moments.shape
    for piece in range(pieces):
        for c in range(C):
            mean[c] += moments[piece, c, 0] / M * moments[piece, c, 1]
    for piece in range(pieces):
        for c in range(C):
            away = mean[c] - moments[piece, c, 1]
            var[c] += (moments[piece, c, 2] + moments[piece, c, 0] * away * away) / M


@parallel_jit
def _forward(x, distance, C, P, mean, scale, shift, shares, out):
    for t in prange(len(shares) - 1):
        for plane in touched(P, shares[t], shares[t + 1]):
            n, c = plane // C, plane % C
            p, count = part(plane, P, shares[t], shares[t + 1])
            _normalise(x, n * distance + c * P + p, mean[c], scale[c], shift[c], plane * P + p, count, out)


@jit
def _normalise(x, x_at, mean, scale, shift, at, count, out):
    for i in range(count):
        out[index(at) + index(i)] = (x[index(x_at) + index(i)] - mean) * scale + shift


@parallel_jit
def _sums(dout, dout_distance, x, x_distance, P, M, mean, shares, sums, dw, db):
    for t in prange(len(shares) - 1):
        _take_sums(dout, dout_distance, x, x_distance, P, M, mean, shares[t], shares[t + 1], sums)
    for piece in range(len(sums)):
        for c in range(len(dw)):
            dw[c] += sums[piece, c, 0]
            db[c] += sums[piece, c, 1]


@jit
def _take_sums(dout, dout_distance, x, x_distance, P, M, mean, first_item, last_item, out):
    """out[piece, c] = (sum of dout * (x - mean), sum of dout)."""
    (pieces, C, _), products, douts = out.shape, np.empty(LANES), np.empty(LANES)
    for item in range(first_item, last_item):
        piece, c = item // C, item % C
        first, last = piece * M // pieces, (piece + 1) * M // pieces
        _clear(products)
        _clear(douts)
        for n in touched(P, first, last):
            p, count = part(n, P, first, last)
            place = c * P + p
            starts = n * dout_distance + place, n * x_distance + place
            _add_products(dout, x, starts, count, mean[c], products, douts)
        out[piece, c, 0] = _sum(products)
        out[piece, c, 1] = _sum(douts)


@jit
def _add_products(dout, x, starts, count, mean, products, douts):
    for i in range(0, count, LANES):
        dout_at, x_at = index(starts[0] + i), index(starts[1] + i)
        for j in range(min(LANES, count - i)):
            d = dout[dout_at + index(j)]
            products[index(j)] += d * (x[x_at + index(j)] - mean)
            douts[index(j)] += d


@parallel_jit
def _backward(dout, dout_distance, x, x_distance, C, P, mean, shift, stretch, scale, shares, out):
    for t in prange(len(shares) - 1):
        for plane in touched(P, shares[t], shares[t + 1]):
            n, c = plane // C, plane % C
            p, count = part(plane, P, shares[t], shares[t + 1])
            place = c * P + p
            starts = n * dout_distance + place, n * x_distance + place, plane * P + p
            _take_off(dout, x, starts, mean[c], shift[c], stretch[c], scale[c], count, out)


@jit
def _take_off(dout, x, starts, mean, shift, stretch, scale, count, out):
    dout_at, x_at, at = starts
    for i in range(count):
        moving = dout[index(dout_at) + index(i)] - shift - (x[index(x_at) + index(i)] - mean) * stretch
        out[index(at) + index(i)] = scale * moving
