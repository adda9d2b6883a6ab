"""The product of a matrix and a table of lines, tile by tile: what every convolution and matrix product comes to."""

import numpy as np

from .jit import jit
from .machine import NARROW, ROWS, VECTOR_BYTES, VECTORS
from .tiles import narrow1, narrow2, narrow3, outer1, outer2, outer3

# So much of k at a time that VECTORS vectors of B for each stay in the first-level cache (48 kB, or 32).
DEPTH = 160


def lanes(dtype):
    """Numbers in a vector."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def round_up(n, multiple):
    """The next multiple of `multiple`."""
    return -(-n // multiple) * multiple


def read_only(a):
    """A contiguous read-only view: inputs have one type for the compiler, and no kernel can write to them."""
    a = np.ascontiguousarray(a).view()
    a.flags.writeable = False
    return a


def tail_rows(M):
    """How many rows the last tile of M rows has, if it is not full."""
    return NARROW if M % ROWS <= NARROW else ROWS


def tails_of(matrices, M, row, offsets, rows=ROWS):
    """The rows past the last full tile of each matrix, as (G, K * rows) filled up with zeros.

    matrices  (G, .) flat; A[i, k] = matrices[g, i*row + offsets[k]], i < M
    """
    rest = np.arange(M // ROWS * ROWS, M)
    tails = np.zeros((len(matrices), offsets.size, rows), matrices.dtype)
    if rest.size:
        tails[:, :, : rest.size] = matrices[:, offsets[:, None] + rest * row]
    return tails.reshape(len(matrices), -1)


@jit
def multiply(
    a, a0, a_row, a_offsets, tail, tail_offsets, first, last, M, b, b0, b_offsets, P, lane,
    c, c0, c_row, d, d0, d_row, add,
):  # fmt: skip
    """C[i, j] (+)= sum over k of A[i, k] * B[k, j], for the tiles of rows first <= i // ROWS < last and j < P.

    a       flat; A[i, k] = a[a0 + i*a_row + a_offsets[k]] for the rows of full tiles
    tail    flat; the rows of the last tile, [k, rows], where M is no multiple of ROWS; tail_offsets[k] = k*rows,
            rows = tail_rows(M)
    b       flat; B[k, j] = b[b0 + b_offsets[k] + j]
    P       a multiple of lane, the numbers in a vector
    c       flat; C[i, j] = c[c0 + i*c_row + j] for the rows of full tiles
    d       flat; the last tile's rows, if it is not full, from d0
    add     whether to add to what is there
    """
    K = a_offsets.size
    for k in range(0, K, DEPTH):
        depth, more = min(DEPTH, K - k), add or k > 0
        for j in range(0, P, VECTORS * lane):
            vectors = min(VECTORS, (P - j) // lane)
            for tile in range(first, last):
                if (tile + 1) * ROWS <= M:
                    left, to = a0 + tile * ROWS * a_row, c0 + tile * ROWS * c_row + j
                    if vectors == 3:
                        outer3(a, left, a_row, a_offsets, b, b0 + j, b_offsets, k, depth, c, to, c_row, more)
                    elif vectors == 2:
                        outer2(a, left, a_row, a_offsets, b, b0 + j, b_offsets, k, depth, c, to, c_row, more)
                    else:
                        outer1(a, left, a_row, a_offsets, b, b0 + j, b_offsets, k, depth, c, to, c_row, more)
                elif M % ROWS > NARROW:
                    if vectors == 3:
                        outer3(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
                    elif vectors == 2:
                        outer2(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
                    else:
                        outer1(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
                elif vectors == 3:
                    narrow3(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
                elif vectors == 2:
                    narrow2(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
                else:
                    narrow1(tail, 0, 1, tail_offsets, b, b0 + j, b_offsets, k, depth, d, d0 + j, d_row, more)
