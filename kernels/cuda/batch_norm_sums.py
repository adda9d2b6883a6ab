"""Batch normalisation's sums: the mean and variance of every channel, and the gradients of w and b.

    mean[c] = sum of x[:, c] / M, var[c] = sum of (x[:, c] - mean[c])^2 / M
    dw[c] = inverse_std[c] * sum of (dout * (x - mean))[:, c], db[c] = sum of dout[:, c]

x, dout                         (N, C, ...); the rungs see them as (N, C, P): N pieces of P numbers make a channel
mean, var, inverse_std, dw, db  (C,) float64, as all sums are

A variance is a sum of squared distances from the mean, never a difference of large sums. Where a channel is cut into
parts, each has a mean of its own, and

    sum of (x - mean)^2 = sum over parts of (sum of (x - own mean)^2 + count * (own mean - mean)^2)

The statistics take x from memory once where a part stays in registers or in the cache until its mean is known: 4 bytes
a float32 number and 4 operations; the gradients 8 bytes.
Chan, Golub & LeVeque, The American Statistician, 1983
"""

import numba
import numpy as np
from numba import cuda

from ..shapes import check_channels, check_dout, check_float, check_values
from .device import contiguous, empty
from .launch import MOST_ROWS, covering, kernel
from .planes import doubles, planes, wide
from .raw import Source
from .reduce import THREADS, WARPS, block_sum, one_block_each, tree_sum
from .rungs import Ladder
from .window import channels_within_int, within_int

STATISTICS, PARAMS = Ladder("batch_norm_statistics"), Ladder("batch_norm_backward_params")
SOURCE = Source("batch_norm_sums")

PART = 4096  # numbers of a channel that a block takes
HELD = 64  # bytes of them that a thread holds in registers

_VECTOR = numba.float64[::1]


def batch_norm_statistics(x):
    check_values(x.shape)
    check_float(x=x)
    mean, var = empty(x.shape[1:2], "float64"), empty(x.shape[1:2], "float64")
    STATISTICS(planes(contiguous(x)), mean, var)
    return mean, var


def batch_norm_backward_params(dout, x, mean, inverse_std):
    check_dout(dout, x.shape, x=x)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std)
    dw, db = empty(x.shape[1:2], "float64"), empty(x.shape[1:2], "float64")
    PARAMS(planes(contiguous(dout)), planes(contiguous(x)), *doubles(mean, inverse_std), dw, db)
    return dw, db


def _values(x):
    """How many numbers a channel has."""
    return x.shape[0] * x.shape[2]


def _countable(x, *rest):
    return within_int(x) and channels_within_int(x)


def _parts(x):
    """(how many parts a channel has, the launch of a block for each part and channel)."""
    C, M = x.shape[1], _values(x)
    parts = -(-M // PART)
    return parts, ((parts, min(C, MOST_ROWS)), one_block_each(1, min(M, PART))[1])


def _held_parts(x):
    """(parts, numbers of a part, launch), where a thread holds HELD bytes of a part."""
    C, M, each = x.shape[1], _values(x), HELD // x.itemsize
    _, (threads,) = covering(-(-M // each))
    parts = -(-M // (threads * each))
    return parts, threads * each, ((parts, min(C, MOST_ROWS)), (threads,))


# Statistics ------------------------------------------------------------------------------------------------------


@STATISTICS.numba("one_a_channel")
def statistics_one_a_channel(x, mean, var):
    """1. One thread a channel, which goes through it twice; most of the card has nothing to do."""
    _statistics[covering(mean.size)](x, mean, var)


@STATISTICS.numba("block_a_channel")
def statistics_block_a_channel(x, mean, var):
    """2. A block shares a channel: neighbouring threads read neighbouring numbers, two trees join them."""
    _statistics_tree[one_block_each(mean.size, _values(x))](x, mean, var)


@STATISTICS.numba("parts")
def statistics_parts(x, mean, var):
    """3. As many blocks as a channel has parts, and a second launch that joins them in order: x from memory once."""
    parts, geometry = _parts(x)
    moments = empty((mean.size, parts, 2), "float64")
    _moments[geometry](x, moments)
    _join[one_block_each(mean.size, parts)](moments, PART, _values(x), mean, var)


@STATISTICS.cuda_c("registers", fits=_countable)
def statistics_registers(x, mean, var):
    """4. In CUDA C: a part in registers between its mean and its squares, loaded 16 bytes at once."""
    (_, C, P), M = x.shape, _values(x)
    parts, length, geometry = _held_parts(x)
    moments = empty((C, parts, 2), "float64")
    SOURCE(x.dtype).moments[geometry](x, C, P, M, wide(x), moments)
    SOURCE(x.dtype).join[one_block_each(C, parts)](moments, parts, length, M, mean, var)


@kernel(lambda T: (T[:, :, ::1], _VECTOR, _VECTOR))
def _statistics(x, mean, var):
    N, C, P = x.shape
    c = cuda.grid(1)
    if c < C:
        total = np.float64(0)
        for n in range(N):
            for p in range(P):
                total += x[n, c, p]
        own = total / (N * P)
        squares = np.float64(0)
        for n in range(N):
            for p in range(P):
                away = x[n, c, p] - own
                squares += away * away
        mean[c] = own
        var[c] = squares / (N * P)


@kernel(lambda T: (T[:, :, ::1], _VECTOR, _VECTOR))
def _statistics_tree(x, mean, var):
    scratch = cuda.shared.array(THREADS, numba.float64)
    (N, _, P), c = x.shape, cuda.blockIdx.x
    total = np.float64(0)
    for m in range(cuda.threadIdx.x, N * P, cuda.blockDim.x):
        total += x[m // P, c, m % P]
    own = tree_sum(total, scratch) / (N * P)
    squares = np.float64(0)
    for m in range(cuda.threadIdx.x, N * P, cuda.blockDim.x):
        away = x[m // P, c, m % P] - own
        squares += away * away
    squares = tree_sum(squares, scratch)
    if cuda.threadIdx.x == 0:
        mean[c] = own
        var[c] = squares / (N * P)


@kernel(lambda T: (T[:, :, ::1], numba.float64[:, :, ::1]))
def _moments(x, moments):
    """moments[c, part] = (the part's mean, the sum of its squared distances from it)."""
    scratch = cuda.shared.array(WARPS, numba.float64)
    (N, C, P), part = x.shape, cuda.blockIdx.x
    first, last = part * PART, min((part + 1) * PART, N * P)
    for c in range(cuda.blockIdx.y, C, cuda.gridDim.y):
        total = np.float64(0)
        for m in range(first + cuda.threadIdx.x, last, cuda.blockDim.x):
            total += x[m // P, c, m % P]
        own = block_sum(total, scratch) / (last - first)
        squares = np.float64(0)
        for m in range(first + cuda.threadIdx.x, last, cuda.blockDim.x):
            away = x[m // P, c, m % P] - own
            squares += away * away
        squares = block_sum(squares, scratch)
        if cuda.threadIdx.x == 0:
            moments[c, part, 0] = own
            moments[c, part, 1] = squares


@kernel(lambda T: (numba.float64[:, :, ::1], numba.int64, numba.int64, _VECTOR, _VECTOR))
def _join(moments, length, M, mean, var):
    """Every part has `length` numbers of the channel's M, the last one what is left."""
    scratch = cuda.shared.array(WARPS, numba.float64)
    c, parts = cuda.blockIdx.x, moments.shape[1]
    total = np.float64(0)
    for part in range(cuda.threadIdx.x, parts, cuda.blockDim.x):
        total += min(length, M - part * length) * moments[c, part, 0]
    own = block_sum(total, scratch) / M
    squares = np.float64(0)
    for part in range(cuda.threadIdx.x, parts, cuda.blockDim.x):
        away = moments[c, part, 0] - own
        squares += moments[c, part, 1] + min(length, M - part * length) * away * away
    squares = block_sum(squares, scratch)
    if cuda.threadIdx.x == 0:
        mean[c] = own
        var[c] = squares / M


# Gradients of w and b --------------------------------------------------------------------------------------------


@PARAMS.numba("one_a_channel")
def params_one_a_channel(dout, x, mean, inverse_std, dw, db):
    """1. One thread a channel."""
    _params[covering(dw.size)](dout, x, mean, inverse_std, dw, db)


@PARAMS.numba("block_a_channel")
def params_block_a_channel(dout, x, mean, inverse_std, dw, db):
    """2. A block shares a channel; two trees join its threads."""
    _params_tree[one_block_each(dw.size, _values(x))](dout, x, mean, inverse_std, dw, db)


@PARAMS.numba("parts")
def params_parts(dout, x, mean, inverse_std, dw, db):
    """3. As many blocks as a channel has parts, joined by shuffles; a second launch adds the parts in order."""
    parts, geometry = _parts(x)
    sums = empty((dw.size, parts, 2), "float64")
    _part_sums[geometry](dout, x, mean, sums)
    _total[one_block_each(dw.size, parts)](sums, inverse_std, dw, db)


@PARAMS.cuda_c("vectors", fits=_countable)
def params_vectors(dout, x, mean, inverse_std, dw, db):
    """4. In CUDA C, 16 bytes of both at once, a thread's loads all under way together."""
    (_, C, P), M = x.shape, _values(x)
    parts, _, geometry = _held_parts(x)
    sums = empty((C, parts, 2), "float64")
    SOURCE(x.dtype).part_sums[geometry](dout, x, mean, C, P, M, wide(x), sums)
    SOURCE(x.dtype).total[one_block_each(C, parts)](sums, inverse_std, parts, dw, db)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], _VECTOR, _VECTOR, _VECTOR, _VECTOR))
def _params(dout, x, mean, inverse_std, dw, db):
    N, C, P = x.shape
    c = cuda.grid(1)
    if c < C:
        products = total = np.float64(0)
        for n in range(N):
            for p in range(P):
                products += dout[n, c, p] * (x[n, c, p] - mean[c])
                total += dout[n, c, p]
        dw[c] = products * inverse_std[c]
        db[c] = total


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], _VECTOR, _VECTOR, _VECTOR, _VECTOR))
def _params_tree(dout, x, mean, inverse_std, dw, db):
    scratch = cuda.shared.array(THREADS, numba.float64)
    (N, _, P), c = x.shape, cuda.blockIdx.x
    products = total = np.float64(0)
    for m in range(cuda.threadIdx.x, N * P, cuda.blockDim.x):
        products += dout[m // P, c, m % P] * (x[m // P, c, m % P] - mean[c])
        total += dout[m // P, c, m % P]
    products, total = tree_sum(products, scratch), tree_sum(total, scratch)
    if cuda.threadIdx.x == 0:
        dw[c] = products * inverse_std[c]
        db[c] = total


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], _VECTOR, numba.float64[:, :, ::1]))
def _part_sums(dout, x, mean, sums):
    """sums[c, part] = (sum of dout * (x - mean), sum of dout)."""
    scratch = cuda.shared.array(WARPS, numba.float64)
    (N, C, P), part = x.shape, cuda.blockIdx.x
    first, last = part * PART, min((part + 1) * PART, N * P)
    for c in range(cuda.blockIdx.y, C, cuda.gridDim.y):
        products = total = np.float64(0)
        for m in range(first + cuda.threadIdx.x, last, cuda.blockDim.x):
            products += dout[m // P, c, m % P] * (x[m // P, c, m % P] - mean[c])
            total += dout[m // P, c, m % P]
        products, total = block_sum(products, scratch), block_sum(total, scratch)
        if cuda.threadIdx.x == 0:
            sums[c, part, 0] = products
            sums[c, part, 1] = total


@kernel(lambda T: (numba.float64[:, :, ::1], _VECTOR, _VECTOR, _VECTOR))
def _total(sums, inverse_std, dw, db):
    scratch = cuda.shared.array(WARPS, numba.float64)
    c = cuda.blockIdx.x
    products = total = np.float64(0)
    for part in range(cuda.threadIdx.x, sums.shape[1], cuda.blockDim.x):
        products += sums[c, part, 0]
        total += sums[c, part, 1]
    products, total = block_sum(products, scratch), block_sum(total, scratch)
    if cuda.threadIdx.x == 0:
        dw[c] = products * inverse_std[c]
        db[c] = total
