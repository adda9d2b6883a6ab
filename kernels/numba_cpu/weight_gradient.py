"""The gradient of a convolution's weights: every tap's cells times the output pixels' gradients, summed.

    dw[f, c, t] = sum over images and pixels q of dout[n, f, q] * x[n, c, the cell that tap t reads for q]

The block of `correlate.py` again, but here the sum runs along its pixels: a row of dout times a shifted line of the
block, vector by vector. The gradient of a pixel past a row's end is 0. Where the images are small, several lie in one
block.
"""

import numpy as np
from numba import prange

from . import threads
from .correlate import BLOCK_BYTES, copy_block, line_offsets
from .jit import jit, parallel_jit
from .machine import ROWS
from .product import lanes, read_only, round_up
from .rows import copy
from .tiles import dot1, dot2, dot3

# Pixels at a time: ROWS lines of dout stay in the first-level cache.
LENGTH = 1024

# Where the threads' own sums would take more than this together, the threads share the rows of dw instead.
PARTIAL_BYTES = 8_000_000


def weight_gradient(dout, x, taps, groups, dw):
    """dw (F, C // groups, KH, KW) from dout (N, F, OH, OW) and x (N, C, H, W); taps of the forward pass."""
    x, dout = read_only(x), read_only(dout)
    (N, C), (F, QH, QW) = x.shape[:2], dout.shape[1:]
    M, depth, lane, U = F // groups, C // groups, lanes(x.dtype), len(taps.phases)
    T = threads.count(dout.size * depth * len(taps.weight) // 64)
    above, beside = taps.reach
    width, K = QW + beside, depth * len(taps.weight)

    line = (depth * U + M) * width * x.itemsize
    R = min(max(BLOCK_BYTES // line - above, 1), QH)
    R = -(-QH // -(-QH // R))
    images = 1 if R < QH else min(max(BLOCK_BYTES // (line * (QH + above)), 1), -(-N // T))
    height = images * (R + above)
    P = round_up(height * width, lane)
    offsets = line_offsets(taps, depth, height, width)
    tiles = -(-M // ROWS)
    by_rows = tiles >= T and T * groups * tiles * ROWS * K * x.itemsize > PARTIAL_BYTES
    with threads.lock:
        blocks = threads.scratch("block", (T, depth * U * height * width + P), x.dtype)
        rows = threads.scratch("sums", (T, tiles * ROWS * P), x.dtype)
        partial = threads.scratch("partial", (1 if by_rows else T, groups, tiles * ROWS * K), x.dtype)
        partial[:] = 0
        _weight_gradient(
            x, dout, taps.phases, taps.step, taps.origin, offsets, R, above, width, images, P, lane, tiles,
            blocks, rows, partial,
        )  # fmt: skip
        np.sum(partial.reshape(-1, groups, tiles * ROWS, K)[:, :, :M], axis=0, out=dw.reshape(groups, M, K))


@parallel_jit
def _weight_gradient(
    x, dout, phases, step, origin, offsets, R, above, width, images, P, lane, tiles, blocks, rows, partial
):  # fmt: skip
    N, QH, QW = len(x), dout.shape[2], dout.shape[3]
    T, groups = len(blocks), partial.shape[1]
    depth, M, by_rows = x.shape[1] // groups, dout.shape[1] // groups, len(partial) < len(blocks)
    in_image, sets = -(-QH // R), -(-N // images)
    items = sets * in_image * groups
    for t in prange(T):
        block, row, sums = blocks[t], rows[t], partial[min(np.intp(t), len(partial) - 1)]
        first, last = (tiles * t // T, tiles * (t + 1) // T) if by_rows else (0, tiles)
        lo, hi = (0, items) if by_rows else (items * t // T, items * (t + 1) // T)
        block[-P:] = 0
        for item in range(lo, hi):
            g, rest = item % groups, item // groups
            r0, n0 = rest % in_image * R, rest // in_image * images
            here, lines = min(images, N - n0), min(R, QH - r0)
            if here < images or lines < R:
                block[:] = 0  # what is not filled is multiplied by zeros, and must not be NaN
            row[first * ROWS * P : last * ROWS * P] = 0
            for i in range(here):
                at = i * (R + above) * width
                copy_block(
                    x[n0 + i, g * depth : (g + 1) * depth], phases, step, origin, r0, lines + above,
                    images * (R + above), width, block[at:],
                )  # fmt: skip
                for f in range(first * ROWS, min(last * ROWS, M)):
                    for q in range(lines):
                        copy(dout[n0 + i, g * M + f, r0 + q], row[f * P + at + q * width :])
            used = -(-(((here - 1) * (R + above) + lines - 1) * width + QW) // lane) * lane
            _multiply(row, P, used, block, offsets, first, last, sums[g])


@jit
def _multiply(row, P, used, block, offsets, first, last, out):
    """out[f, k] += sum over p < used of row[f*P + p] * block[offsets[k] + p]"""
    K = offsets.size
    for p in range(0, used, LENGTH):
        length = min(LENGTH, used - p)
        for tile in range(first, last):
            a, c = tile * ROWS * P + p, tile * ROWS * K
            for k in range(0, K - 2, 3):
                dot3(row, a, P, block, p, offsets, k, length, out, c + k, K)
            if K % 3 == 2:
                dot2(row, a, P, block, p, offsets, K - 2, length, out, c + K - 2, K)
            elif K % 3 == 1:
                dot1(row, a, P, block, p, offsets, K - 1, length, out, c + K - 1, K)
