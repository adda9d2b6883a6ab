"""Arrays as rows of numbers, which may lie apart: the gradients of what was concatenated are read where they are.

Compiled code takes one flat array and the distance from row to row.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .jit import index, jit


def images(x):
    """(flat, distance): x[n] is flat[n*distance :]; a view of x, unless its images have gaps of their own."""
    if not x.flags.c_contiguous and not _only_images_apart(x):
        x = np.ascontiguousarray(x)
    if x.flags.c_contiguous:
        return x.reshape(-1), x.size // max(len(x), 1)
    distance = x.strides[0] // x.itemsize
    return as_strided(x, ((len(x) - 1) * distance + x[0].size,), (x.itemsize,)), distance


def rows(*arrays):
    """(length, flat, distance, flat, distance ...) of arrays of one shape: one long row where nothing lies apart."""
    if all(a.flags.c_contiguous for a in arrays):
        length, found = arrays[0].size, [(a.reshape(-1), 0) for a in arrays]
    else:
        length, found = arrays[0].size // max(len(arrays[0]), 1), map(images, arrays)
    return max(length, 1), *(item for pair in found for item in pair)


def _only_images_apart(x):
    return x.ndim > 1 and x.size > 0 and x[0].flags.c_contiguous and x.strides[0] > 0


@jit
def touched(length, start, end):
    """The rows in which the numbers start to end of all are found."""
    return range(start // length, -(-end // length))


@jit
def part(row, length, start, end):
    """(first, count) of those in one such row."""
    first = max(start - row * length, 0)
    return first, min(length, end - row * length) - first


@jit
def copy(source, out):
    """out begins with source, both one-dimensional; a slice assigned to a slice would compare their lengths first."""
    for i in range(len(source)):
        out[index(i)] = source[index(i)]
