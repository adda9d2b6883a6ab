"""1x1 convolution of stride 1 without padding: the product of the weights and the image as it lies.

Nothing is copied but what no tile fits: the pixels past the last whole vector, and the rows past the last full tile.
"""

import numpy as np
from numba import prange

from . import threads
from .jit import index, jit, parallel_jit
from .machine import ROWS, VECTORS
from .product import lanes, multiply, read_only, round_up, tail_rows, tails_of

# Pixels of a block, of which all channels stay in the second-level cache.
BLOCK_BYTES = 400_000


def pointwise(x, w, b, groups, transpose, out):
    """out[n, f, p] = b[f] + sum over c of w[f, c] * x[n, c, p], p a pixel; with transpose of w[c, f].

    x       (N, C, H, W)
    w       (F, C // groups, 1, 1)
    out     (N, ., H, W)
    """
    x, w = read_only(x), read_only(w)
    (N, _, H, W), FG, CG = x.shape, w.shape[0] // groups, w.shape[1]
    M, depth = (CG, FG) if transpose else (FG, CG)
    a_row, column = (1, CG) if transpose else (CG, 1)
    a_offsets = np.arange(depth) * column
    tails = tails_of(w.reshape(groups, FG * CG), M, a_row, a_offsets, tail_rows(M))
    lane, T = lanes(x.dtype), threads.count(N * groups * M * depth * H * W // 64)
    width = VECTORS * lane
    whole = H * W // lane * lane
    Q = max(BLOCK_BYTES // (depth * x.itemsize) // width, 1) * width
    blocks = max(-(-whole // Q), 1)
    parts = 1 if N * groups * blocks >= T else min(T, -(-M // ROWS))
    if parts == 1:  # as many blocks for each thread
        blocks = min(round_up(blocks * N * groups, T) // (N * groups), max(whole // width, 1))
    Q = max(round_up(-(-whole // blocks), width), width)
    bias = np.empty(0, x.dtype) if b is None else b
    with threads.lock:
        edge = threads.scratch("block", (T, depth * lane), x.dtype)
        sums = threads.scratch("sums", (T, round_up(M, ROWS) * lane + ROWS * Q), x.dtype)
        _pointwise(
            x.reshape(-1), H * W, w.reshape(-1), a_row, FG * CG, a_offsets, tails, read_only(bias), groups, M, N, Q,
            blocks, parts, whole, lane, edge, sums, out.reshape(-1),
        )  # fmt: skip


@parallel_jit
def _pointwise(
    x, pixels, w, a_row, group_of_w, a_offsets, tails, bias, groups, M, N, Q, blocks, parts, whole, lane,
    edges, sums, out,
):  # fmt: skip
    """Work items are (image, group, block of pixels, part of the output channels); each thread has its share."""
    T, depth, tiles = len(edges), a_offsets.size, -(-M // ROWS)
    full, items = M // ROWS * ROWS, N * groups * blocks * parts
    add = bias.size > 0  # the products are added to the biases, where there are any
    b_offsets, edge_offsets, tail_offsets = (
        np.arange(depth) * pixels,
        np.arange(depth) * lane,
        np.arange(depth) * (tails.shape[1] // depth),
    )
    for t in prange(T):
        edge, total = edges[t], sums[t]
        for item in range(t * items // T, (t + 1) * items // T):
            part, rest = item % parts, item // parts
            block, rest = rest % blocks, rest // blocks
            g, n = rest % groups, rest // groups
            first, last = tiles * part // parts, tiles * (part + 1) // parts
            low, high = first * ROWS, min(last * ROWS, M)
            x0, out0 = (n * groups + g) * depth * pixels, (n * groups + g) * M * pixels
            p0, p1 = min(block * Q, whole), min((block + 1) * Q, whole)
            if add:
                for f in range(low, min(high, full)):
                    out[out0 + f * pixels + p0 : out0 + f * pixels + p1] = bias[g * M + f]
                for f in range(full, high):
                    total[(f - full) * Q : (f - full) * Q + p1 - p0] = bias[g * M + f]
            if p1 > p0:
                multiply(
                    w, g * group_of_w, a_row, a_offsets, tails[g], tail_offsets, first, last, M,
                    x, x0 + p0, b_offsets, p1 - p0, lane, out, out0 + p0, pixels, total, 0, Q, add,
                )  # fmt: skip
            if p1 > p0 and high > full:
                _copy_rows(total, 0, Q, p1 - p0, high - full, out, out0 + full * pixels + p0, pixels)
            if block == blocks - 1 and whole < pixels:
                rest = pixels - whole
                for c in range(depth):
                    for p in range(lane):
                        edge[c * lane + p] = x[x0 + c * pixels + whole + p] if p < rest else 0
                at = ROWS * Q
                if add:
                    for f in range(low, high):
                        total[at + f * lane : at + (f + 1) * lane] = bias[g * M + f]
                multiply(
                    w, g * group_of_w, a_row, a_offsets, tails[g], tail_offsets, first, last, M,
                    edge, 0, edge_offsets, lane, lane, total, at, lane, total, at + full * lane, lane, add,
                )  # fmt: skip
                _copy_rows(total, at + low * lane, lane, rest, high - low, out, out0 + low * pixels + whole, pixels)


@jit
def _copy_rows(source, s0, s_row, count, rows, out, o0, o_row):
    """out[o0 + i*o_row + j] = source[s0 + i*s_row + j] for i < rows, j < count"""
    for i in range(rows):
        line, values = out[o0 + i * o_row :], source[s0 + i * s_row :]
        for j in range(count):
            line[index(j)] = values[index(j)]
