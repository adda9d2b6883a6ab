"""Correlation of an image with a table of taps: every convolution, strided, dilated or grouped, and its gradient.

The image is never made into columns. Each thread copies a block of rows into its cache, with the padding as zeros
and, under a stride, cells of equal remainder side by side (`phases`); then the cell that a tap reads lies at a fixed
distance from the pixel that it contributes to, for all pixels of the block:

    B[k, p] = block[offset(k) + p],   k = (channel, tap),  p = row*width + column

so that the convolution is the product of the weights and a table of offsets. Pixels past a row's end compute what
nobody asked for (2 in 226 for a 3x3 window on a row of 224) and are not copied out.

Source of the idea that a table of places stands in for the columns: Dukhan, "The Indirect Convolution Algorithm",
2019.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import prange

from . import threads
from .jit import index, jit, parallel_jit
from .machine import ROWS
from .product import lanes, multiply, read_only, round_up, tail_rows, tails_of

# The block of image rows and the sums that it turns into, together; they stay in the second-level cache.
BLOCK_BYTES = 800_000


@dataclass(frozen=True, eq=False)
class Taps:
    """Where the window's cells are: one line a tap, or a source phase.

    weight  (T,) position of the tap in w's window, i*KW + j
    phase   (T,) which of `phases` it reads
    row     (T,) and column (T,): the cell that it reads for output pixel (0, 0), in the phase's own grid
    phases  (U, 2) vertical and horizontal remainder of each phase in use
    step    (2,) the source stride: cell (r, c) of a phase is source pixel (r*step + remainder) from the origin
    origin  (2,) the source pixel of cell (0, 0) with remainder 0; negative where there is padding
    """

    weight: np.ndarray
    phase: np.ndarray
    row: np.ndarray
    column: np.ndarray
    phases: np.ndarray
    step: tuple
    origin: tuple

    @property
    def reach(self):
        """(rows, columns) that the block holds past the output's own."""
        return int(self.row.max()), int(self.column.max())


@lru_cache(maxsize=1024)
def line_offsets(taps, depth, height, width):
    """(depth * T,): where the block's line begins that tap t of channel c reads; k = c*T + t."""
    channel = np.arange(depth)[:, None]
    plane = (channel * len(taps.phases) + taps.phase) * height
    return ((plane + taps.row) * width + taps.column).ravel()


@lru_cache(maxsize=1024)
def _weight_offsets(taps, depth, channel_of_w):
    """(depth * T,): where w has tap t of channel c."""
    return (np.arange(depth)[:, None] * channel_of_w + taps.weight).ravel()


def correlate(x, w, b, taps, groups, transpose, out, start, step):
    """out[n, f, start + q*step] = b[f] + sum over channels c and taps t of w[f, c, t] * x[n, c, tap t's cell for q].

    x          (N, C, H, W)
    w          (F, C // groups, KH, KW); with transpose the sum runs over F instead, and out has w's other channels
    b          one number a channel of out, or None
    out        (N, ., OH, OW), of which the pixels start, start + step, ... are written
    """
    x, w = read_only(x), read_only(w)
    F, CG, KK = w.shape[0], w.shape[1], w.shape[2] * w.shape[3]
    FG = F // groups
    M, depth = (CG, FG) if transpose else (FG, CG)
    row_of_w, channel_of_w = (KK, CG * KK) if transpose else (CG * KK, KK)
    QH, QW = (-(-(out.shape[2 + a] - start[a]) // step[a]) for a in (0, 1))
    above, beside = taps.reach
    width, lane, U = QW + beside, lanes(x.dtype), len(taps.phases)

    T = threads.count(x.shape[0] * groups * M * depth * len(taps.weight) * QH * QW // 64)
    R, parts = _plan(x.shape[0] * groups, depth * U, M, QH, width, above, x.itemsize, T)
    P = round_up((R - 1) * width + QW, lane)
    a_offsets = _weight_offsets(taps, depth, channel_of_w)
    b_offsets = line_offsets(taps, depth, R + above, width)
    tails = tails_of(w.reshape(groups, -1), M, row_of_w, a_offsets, tail_rows(M))
    bias = np.zeros(M * groups, x.dtype) if b is None else b
    with threads.lock:
        block = threads.scratch("block", (T, depth * U * (R + above) * width + P), x.dtype)
        sums = threads.scratch("sums", (T, round_up(M, ROWS) * P), x.dtype)
        _correlate(
            x, w.reshape(-1), row_of_w, FG * CG * KK, a_offsets, tails, read_only(bias), b_offsets,
            taps.phases, taps.step, taps.origin, groups, M, QH, QW, R, above, width, parts, P, lane,
            block, sums, start, step, out,
        )  # fmt: skip


def _plan(images, channels, M, QH, width, above, itemsize, T):
    """(rows of a block, parts of the output channels): blocks that fit the cache, and work for all threads."""
    row = (channels + M) * width * itemsize
    R = min(max((BLOCK_BYTES - channels * above * width * itemsize) // row, 1), QH)
    blocks = -(-QH // R)
    if images * blocks < T:
        # Too small to share by rows: each thread computes some output channels of the whole.
        return QH, min(T, -(-M // ROWS))
    blocks = round_up(blocks * images, T) // images  # as many blocks for each thread
    return -(-QH // blocks), 1


@parallel_jit
def _correlate(
    x, w, row_of_w, group_of_w, a_offsets, tails, bias, b_offsets,
    phases, source_step, origin, groups, M, QH, QW, R, above, width, parts, P, lane,
    blocks, sums, start, step, out,
):  # fmt: skip
    """Work items are (image, group, block of rows, part of the output channels); each thread has its share of them."""
    N, C = x.shape[:2]
    T, K, tiles, depth = len(blocks), a_offsets.size, -(-M // ROWS), C // groups
    in_image = -(-QH // R)
    items = N * groups * in_image * parts
    tail_offsets = np.arange(K) * (tails.shape[1] // K)
    for t in prange(T):
        block, total = blocks[t], sums[t]
        for item in range(t * items // T, (t + 1) * items // T):
            part, rest = item % parts, item // parts
            r0, rest = rest % in_image * R, rest // in_image
            g, n = rest % groups, rest // groups
            first, last, rows = tiles * part // parts, tiles * (part + 1) // parts, min(R, QH - r0)
            copy_block(
                x[n, g * depth : (g + 1) * depth], phases, source_step, origin, r0, rows + above, R + above, width,
                block,
            )  # fmt: skip
            multiply(
                w, g * group_of_w, row_of_w, a_offsets, tails[g], tail_offsets, first, last, M,
                block, 0, b_offsets, P, lane, total, 0, P, total, M // ROWS * ROWS * P, P, False,
            )  # fmt: skip
            for f in range(first * ROWS, min(last * ROWS, M)):
                plane, add = out[n, g * M + f], bias[g * M + f]
                for q in range(rows):
                    y, p = start[0] + (r0 + q) * step[0], f * P + q * width
                    _write_row(total, p, QW, add, start[1], step[1], plane[y])


@jit
def copy_block(x, phases, step, origin, r0, rows, height, width, block):
    """block[c, u, r, i] = x[c, (r0 + r)*step + phases[u] + origin, i*step + ...], 0 outside x; r < rows.

    x (C, H, W); block flat, (C, U, height, width)
    """
    C, H, W = x.shape
    U, (SH, SW) = len(phases), step
    for c in range(C):
        for u in range(U):
            shift = phases[u, 1] + origin[1]
            # The cells i whose pixel i*SW + shift lies inside the row.
            lo = min(max(-(shift // SW), 0), width)
            hi = max(min(-((shift - W) // SW), width), lo)
            for r in range(rows):
                y = (r0 + r) * SH + phases[u, 0] + origin[0]
                line = block[((c * U + u) * height + r) * width :][:width]
                if y < 0 or y >= H:
                    line[:] = 0
                    continue
                source = x[c, y]
                for i in range(lo):
                    line[index(i)] = 0
                if SW == 1:
                    for i in range(lo, hi):
                        line[index(i)] = source[index(i + shift)]
                else:
                    for i in range(lo, hi):
                        line[index(i)] = source[index(i * SW + shift)]
                for i in range(hi, width):
                    line[index(i)] = 0


@jit
def _write_row(total, p, QW, add, x0, step, row):
    if step == 1:
        for i in range(QW):
            row[index(x0 + i)] = total[index(p + i)] + add
    else:
        for i in range(QW):
            row[index(x0 + i * step)] = total[index(p + i)] + add
