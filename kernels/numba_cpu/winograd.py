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

# Transformed tiles, in and out, of so many rows of tiles at a time; but never less than the transformed weights, which
# are read once for each of these portions.
PORTION_BYTES = 8_000_000
# So many tiles at a time are transformed: what is between the steps stays in the cache.
STRIP = 512

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
    across, tiles = TX + 1, round_up(M, ROWS)
    of_row = TILE * (C + tiles) * across * x.itemsize
    rows = min(max(max(PORTION_BYTES, TILE * Fp * Cp * x.itemsize) // of_row, 1), N * TY)
    rows = -(-N * TY // -(-N * TY // rows))  # portions of equal size
    strip, P = max(STRIP // across, 1), round_up(rows * across, lane)
    with threads.lock:
        u = threads.scratch("winograd w", (TILE, Fp * Cp), x.dtype)
        _transform_weights(w, transpose, Cp, threads.scratch("winograd w line", (T, 9 + TILE, Cp), x.dtype), u)
        lines = threads.scratch("winograd lines", (T, 41, max(strip + 1, 4) * across + lane), x.dtype)
        v = threads.scratch("winograd x", (TILE * C * P + lane,), x.dtype)
        m = threads.scratch("winograd out", (TILE * tiles * P,), x.dtype)
        _convolve(x, u, a_row, a_offsets, read_only(bias), pad, TX, lane, rows, strip, lines, v, m, out)


@parallel_jit
def _convolve(x, u, a_row, a_offsets, bias, pad, TX, lane, rows, strip, lines, v, m, out):
    """So many rows of tiles at a time, of all images: the threads share the channels, the 36 products, the outputs."""
    N, C = x.shape[:2]
    M, OH = out.shape[1:3]
    T, tiles, TY, across = len(lines), -(-M // ROWS), -(-OH // 4), TX + 1
    for low in range(0, N * TY, rows):
        high = min(low + rows, N * TY)
        P = -(-(high - low) * across // lane) * lane
        for t in prange(T):
            for c in range(t * C // T, (t + 1) * C // T):
                row = low
                while row < high:
                    n, r = row // TY, row % TY
                    here = min(strip, TY - r, high - row)
                    at = c * P + (row - low) * across
                    _transform(x[n, c], r * 4 - pad[0], pad[1], here, TX, lines[t], v, at, C * P)
                    row += here
        for t in prange(T):
            _products(t * TILE // T, (t + 1) * TILE // T, u, a_row, a_offsets, v, m, tiles, P, lane)
        for t in prange(T):
            for f in range(t * M // T, (t + 1) * M // T):
                row = low
                while row < high:
                    n, r = row // TY, row % TY
                    here = min(strip, TY - r, high - row)
                    at = f * P + (row - low) * across
                    _transform_back(m, at, tiles * ROWS * P, r * 4, here, TX, bias[f], lines[t], out[n, f])
                    row += here


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
def _transform(x, y0, left, rows, TX, lines, v, at, step):
    """v[at + (6i + j)*step + t] = number (i, j) of B' d B, for the tiles d of so many rows of tiles from image row y0.

        B' = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
              [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]

    Tile t = row*(TX + 1) + column; the last of each row is nobody's. With the image's cells sorted by their remainders
    modulo 4, what all tiles have at their place (i, j) lies side by side, and both products are long plain loops.
    """
    H, W = x.shape
    across, count = TX + 1, rows * (TX + 1)
    padded = lines[40]
    lo = min(max(left, 0), 4 * across)
    hi = max(min(W + left, 4 * across), lo)
    for r in range(4 * rows + 2):
        y, first = y0 + r, r // 4 * across
        p0, p1 = lines[r % 4 * 4][first:], lines[r % 4 * 4 + 1][first:]
        p2, p3 = lines[r % 4 * 4 + 2][first:], lines[r % 4 * 4 + 3][first:]
        padded[: 4 * across] = 0
        if 0 <= y < H:
            source = x[y]
            for q in range(lo, hi):
                padded[index(q)] = source[index(q - left)]
        for q in range(across):
            p0[index(q)] = padded[index(4 * q)]
            p1[index(q)] = padded[index(4 * q + 1)]
            p2[index(q)] = padded[index(4 * q + 2)]
            p3[index(q)] = padded[index(4 * q + 3)]
    size, flat = lines.shape[1], lines.reshape(-1)
    for c in range(4):
        # Down the columns; one tile more, which the last tile's neighbour to the right is.
        d0, d1, d2, d3 = lines[c], lines[4 + c], lines[8 + c], lines[12 + c]
        more = min(count + 1, size - across)
        _to_six(d0, d1, d2, d3, d0[across:], d1[across:], more, flat, (16 + c) * size, 4 * size)
    for i in range(6):
        d0, d1, d2, d3 = lines[16 + 4 * i], lines[17 + 4 * i], lines[18 + 4 * i], lines[19 + 4 * i]
        _to_six(d0, d1, d2, d3, d0[1:], d1[1:], count, v, at + 6 * i * step, step)


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
def _transform_back(m, at, step, y0, rows, TX, bias, lines, out):
    """So many rows of tiles of out, from its row y0, = bias + A' M A for the tiles M[i, j] = m[at + (6i + j)*step + t].

    A' = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    """
    (OH, OW), across = out.shape, TX + 1
    count, size, flat, whole = rows * across, lines.shape[1], lines.reshape(-1), OW // 4
    for j in range(6):
        m0, m1, m2 = m[at + j * step :], m[at + (6 + j) * step :], m[at + (12 + j) * step :]
        m3, m4, m5 = m[at + (18 + j) * step :], m[at + (24 + j) * step :], m[at + (30 + j) * step :]
        _to_four(m0, m1, m2, m3, m4, m5, _f(0), count, flat, j * size, 6 * size)
    for i in range(4):
        k = 6 * i
        _to_four(
            lines[k], lines[k + 1], lines[k + 2], lines[k + 3], lines[k + 4], lines[k + 5], bias, count,
            flat, 24 * size, size,
        )  # fmt: skip
        for r in range(rows):
            y, first = y0 + 4 * r + i, r * across
            if y >= OH:
                continue
            row, n0, n1, n2, n3 = out[y], lines[24][first:], lines[25][first:], lines[26][first:], lines[27][first:]
            for q in range(whole):
                row[index(4 * q)] = n0[index(q)]
                row[index(4 * q + 1)] = n1[index(q)]
                row[index(4 * q + 2)] = n2[index(q)]
                row[index(4 * q + 3)] = n3[index(q)]
            for q in range(4 * whole, OW):
                row[q] = lines[24 + q % 4, first + whole]


@jit
def _to_four(m0, m1, m2, m3, m4, m5, bias, count, out, at, step):
    """out[at + i*step + q] = bias + A'[i] . (m0 .. m5)[q]"""
    o0, o1, o2, o3 = out[at:], out[at + step :], out[at + 2 * step :], out[at + 3 * step :]
    for q in range(count):
        a1, a2, a3, a4 = m1[index(q)], m2[index(q)], m3[index(q)], m4[index(q)]
        plus, minus, plus2, minus2 = a1 + a2, a1 - a2, a3 + a4, a3 - a4
        o0[index(q)] = m0[index(q)] + plus + plus2 + bias
        o1[index(q)] = minus + _f(2) * minus2 + bias
        o2[index(q)] = plus + _f(4) * plus2 + bias
        o3[index(q)] = minus + _f(8) * minus2 + m5[index(q)] + bias
