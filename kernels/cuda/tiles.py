"""Products of matrices by tiles: what the matrix product and the convolutions have in common.

A block of threads computes a tile of the product. It brings a few numbers of the sum at a time, of all the tile's rows
and columns, to shared memory; there each thread reads some rows and some columns and multiplies all with all. A number
that was read once from memory is thereby used as often as the tile is wide, one from shared memory as often as a
thread's share is wide: arithmetic has to wait for neither.

In CUDA C the tiles stand in source/tiles.cuh; here stand those of Numba's kernels, and how large tiles a product in
CUDA C is cut into.
"""

from typing import NamedTuple

from numba import cuda

from .device import empty
from .launch import covering
from .raw import Source

# Numba's tiles: TILE x TILE numbers by SPAN x SPAN threads, each of which has SHARE x SHARE of them, SPAN apart, so
# that neighbouring threads read neighbours.
TILE, DEPTH, SPAN, SHARE = 64, 8, 8, 8
THREADS = SPAN * SPAN
# A line of shared memory is longer than the tile: 4 threads that store a row's numbers then meet different banks.
WIDTH = TILE + 4

# The tiles of the rungs before: a number a thread. Their lines are longer than need be for the same reason.
SQUARE, LINE = 8, 9

SOURCE = Source("matmul")

# So many blocks of large tiles are enough for a large card, two for each multiprocessor, and twice as many of small
# ones; with fewer, sums are cut into parts, which are added in order. A part is at least so long that it costs more
# than it adds.
BLOCKS, SHORTEST_PART = 264, 128
# Large tiles may cover so many times the area that small ones cover.
WASTE = 1.25


class Cut(NamedTuple):
    """How a product in CUDA C is cut: `size` names its kernels, `parts` is how many partial products there are."""

    size: str
    grid: tuple
    block: tuple
    parts: int
    length: int


def cut(rows, columns, depth, batch, itemsize, packed=True):
    """The Cut of `batch` products (rows, depth) x (depth, columns).

    Large tiles read less, small ones leave less of the card idle and of themselves empty.

    packed  whether all lines in memory begin at multiples of 16 bytes: large tiles load nothing else, for which a
            thread's registers would not do
    """
    small = 256 // itemsize
    large = 2 * small
    tiles = {side: -(-rows // side) * -(-columns // side) for side in (small, large)}
    if packed and tiles[large] * batch >= BLOCKS and tiles[large] * large**2 <= WASTE * tiles[small] * small**2:
        return Cut("large", (tiles[large], batch, 1), (256,), 1, round_up(depth, DEPTH))
    blocks = tiles[small]
    length = round_up(-(-depth // parts(blocks * batch, depth)), DEPTH)
    count = max(-(-depth // max(length, 1)), 1)
    return Cut("small", (blocks, batch, count), (64,), count, length)


def parts(blocks, depth, shortest=None):
    """In how many parts to compute sums of so many numbers, where whole ones are the work of so many small blocks.

    shortest    numbers of a part, SHORTEST_PART unless given
    """
    return max(min(2 * BLOCKS // max(blocks, 1), depth // (shortest or SHORTEST_PART)), 1)


def round_up(count, multiple):
    return -(-count // multiple) * multiple


def in_parts(cut, run, b, out):
    """run(b, out) of a product that is cut; or its partial products, and then their sum in order.

    b, out  (F,) or None, which is added, and (N, F, ...); or None and any shape
    """
    if cut.parts == 1:
        run(b, out)
        return
    partial = empty((cut.parts, *out.shape), out.dtype)
    run(None, partial)
    F = 1 if b is None else b.size
    line = 1 if b is None else out[0, 0].size
    SOURCE(out.dtype).add_parts[covering(out.size)](partial, b, out, cut.parts, out.size, F, line)


# Numba -----------------------------------------------------------------------------------------------------------


@cuda.jit(device=True, inline="always")
def bring(tile, source, start, steps, line0, lines, k0, depth, t):
    """tile[k, line] = source[start + (line0 + line) * steps[0] + (k0 + k) * steps[1]], 0 past `lines` and `depth`.

    Thread t of THREADS brings its share: neighbours in memory where one of the steps is 1.
    """
    zero = source.dtype.type(0)
    for e in range(DEPTH):
        if steps[1] == 1:
            k, line = t % DEPTH, t // DEPTH + e * SPAN
        else:
            k, line = e, t
        if line0 + line < lines and k0 + k < depth:
            tile[k, line] = source[start + (line0 + line) * steps[0] + (k0 + k) * steps[1]]
        else:
            tile[k, line] = zero


@cuda.jit(device=True, inline="always")
def clear(sums):
    """sums = 0"""
    for i in range(SHARE):
        for j in range(SHARE):
            sums[i, j] = 0


@cuda.jit(device=True, inline="always")
def add_products(left, right, y, x, sums, row, column):
    """sums[i, j] += sum over k of left[k, y + i*SPAN] * right[k, x + j*SPAN]; row and column are room for SHARE."""
    for k in range(DEPTH):
        for i in range(SHARE):
            row[i] = left[k, y + i * SPAN]
            column[i] = right[k, x + i * SPAN]
        for i in range(SHARE):
            for j in range(SHARE):
                sums[i, j] += row[i] * column[j]
