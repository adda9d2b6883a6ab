"""Softmax over the channels: out = exp(x - m) / sum of exp(x - m), m the largest x. Backward: dx = out * (dout - s).

    s[n, p] = sum over c of (dout * out)[n, c, p]

x, out, dout, dx    (N, C, ...); the rungs see them as (N, C, P), each of the N*P positions of its own

Forward needs x twice, the second time mostly from the cache: 8 bytes a float32 number from memory, 2 or 3 exponentials.
NaN, and infinity less itself, make a position's sum NaN, and with it all of its numbers.
"""

import math

import numpy as np
from numba import cuda

from ..shapes import check_channels, check_dout, check_float
from .device import contiguous, empty
from .launch import covering, kernel
from .planes import planes
from .raw import Source
from .reduce import THREADS, WARP, WARPS, block_sum, of_lane_across, one_block_each, tree_largest, tree_sum
from .rungs import Ladder
from .window import by_image, within_int

FORWARD, BACKWARD = Ladder("softmax_forward"), Ladder("softmax_backward")
SOURCE = Source("softmax")


def softmax_forward(x):
    check_channels("x", x.shape)
    check_float(x=x)
    out = empty(x.shape, x.dtype)
    FORWARD(planes(contiguous(x)), planes(out))
    return out


def softmax_backward(dout, out):
    check_dout(dout, out.shape, out=out)
    check_channels("out", out.shape)
    dx = empty(out.shape, out.dtype)
    BACKWARD(planes(contiguous(dout)), planes(contiguous(out)), planes(dx))
    return dx


def _wide(x):
    """Whether every row of channels of x (N, C, 1) begins where 16 bytes can be read at once."""
    return x.shape[1] * x.itemsize % 16 == 0


def _row_blocks(x):
    """(grid, block): a block for each row of channels, a thread for each 16 bytes of it."""
    N, C, _ = x.shape
    return one_block_each(N, -(-C * x.itemsize // 16))


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_a_position")
def forward_one_a_position(x, out):
    """1. One thread a position, which goes through its channels three times: the largest, the sum, the quotients."""
    N, _, P = x.shape
    _forward[covering(N * P)](x, out)


@FORWARD.numba("block_a_position")
def forward_block_a_position(x, out):
    """2. A block shares a position's channels, where they stand side by side in memory; two trees join its threads."""
    N, C, P = x.shape
    _forward_trees[one_block_each(N * P, C)](x, out)


@FORWARD.numba("online")
def forward_online(x, out):
    """3. Largest and sum in one pass, the sum made smaller where a larger number comes; warps join by shuffles."""
    N, C, P = x.shape
    _forward_online[one_block_each(N * P, C)](x, out)


@FORWARD.cuda_c("rows", fits=within_int)
def forward_rows(x, out):
    """4. In CUDA C: 16 bytes at once of a row of channels; where positions stand side by side, a thread each."""
    N, C, P = x.shape
    if P == 1:
        SOURCE(x.dtype).softmax_forward_rows[_row_blocks(x)](x, C, _wide(x), out)
    else:
        SOURCE(x.dtype).softmax_forward_positions[by_image(P, N)](x, N, C, P, out)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1]))
def _forward(x, out):
    N, C, P = x.shape
    at = cuda.grid(1)
    if at < N * P:
        n, p = at // P, at % P
        largest = x.dtype.type(-math.inf)
        for c in range(C):
            largest = max(largest, x[n, c, p])
        total = np.float64(0)  # one thread adds up all of them
        for c in range(C):
            total += math.exp(x[n, c, p] - largest)
        for c in range(C):
            out[n, c, p] = math.exp(x[n, c, p] - largest) / total


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1]))
def _forward_trees(x, out):
    scratch = cuda.shared.array(THREADS, x.dtype)
    _, C, P = x.shape
    n, p = cuda.blockIdx.x // P, cuda.blockIdx.x % P
    largest, total = x.dtype.type(-math.inf), x.dtype.type(0)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        largest = max(largest, x[n, c, p])
    largest = tree_largest(largest, scratch)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        total += math.exp(x[n, c, p] - largest)
    total = tree_sum(total, scratch)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        out[n, c, p] = math.exp(x[n, c, p] - largest) / total


@cuda.jit(device=True, inline="always")
def _weight(value, largest):
    """exp(value - largest); 0 for -inf, of which the largest may be one."""
    return math.exp(value if value == -math.inf else value - largest)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1]))
def _forward_online(x, out):
    """Milakov & Gimelshein, arXiv:1805.02867, algorithm 3"""
    largest_of_warp = cuda.shared.array(WARPS, x.dtype)
    total_of_warp = cuda.shared.array(WARPS, x.dtype)
    _, C, P = x.shape
    n, p = cuda.blockIdx.x // P, cuda.blockIdx.x % P
    largest, total = x.dtype.type(-math.inf), x.dtype.type(0)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        value = x[n, c, p]
        both = max(largest, value)
        total = total * _weight(largest, both) + _weight(value, both)
        largest = both
    for shift in range(5):
        other, others = of_lane_across(largest, 16 >> shift), of_lane_across(total, 16 >> shift)
        both = max(largest, other)
        total = total * _weight(largest, both) + others * _weight(other, both)
        largest = both
    if cuda.threadIdx.x % WARP == 0:
        largest_of_warp[cuda.threadIdx.x // WARP] = largest
        total_of_warp[cuda.threadIdx.x // WARP] = total
    cuda.syncthreads()
    largest, total = largest_of_warp[0], total_of_warp[0]
    for warp in range(1, cuda.blockDim.x // WARP):
        both = max(largest, largest_of_warp[warp])
        total = total * _weight(largest, both) + total_of_warp[warp] * _weight(largest_of_warp[warp], both)
        largest = both
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        out[n, c, p] = math.exp(x[n, c, p] - largest) / total


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_a_position")
def backward_one_a_position(dout, out, dx):
    """1. One thread a position, which goes through its channels twice."""
    N, _, P = out.shape
    _backward[covering(N * P)](dout, out, dx)


@BACKWARD.numba("block_a_position")
def backward_block_a_position(dout, out, dx):
    """2. A block shares a position's channels; a tree in shared memory joins its threads."""
    N, C, P = out.shape
    _backward_tree[one_block_each(N * P, C)](dout, out, dx)


@BACKWARD.numba("shuffles")
def backward_shuffles(dout, out, dx):
    """3. Warps join by shuffles: two barriers in place of ten."""
    N, C, P = out.shape
    _backward_shuffles[one_block_each(N * P, C)](dout, out, dx)


@BACKWARD.cuda_c("rows", fits=within_int)
def backward_rows(dout, out, dx):
    """4. In CUDA C: 16 bytes at once of a row of channels; where positions stand side by side, a thread each."""
    N, C, P = out.shape
    if P == 1:
        SOURCE(out.dtype).softmax_backward_rows[_row_blocks(out)](dout, out, C, _wide(out), dx)
    else:
        SOURCE(out.dtype).softmax_backward_positions[by_image(P, N)](dout, out, N, C, P, dx)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], T[:, :, ::1]))
def _backward(dout, out, dx):
    N, C, P = out.shape
    at = cuda.grid(1)
    if at < N * P:
        n, p = at // P, at % P
        total = np.float64(0)  # one thread adds up all of them
        for c in range(C):
            total += dout[n, c, p] * out[n, c, p]
        for c in range(C):
            dx[n, c, p] = out[n, c, p] * (dout[n, c, p] - total)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], T[:, :, ::1]))
def _backward_tree(dout, out, dx):
    scratch = cuda.shared.array(THREADS, out.dtype)
    _, C, P = out.shape
    n, p = cuda.blockIdx.x // P, cuda.blockIdx.x % P
    total = out.dtype.type(0)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        total += dout[n, c, p] * out[n, c, p]
    total = tree_sum(total, scratch)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        dx[n, c, p] = out[n, c, p] * (dout[n, c, p] - total)


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], T[:, :, ::1]))
def _backward_shuffles(dout, out, dx):
    scratch = cuda.shared.array(WARPS, out.dtype)
    _, C, P = out.shape
    n, p = cuda.blockIdx.x // P, cuda.blockIdx.x % P
    total = out.dtype.type(0)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        total += dout[n, c, p] * out[n, c, p]
    total = block_sum(total, scratch)
    for c in range(cuda.threadIdx.x, C, cuda.blockDim.x):
        dx[n, c, p] = out[n, c, p] * (dout[n, c, p] - total)
