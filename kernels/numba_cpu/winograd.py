"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications, for 3x3 windows of stride 1.

Every 4x4 tile of the output is read off a 6x6 tile of the input; with the matrices below

    out tile = A' [ sum over channels of (G w G') * (B' x B) ] A          * number by number

so that each of the 36 numbers of the transformed tiles is a matrix product of its own: (F, C) times (C, tiles). A
direct convolution multiplies 9 * 16 times for 16 outputs, this one 36 times. The price is accuracy: errors of 1e-5 of
the largest output in float32, against 1e-6.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: F(4x4, 3x3) in section 4.3.
"""

import numpy as np
from numba import prange

from . import threads
from .jit import index, jit, parallel_jit
from .machine import ROWS
from .product import lanes, multiply, read_only, round_up

TILE = 36  # numbers of a transformed tile

# A thread's transformed tiles, in and out, stay in its second-level cache.
TILES_BYTES = 1_300_000
# Past so many channels, in and out together, the threads share the products instead; so much memory at a time.
MANY_CHANNELS = 600
SHARED_BYTES = 32_000_000

_f = np.float32


def convolve(x, w, b, pad, transpose, out):
    """out = b + x correlated with w; with transpose, w's window is turned around and its F and C change places.

    x       (N, C, H, W) float32
    w       (F, C, 3, 3)
    pad     (top, left); may be negative
    out     (N, F, OH, OW)
    """
    x, w = read_only(x), read_only(w)
    (N, C), (_, M, OH, OW) = x.shape[:2], out.shape
    TY, TX, lane, T = -(-OH // 4), -(-OW // 4), lanes(x.dtype), threads.count()
    Fp, Cp = (round_up(n, ROWS) for n in w.shape[:2])
    # A[i, k] of the products is u[f, c], with i = f and k = c or, transposed, i = c and k = f.
    a_row, a_offsets = (1, np.arange(C) * Cp) if transpose else (Cp, np.arange(C))
    bias = np.zeros(M, x.dtype) if b is None else b
    rows, images = _plan(N, C + round_up(M, ROWS), TY, TX, lane, T)
    with threads.lock:
        u = threads.scratch("winograd w", (TILE, Fp * Cp), x.dtype)
        _transform_weights(w, transpose, Cp, threads.scratch("winograd w line", (T, 9 + TILE, Cp), x.dtype), u)
        line = threads.scratch("winograd line", (T, 40, 4 * TX + 2 + lane), x.dtype)
        P = round_up((rows or images * TY) * TX, lane)
        sets = T if rows else 1
        v = threads.scratch("winograd x", (sets, TILE * C * P + lane), x.dtype)
        m = threads.scratch("winograd out", (sets, TILE * round_up(M, ROWS) * P), x.dtype)
        kernel = _by_tiles if rows else _by_products
        kernel(x, u, a_row, a_offsets, read_only(bias), pad, M, TY, TX, lane, rows or images, line, v, m, out)


def _plan(N, channels, TY, TX, lane, T):
    """(rows of tiles that a thread takes through all steps, 0), or (0, images whose products the threads share).

    A thread that works on tiles of its own reads all transformed weights for each block of them: with many channels
    and few tiles that costs more than the products, and the threads do better to share these.
    """
    best, rows = None, 0
    for r in range(1, TY + 1):
        P = round_up(r * TX, lane)
        if TILE * channels * P * 4 > TILES_BYTES:
            break
        slowest = -(-(N * -(-TY // r)) // T) * P
        if best is None or slowest <= best:
            best, rows = slowest, r
    if rows and channels <= MANY_CHANNELS:
        return rows, 0
    of_one = TILE * channels * TY * TX * 4
    return 0, min(N, max(1, SHARED_BYTES // of_one))


@parallel_jit
def _by_tiles(x, u, a_row, a_offsets, bias, pad, M, TY, TX, lane, rows, lines, vs, ms, out):
    """Each thread takes blocks of `rows` rows of tiles through all three steps."""
    N, C = x.shape[:2]
    T, in_image, tiles = len(vs), -(-TY // rows), -(-M // ROWS)
    for t in prange(T):
        line, v, m = lines[t], vs[t], ms[t]
        for item in range(t * N * in_image // T, (t + 1) * N * in_image // T):
            n, first = item // in_image, item % in_image * rows
            last = min(first + rows, TY)
            P = -(-(last - first) * TX // lane) * lane
            for c in range(C):
                for r in range(first, last):
                    _transform(x[n, c], r * 4 - pad[0], pad[1], TX, line, v, c * P + (r - first) * TX, C * P)
            _products(0, TILE, u, a_row, a_offsets, v, m, tiles, P, lane)
            for f in range(M):
                for r in range(first, last):
                    at = f * P + (r - first) * TX
                    _transform_back(m, at, tiles * ROWS * P, r * 4, TX, bias[f], line, out[n, f])


@parallel_jit
def _by_products(x, u, a_row, a_offsets, bias, pad, M, TY, TX, lane, images, lines, vs, ms, out):
    """Some images at a time; the threads share the channels, then the 36 products, then the output channels."""
    N, C = x.shape[:2]
    T, tiles, v, m = len(lines), -(-M // ROWS), vs[0], ms[0]
    for n0 in range(0, N, images):
        here = min(images, N - n0)
        P = -(-here * TY * TX // lane) * lane
        for t in prange(T):
            for c in range(t * C // T, (t + 1) * C // T):
                for r in range(here * TY):
                    n, y = n0 + r // TY, r % TY * 4 - pad[0]
                    _transform(x[n, c], y, pad[1], TX, lines[t], v, c * P + r * TX, C * P)
        for t in prange(T):
            _products(t * TILE // T, (t + 1) * TILE // T, u, a_row, a_offsets, v, m, tiles, P, lane)
        for t in prange(T):
            for f in range(t * M // T, (t + 1) * M // T):
                for r in range(here * TY):
                    n, y = n0 + r // TY, r % TY * 4
                    _transform_back(m, f * P + r * TX, tiles * ROWS * P, y, TX, bias[f], lines[t], out[n, f])


@jit
def _products(first, last, u, a_row, a_offsets, v, m, tiles, P, lane):
    """m[i] = u[i] @ v[i] for the numbers first <= i < last of a tile."""
    C = a_offsets.size
    b_offsets = np.arange(C) * P
    for i in range(first, last):
        multiply(
            u[i], 0, a_row, a_offsets, u[i], a_offsets, 0, tiles, tiles * ROWS,
            v, i * C * P, b_offsets, P, lane, m, i * tiles * ROWS * P, P, m, 0, P, False,
        )  # fmt: skip


@parallel_jit
def _transform_weights(w, turn, Cp, lines, u):
    """u[6i + j] (F, C) = numbers (i, j) of G w G', of w's window turned around if asked.

        G = [[1/4, 0, 0], [-1/6, -1/6, -1/6], [-1/6, 1/6, -1/6], [1/24, 1/12, 1/6], [1/24, -1/12, 1/6], [0, 0, 1]]

    w       (F, C, 3, 3)
    lines   (T, 9 + 36, Cp) scratch
    """
    F, C = w.shape[:2]
    T = len(lines)
    for t in prange(T):
        g, half = lines[t, :9], lines[t, 9:]
        for f in range(t * F // T, (t + 1) * F // T):
            for k in range(9):
                source, line = w[f, :, k // 3, k % 3], g[8 - k if turn else k]
                for c in range(C):
                    line[index(c)] = source[index(c)]
            for j in range(3):
                _weights_to_six(g[j], g[3 + j], g[6 + j], C, half, j, 3)
            for i in range(6):
                _weights_to_six(half[3 * i], half[3 * i + 1], half[3 * i + 2], C, u[:, f * Cp :], 6 * i, 1)


@jit
def _weights_to_six(g0, g1, g2, C, out, first, step):
    """out[first + i*step] = G[i] . (g0, g1, g2), for C numbers side by side."""
    o0, o1, o2 = out[first], out[first + step], out[first + 2 * step]
    o3, o4, o5 = out[first + 3 * step], out[first + 4 * step], out[first + 5 * step]
    for c in range(C):
        a, b, d = g0[index(c)], g1[index(c)], g2[index(c)]
        even, odd = (a + d) * _f(-1 / 6), b * _f(-1 / 6)
        wide, narrow = a * _f(1 / 24) + d * _f(1 / 6), b * _f(1 / 12)
        o0[index(c)] = a * _f(1 / 4)
        o1[index(c)] = even + odd
        o2[index(c)] = even - odd
        o3[index(c)] = wide + narrow
        o4[index(c)] = wide - narrow
        o5[index(c)] = d


@jit
def _transform(x, y0, left, TX, lines, v, at, step):
    """v[at + (6i + j)*step + q] = number (i, j) of B' d B, for the TX tiles d of the image's rows y0 .. y0 + 5.

    B' = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
          [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    """
    H, W = x.shape
    width = 4 * TX + 2
    lo = min(max(left, 0), width)
    hi = max(min(W + left, width), lo)
    for i in range(6):
        line, y = lines[i], y0 + i
        if y < 0 or y >= H:
            line[:width] = 0
            continue
        source = x[y]
        for q in range(lo):
            line[index(q)] = 0
        for q in range(lo, hi):
            line[index(q)] = source[index(q - left)]
        for q in range(hi, width):
            line[index(q)] = 0
    _to_six(
        lines[0],
        lines[1],
        lines[2],
        lines[3],
        lines[4],
        lines[5],
        width,
        lines.reshape(-1),
        6 * lines.shape[1],
        lines.shape[1],
    )
    for i in range(6):
        # Across the row a tile's cells lie side by side: every fourth belongs to the same place in its tile.
        row, d0, d1, d2, d3 = lines[6 + i], lines[12], lines[13], lines[14], lines[15]
        for q in range(TX):
            d0[index(q)] = row[index(4 * q)]
            d1[index(q)] = row[index(4 * q + 1)]
            d2[index(q)] = row[index(4 * q + 2)]
            d3[index(q)] = row[index(4 * q + 3)]
        d0[TX], d1[TX] = row[4 * TX], row[4 * TX + 1]
        _to_six(d0, d1, d2, d3, d0[1:], d1[1:], TX, v, at + 6 * i * step, step)


@jit
def _to_six(d0, d1, d2, d3, d4, d5, count, out, at, step):
    """out[at + i*step + q] = B'[i] . (d0 .. d5)[q]"""
    o0, o1, o2 = out[at:], out[at + step :], out[at + 2 * step :]
    o3, o4, o5 = out[at + 3 * step :], out[at + 4 * step :], out[at + 5 * step :]
    for q in range(count):
        a0, a1, a2, a3, a4, a5 = d0[index(q)], d1[index(q)], d2[index(q)], d3[index(q)], d4[index(q)], d5[index(q)]
        even, odd = a4 - _f(4) * a2, a3 - _f(4) * a1
        far, near = a4 - a2, _f(2) * (a3 - a1)
        o0[index(q)] = _f(4) * a0 - _f(5) * a2 + a4
        o1[index(q)] = even + odd
        o2[index(q)] = even - odd
        o3[index(q)] = far + near
        o4[index(q)] = far - near
        o5[index(q)] = _f(4) * a1 - _f(5) * a3 + a5


@jit
def _transform_back(m, at, step, y0, TX, bias, lines, out):
    """Rows y0 .. y0 + 3 of out = bias + A' M A, for the TX tiles M[i, j] = m[at + (6i + j)*step + q].

    A' = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    """
    OH, OW = out.shape
    for j in range(6):
        m0, m1, m2 = m[at + j * step :], m[at + (6 + j) * step :], m[at + (12 + j) * step :]
        m3, m4, m5 = m[at + (18 + j) * step :], m[at + (24 + j) * step :], m[at + (30 + j) * step :]
        o0, o1, o2, o3 = lines[16 + j], lines[22 + j], lines[28 + j], lines[34 + j]
        for q in range(TX):
            plus, minus = m1[index(q)] + m2[index(q)], m1[index(q)] - m2[index(q)]
            plus2, minus2 = m3[index(q)] + m4[index(q)], m3[index(q)] - m4[index(q)]
            o0[index(q)] = m0[index(q)] + plus + plus2
            o1[index(q)] = minus + _f(2) * minus2
            o2[index(q)] = plus + _f(4) * plus2
            o3[index(q)] = minus + _f(8) * minus2 + m5[index(q)]
    for i in range(min(4, OH - y0)):
        n0, n1, n2 = lines[16 + 6 * i], lines[17 + 6 * i], lines[18 + 6 * i]
        n3, n4, n5, row = lines[19 + 6 * i], lines[20 + 6 * i], lines[21 + 6 * i], lines[0]
        for q in range(TX):
            plus, minus = n1[index(q)] + n2[index(q)], n1[index(q)] - n2[index(q)]
            plus2, minus2 = n3[index(q)] + n4[index(q)], n3[index(q)] - n4[index(q)]
            row[index(4 * q)] = n0[index(q)] + plus + plus2 + bias
            row[index(4 * q + 1)] = minus + _f(2) * minus2 + bias
            row[index(4 * q + 2)] = plus + _f(4) * plus2 + bias
            row[index(4 * q + 3)] = minus + _f(8) * minus2 + n5[index(q)] + bias
        line = out[y0 + i]
        for q in range(OW):
            line[index(q)] = row[index(q)]
