"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications, for 3x3 windows of stride 1.

Every 4x4 tile of the output is read off a 6x6 tile of the input; with the matrices below

    out tile = A' [ sum over channels of (G w G') * (B' x B) ] A          * number by number

so that each of the 36 numbers of the transformed tiles is a matrix product of its own: (F, C) times (C, tiles). A
direct convolution multiplies 9 * 16 times for 16 outputs, this one 36 times. The price is accuracy: errors of 1e-5 of
the largest output in float32, against 1e-6.

The filters are transformed where they are used, a few output channels at a time, and never lie in memory all together:
for a batch of one deep image, writing and reading four times the weights took longer than everything else.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: F(4x4, 3x3) in section 4.3.
"""

import numpy as np
from numba import prange

from . import threads
from .jit import index, jit, parallel_jit
from .machine import ROWS, VECTOR_BYTES, VECTORS
from .product import multiply, read_only, round_up
from .rows import copy
from .winograd_tiles import transform_filters, transform_input, transform_products, transform_turned_filters

TILE = 36  # numbers of a transformed tile

# Transformed input tiles of so many rows of tiles at a time, which all threads read from the shared cache; but not
# fewer tiles than LEAST, because the weights are transformed anew for each of these portions.
PORTION_BYTES, LEAST = 8_000_000, 192
# So many bytes of transformed weights, and of products, a thread keeps in its second-level cache.
WEIGHT_BYTES, PRODUCT_BYTES = 100_000, 400_000
# So many tiles at a time are read from the image: what is between the steps stays in the first-level cache.
STRIP = 512

LANES = VECTOR_BYTES // 4


def convolve(x, w, b, pad, transpose, out):
    """out = b + x correlated with w; with transpose, w's window is turned around and its F and C change places.

    x       (N, C, H, W) float32
    w       (F, C, 3, 3)
    pad     (top, left); may be negative
    out     (N, F, OH, OW)
    """
    x, w = read_only(x), read_only(w)
    (N, C), (_, M, OH, OW) = x.shape[:2], out.shape
    TY, TX = -(-OH // 4), -(-OW // 4)
    T = threads.count(TILE * M * C * N * TY * TX // 64)
    rows = min(max(max(PORTION_BYTES // (TILE * C * x.itemsize), LEAST) // TX, 1), N * TY)
    rows = -(-N * TY // -(-N * TY // rows))  # portions of equal size
    P = round_up(rows * TX, LANES)
    P += LANES * (P % (16 * LANES) == 0)  # lines that far apart would share few places in the cache
    block = max(WEIGHT_BYTES // (TILE * C * x.itemsize) // ROWS, 1) * ROWS
    block = round_up(-(-M // round_up(-(-M // block), T)), ROWS)
    width = VECTORS * LANES
    strip = min(max(PRODUCT_BYTES // (TILE * block * x.itemsize) // width, 1) * width, P)
    # A[i, k] of the products is u[i, k] or, transposed, u[k, i].
    a_row, a_column = (1, block) if transpose else (C, 1)
    bias = np.zeros(M, x.dtype) if b is None else b
    high, across = max(STRIP // (TX + 1), 1), TX + 1
    size = max((high + 1) * across, 4 * across, strip) + 2 * LANES
    with threads.lock:
        lines = threads.scratch("winograd lines", (T, TILE, size), x.dtype)
        # A vector more a line: lines of a power of two would share few places in the cache.
        u = threads.scratch("winograd w", (T, TILE, round_up(block * C, LANES) + LANES), x.dtype)
        v = threads.scratch("winograd x", (TILE * (C * P + LANES) + width,), x.dtype)
        m = threads.scratch("winograd out", (T, TILE * block * strip + LANES), x.dtype)
        _convolve(
            x, w.reshape(len(w), -1), transpose, a_row, np.arange(C) * a_column, read_only(bias), pad, TX, rows, P,
            high, block, strip, lines, u, v, m, out,
        )  # fmt: skip


@parallel_jit
def _convolve(
    x, w, transpose, a_row, a_offsets, bias, pad, TX, rows, P, high, block, strip, lines, us, v, ms, out
):  # fmt: skip
    """So many rows of tiles at a time, of all images: the threads share first the input's channels, then the output's.

    v is read by all of them; a block of output channels is one thread's from its weights to its pixels.
    """
    N, C = x.shape[:2]
    M, OH = out.shape[1:3]
    T, TY, blocks = len(lines), -(-OH // 4), -(-M // block)
    for low in range(0, N * TY, rows):
        end = min(low + rows, N * TY)
        tiles = (end - low) * TX
        for t in prange(T):
            for c in range(t * C // T, (t + 1) * C // T):
                row = low
                while row < end:
                    n, r = row // TY, row % TY
                    here, at = min(high, TY - r, end - row), (row - low) * TX
                    transform(x[n, c], r * 4 - pad[0], pad[1], here, TX, lines[t], v, c * P + at, C * P + LANES, P - at)
                    row += here
        for t in prange(T):
            u, m, line = us[t], ms[t], lines[t]
            for part in range(t * blocks // T, (t + 1) * blocks // T):
                first, last = part * block, min((part + 1) * block, M)
                _transform_weights(w, first, last, block, transpose, line.reshape(-1), u)
                for tile in range(0, tiles, strip):
                    count = min(strip, tiles - tile)
                    _products(u, a_row, a_offsets, v, tile, P, -(-count // LANES) * LANES, block, strip, m)
                    for f in range(first, last):
                        _transform_back(
                            m, (f - first) * strip, block * strip, low * TX + tile, count, TX, TY, bias[f], line,
                            out[:, f],
                        )  # fmt: skip


@jit
def _products(u, a_row, a_offsets, v, first, P, count, rows, strip, m):
    """m[i] = u[i] @ v[i][:, first : first + count] for each number i of a tile; rows is a multiple of ROWS."""
    C = a_offsets.size
    b_offsets = np.arange(C) * P
    for i in range(TILE):
        multiply(
            u[i], 0, a_row, a_offsets, u[i], a_offsets, 0, rows // ROWS, rows,
            v, i * (C * P + LANES) + first, b_offsets, count, LANES, m, i * rows * strip, strip, m, 0, strip, False,
        )  # fmt: skip


@jit
def _transform_weights(w, first, last, block, transpose, taps, u):
    """u[i] as the left side of the products i: of the filters first <= f < last or, transposed, of these channels.

        u[i, (f - first)*C + c] = number i of w[f, c]               transposed: u[i, f*block + c - first]

    w       (F, C * 9)
    taps    scratch: the filters of a vector
    """
    F, C = w.shape[0], w.shape[1] // 9
    flat, step = u.reshape(-1), u.shape[1]
    if transpose:
        # Lines of `block` filters follow each other in u: where they are shorter than a vector, several make one.
        for f in range(0, F, max(LANES // block, 1)):
            lines = min(max(LANES // block, 1), F - f)
            for c in range(0, block, LANES):
                count = min(LANES, last - first - c)
                for k in range(lines):
                    copy(w[f + k, (first + c) * 9 : (first + c + count) * 9], taps[k * block * 9 :])
                transform_turned_filters(taps, flat, f * block + c, step)
    else:
        for f in range(first, last):
            for c in range(0, C, LANES):
                copy(w[f, c * 9 : min(c + LANES, C) * 9], taps)
                transform_filters(taps, flat, (f - first) * C + c, step)


@jit
def transform(x, y0, left, rows, TX, lines, v, at, step, room):
    """v[at + i*step + t] = number i of tile t = row*TX + column, rows of tiles from image row y0 on; t < room."""
    across, size, flat = TX + 1, lines.shape[1], lines.reshape(-1)
    sort_cells(x, y0, left, 4 * rows + 2, across, lines)
    for r in range(rows):
        for q in range(0, TX, LANES):
            t = r * TX + q
            if t + LANES <= room:  # a row's last vector may reach into the next row, which comes later
                transform_input(flat, size, across, r * across + q, v, at + t, step)
            else:
                transform_input(flat, size, across, r * across + q, flat, 17 * size, LANES)
                copy_numbers(flat, 17 * size, TX - q, v, at + t, step)


@jit
def sort_cells(x, y0, left, rows, across, lines):
    """lines[r % 4 * 4 + c % 4, r//4*across + c//4] = x[y0 + r, c - left], 0 outside x; r < rows, c < 4*across.

    What all tiles have at their place (i, j) then lies side by side. Line 16 is scratch.
    """
    H, W = x.shape
    padded = lines[16]
    lo = min(max(left, 0), 4 * across)
    hi = max(min(W + left, 4 * across), lo)
    padded[: 4 * across] = 0
    for r in range(rows):
        y, first = y0 + r, r // 4 * across
        p0, p1 = lines[r % 4 * 4][first:], lines[r % 4 * 4 + 1][first:]
        p2, p3 = lines[r % 4 * 4 + 2][first:], lines[r % 4 * 4 + 3][first:]
        if 0 <= y < H:
            source = x[y]
            for q in range(lo, hi):
                padded[index(q)] = source[index(q - left)]
            for q in range(across):
                p0[index(q)] = padded[index(4 * q)]
                p1[index(q)] = padded[index(4 * q + 1)]
                p2[index(q)] = padded[index(4 * q + 2)]
                p3[index(q)] = padded[index(4 * q + 3)]
        else:
            p0[:across] = 0
            p1[:across] = 0
            p2[:across] = 0
            p3[:across] = 0


@jit
def copy_numbers(source, s0, count, out, at, step):
    """out[at + i*step + k] = source[s0 + i*LANES + k] for each number i of a tile, k < count."""
    for i in range(TILE):
        for k in range(count):
            out[index(at + i * step + k)] = source[index(s0 + i * LANES + k)]


@jit
def _transform_back(m, at, step, first, count, TX, TY, bias, lines, out):
    """The pixels of the tiles first .. first + count, counted over all images (N, OH, OW).

    Number i of tile first + t is m[at + i*step + t].
    """
    (_, OH, OW), size, flat = out.shape, lines.shape[1], lines.reshape(-1)
    for t in range(0, count, LANES):
        transform_products(m, at + t, step, bias, flat, size, t)
    t = 0
    while t < count:  # a row of tiles, or what of it is here
        row, q0 = (first + t) // TX, (first + t) % TX
        q1, y = min(TX, q0 + count - t), row % TY * 4
        for i in range(min(4, OH - y)):
            _write_row(lines[4 * i : 4 * i + 4, t:], q0, q1, OW, out[row // TY, y + i])
        t += q1 - q0


@jit
def _write_row(lines, q0, q1, OW, row):
    """row[4q + j] = lines[j, q - q0] for q0 <= q < q1, as far as there are pixels."""
    n0, n1, n2, n3, line = lines[0], lines[1], lines[2], lines[3], row[4 * q0 :]
    whole = min(q1, OW // 4) - q0
    for q in range(whole):
        line[index(4 * q)] = n0[index(q)]
        line[index(4 * q + 1)] = n1[index(q)]
        line[index(4 * q + 2)] = n2[index(q)]
        line[index(4 * q + 3)] = n3[index(q)]
    for q in range(4 * whole, min(4 * (q1 - q0), OW - 4 * q0)):
        line[index(q)] = lines[q % 4, q // 4]
