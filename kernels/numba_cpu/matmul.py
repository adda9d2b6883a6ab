"""The matrix product, three ways by the shapes of a (M, K) and b (K, N).

b the transpose of a matrix in memory   sums along the rows of both as they lie (a fully connected layer: with few
                                        images, reading the weights from memory is all the time there is)
few rows in a                           rows of b as they lie, each times a number (its gradient to the input)
any other                               panels of b, 3 vectors wide, copied to the cache
"""

import numpy as np
from numba import prange

from ..shapes import matmul_output
from . import threads
from .jit import index, jit, parallel_jit
from .machine import ROWS, VECTORS
from .memory import empty
from .product import DEPTH, lanes, read_only, tails_of
from .tiles import dot1, dot2, dot3, outer3

# A block of the product stays in the second-level cache: so many tiles down, so many panels across.
TILES, PANELS = 32, 16
LENGTH = 1024
# With few rows: long pieces of b's rows, because every piece begins on another page of memory.
FEW_ROWS, SUMS = 16, 32768


def matmul(a, b):
    M, N = matmul_output(a.shape, b.shape)
    K, out = a.shape[1], empty((M, N), a.dtype)
    if not out.size or not K:
        out[:] = 0
    elif b.T.flags.c_contiguous and not b.flags.c_contiguous and N >= ROWS:
        _rows_by_rows(read_only(a), read_only(b.T), out)
    elif M <= FEW_ROWS:
        with threads.lock:
            _few_rows(read_only(a), read_only(b), threads.shares(N, M * N * K // 64), out)
    else:
        _by_panels(a, read_only(b), out)
    return out


# Panels ---------------------------------------------------------------------------------------------------------


def _by_panels(a, b, out):
    turned = a.T.flags.c_contiguous and not a.flags.c_contiguous
    a = read_only(a.T if turned else a)
    M, K = a.shape if not turned else a.shape[::-1]
    a_row, a_column = (1, M) if turned else (K, 1)
    a_offsets, lane, T = np.arange(K) * a_column, lanes(a.dtype), threads.count(M * K * b.shape[1] // 64)
    tail = tails_of(a.reshape(1, -1), M, a_row, a_offsets)[0]
    with threads.lock:
        packed = threads.scratch("panels", (T, PANELS * DEPTH * VECTORS * lane), a.dtype)
        sums = threads.scratch("sums", (T, TILES * ROWS * PANELS * VECTORS * lane), a.dtype)
        _panels(
            a.reshape(-1), a_row, a_offsets, tail, np.arange(K) * ROWS,
            b, np.arange(DEPTH) * VECTORS * lane, lane, packed, sums, out,
        )  # fmt: skip


@parallel_jit
def _panels(a, a_row, a_offsets, tail, tail_offsets, b, b_offsets, lane, packed, sums, out):
    """Each thread takes some blocks of TILES x PANELS tiles."""
    M, N = out.shape
    K, width, T = len(b), VECTORS * lane, len(packed)
    tiles, panels = -(-M // ROWS), -(-N // width)
    across = min(PANELS, -(-panels // T))
    down = TILES
    blocks = -(-tiles // down) * -(-panels // across)
    for t in prange(T):
        panel, total = packed[t], sums[t]
        for block in range(t * blocks // T, (t + 1) * blocks // T):
            first, left = block % -(-tiles // down) * down, block // -(-tiles // down) * across
            last, right = min(first + down, tiles), min(left + across, panels)
            P = (right - left) * width
            for k0 in range(0, K, DEPTH):
                depth = min(DEPTH, K - k0)
                _pack(b, k0, depth, left * width, right - left, width, panel)
                for p in range(right - left):
                    for tile in range(first, last):
                        to = (tile - first) * ROWS * P + p * width
                        at, add = p * DEPTH * width, k0 > 0
                        if (tile + 1) * ROWS <= M:
                            start = tile * ROWS * a_row + a_offsets[k0]
                            outer3(a, start, a_row, a_offsets, panel, at, b_offsets, 0, depth, total, to, P, add)
                        else:
                            outer3(tail, k0 * ROWS, 1, tail_offsets, panel, at, b_offsets, 0, depth, total, to, P, add)
            columns = min(right * width, N) - left * width
            for i in range(first * ROWS, min(last * ROWS, M)):
                row, at = out[i, left * width :], (i - first * ROWS) * P
                for j in range(columns):
                    row[index(j)] = total[index(at + j)]


@jit
def _pack(b, k0, depth, j0, panels, width, out):
    """out[p, k, j] = b[k0 + k, j0 + p*width + j], 0 past b's last column; p < panels, k < DEPTH."""
    N = b.shape[1]
    for k in range(depth):
        row = b[k0 + k]
        for p in range(panels):
            at, line = j0 + p * width, out[(p * DEPTH + k) * width :]
            here = min(width, N - at)
            for j in range(here):
                line[index(j)] = row[index(at + j)]
            for j in range(here, width):
                line[index(j)] = 0


# Rows by rows ---------------------------------------------------------------------------------------------------


def _rows_by_rows(a, b, out):
    """out (M, N) = a (M, K) @ b (N, K)'"""
    M, K = a.shape
    with threads.lock:
        sums = threads.scratch("sums", (threads.count(M * len(b) * K // 64), ROWS * M), a.dtype)
        _rows(b.reshape(-1), a.reshape(-1), np.arange(M) * K, K, lanes(a.dtype), sums, out)


@parallel_jit
def _rows(b, a, a_offsets, K, lane, sums, out):
    """Each thread takes some tiles of b's rows; the last tile begins early, so that it has all its rows."""
    M, N = out.shape
    T, whole, tiles = len(sums), K // lane * lane, -(-N // ROWS)
    for t in prange(T):
        total = sums[t]
        for tile in range(t * tiles // T, (t + 1) * tiles // T):
            n = min(tile * ROWS, N - ROWS)
            total[:] = 0
            for p in range(0, whole, LENGTH):
                length, at = min(LENGTH, whole - p), n * K + p
                for m in range(0, M - 2, 3):
                    dot3(b, at, K, a, p, a_offsets, m, length, total, m, M)
                if M % 3 == 2:
                    dot2(b, at, K, a, p, a_offsets, M - 2, length, total, M - 2, M)
                elif M % 3 == 1:
                    dot1(b, at, K, a, p, a_offsets, M - 1, length, total, M - 1, M)
            for i in range(ROWS):
                for m in range(M):
                    rest = total[i * M + m]
                    for k in range(whole, K):
                        rest += b[(n + i) * K + k] * a[m * K + k]
                    out[m, n + i] = rest


# Few rows -------------------------------------------------------------------------------------------------------


@parallel_jit
def _few_rows(a, b, shares, out):
    """out = a @ b; each thread takes some columns, so many at a time that their sums stay in the second-level cache."""
    M, K = a.shape
    columns = SUMS // M
    for t in prange(len(shares) - 1):
        for j in range(shares[t], shares[t + 1], columns):
            last = min(j + columns, shares[t + 1])
            out[:, j:last] = 0
            for k in range(0, K - 3, 4):
                for m in range(M):
                    _add_four(
                        a[m, k:], b[k, j:last], b[k + 1, j:last], b[k + 2, j:last], b[k + 3, j:last], out[m, j:last]
                    )
            for k in range(K // 4 * 4, K):
                for m in range(M):
                    _add_one(a[m, k], b[k, j:last], out[m, j:last])


@jit
def _add_four(a, b0, b1, b2, b3, out):
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    for j in range(len(out)):
        i = index(j)
        out[i] += (a0 * b0[i] + a1 * b1[i]) + (a2 * b2[i] + a3 * b3[i])


@jit
def _add_one(a, b, out):
    for j in range(len(out)):
        out[index(j)] += a * b[index(j)]
