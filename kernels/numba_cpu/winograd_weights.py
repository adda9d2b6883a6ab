"""The gradient of a 3x3 convolution's weights by Winograd's transforms: a quarter of the multiplications here, too.

With the matrices of `winograd_tiles.py` a tile of the output is A' [(G w G') * (B' x B)] A, number by number; so

    dw = G' [ sum over tiles of (A dout A') * (B' x B) ] G

and each of the 36 numbers is a matrix product over the tiles: (F, tiles) times (tiles, C).
"""

import numpy as np
from numba import prange

from . import threads
from .jit import jit, parallel_jit
from .machine import ROWS
from .product import read_only, round_up
from .tiles import dot1, dot2, dot3
from .winograd import LANES, STRIP, TILE, copy_numbers, sort_cells, transform
from .winograd_tiles import transform_gradients, transform_sums

# Tiles at a time: of both factors, ROWS lines stay in the first-level cache.
TILES = 768


def weight_gradient(dout, x, pad, dw):
    """dw (F, C, 3, 3) from dout (N, F, OH, OW) and x (N, C, H, W), float32; pad (top, left)."""
    x, dout = read_only(x), read_only(dout)
    (N, C), (_, F, OH, OW) = x.shape[:2], dout.shape
    TY, TX = -(-OH // 4), -(-OW // 4)
    T = threads.count(TILE * F * C * N * TY * TX // 64)
    rows = min(max(TILES // TX, 1), N * TY)
    rows = -(-N * TY // -(-N * TY // rows))  # portions of equal size
    P = (-(-rows * TX // LANES) | 1) * LANES  # an odd number of vectors: lines share no place in the cache
    across, high = TX + 1, max(STRIP // (TX + 1), 1)
    Fp = round_up(F, ROWS)
    with threads.lock:
        lines = threads.scratch("winograd lines", (T, TILE, (high + 4) * across + 2 * LANES), x.dtype)
        v = threads.scratch("winograd x", (TILE, C * P + LANES), x.dtype)
        z = threads.scratch("winograd out", (TILE, Fp * P + LANES), x.dtype)
        u = threads.scratch("winograd w", (TILE, Fp * C + LANES), x.dtype)
        u[:] = 0
        _weight_gradient(dout, x, pad, TX, rows, P, high, lines, z, v, u, dw.reshape(F, -1))


@parallel_jit
def _weight_gradient(dout, x, pad, TX, rows, P, high, lines, z, v, u, dw):
    """So many rows of tiles at a time, of all images: the threads share the channels, then the 36 products."""
    (N, F, OH, _), C, T = dout.shape, x.shape[1], len(lines)
    TY, offsets = -(-OH // 4), np.arange(C) * P
    for low in range(0, N * TY, rows):
        end = min(low + rows, N * TY)
        used = -(-(end - low) * TX // LANES) * LANES
        for t in prange(T):
            for plane in range(t * (C + F) // T, (t + 1) * (C + F) // T):
                row = low
                while row < end:
                    n, r = row // TY, row % TY
                    here, at = min(high, TY - r, end - row), (row - low) * TX
                    if plane < C:
                        to = plane * P + at
                        transform(
                            x[n, plane],
                            r * 4 - pad[0],
                            pad[1],
                            here,
                            TX,
                            lines[t],
                            v.reshape(-1),
                            to,
                            v.shape[1],
                            P - at,
                        )
                    else:
                        f = plane - C
                        to = f * P + at
                        _transform_gradient(
                            dout[n, f], r * 4, here, TX, lines[t], z.reshape(-1), to, z.shape[1], P - at
                        )
                    row += here
                if plane < C:
                    _end_in_zeros(v, plane * P + (end - low) * TX, plane * P + used)
                else:
                    _end_in_zeros(z, (plane - C) * P + (end - low) * TX, (plane - C) * P + used)
        for t in prange(T):
            for i in range(t * TILE // T, (t + 1) * TILE // T):
                for f in range(0, F, ROWS):
                    for c in range(0, C - 2, 3):
                        dot3(z[i], f * P, P, v[i], 0, offsets, c, used, u[i], f * C + c, C)
                    if C % 3 == 2:
                        dot2(z[i], f * P, P, v[i], 0, offsets, C - 2, used, u[i], f * C + C - 2, C)
                    elif C % 3 == 1:
                        dot1(z[i], f * P, P, v[i], 0, offsets, C - 1, used, u[i], f * C + C - 1, C)
    for t in prange(T):
        taps = lines[t].reshape(-1)
        for f in range(t * F // T, (t + 1) * F // T):
            for c in range(0, C, LANES):
                transform_sums(u.reshape(-1), f * C + c, u.shape[1], taps)
                for q in range(min(LANES, C - c)):
                    for k in range(9):
                        dw[f, (c + q) * 9 + k] = taps[k * LANES + q]


@jit
def _transform_gradient(dout, y0, rows, TX, lines, z, at, step, room):
    """z[at + i*step + t] = number i of tile t = row*TX + column of dout, from its row y0; t < room."""
    size, flat = lines.shape[1], lines.reshape(-1)
    sort_cells(dout, y0, 0, 4 * rows, TX, lines)
    for t in range(0, rows * TX, LANES):
        if t + LANES <= room:
            transform_gradients(flat, size, t, z, at + t, step)
        else:
            transform_gradients(flat, size, t, flat, 17 * size, LANES)
            copy_numbers(flat, 17 * size, rows * TX - t, z, at + t, step)


@jit
def _end_in_zeros(numbers, first, last):
    """What the last vectors have past the tiles, and the products would add."""
    for i in range(TILE):
        for p in range(first, last):
            numbers[i, p] = 0
