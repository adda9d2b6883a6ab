"""What the operations on windows share: where windows and images overlap, and how their threads are laid out."""

from math import gcd

import numba
from numba import cuda

from .launch import covering
from .reduce import WARP

PAIR = numba.types.UniTuple(numba.int64, 2)
FOUR = numba.types.UniTuple(numba.int64, 4)
# As many blocks as keep a large card busy: beyond them a thread takes the same place of several images.
BLOCKS = 4096


def by_image(count, images, threads=256):
    """(grid, block): in x a thread for each of an image's `count` places, in y as many images as run side by side."""
    (across,), block = covering(count, threads)
    return (across, min(images, max(BLOCKS // max(across, 1), 1))), block


def large(kernel, out):
    """Whether a window of out (N, C, OH, OW) has enough cells for a warp, whose threads C's int counts in an image."""
    return kernel[0] * kernel[1] >= WARP and WARP * out.size // max(len(out), 1) < 2**31


def halves(x, kernel, stride, pad, out):
    """Whether windows are 2x2 cells side by side, none across x's edge, and rows of x allow 16 bytes at once."""
    plain = (kernel, stride, pad) == ((2, 2), (2, 2), (0, 0, 0, 0))
    return plain and x.shape[3] * x.itemsize % 16 == 0 and 2 * out.shape[2] <= x.shape[2]


def within_int(*arrays):
    """Whether C's int counts the numbers of an image, of every array (N, ...)."""
    return all(a.size // max(len(a), 1) < 2**31 for a in arrays)


def channels_within_int(*arrays):
    """Whether C's int counts a channel's numbers in all of a batch, with room to step past them, of every array."""
    return all(a.size // max(a.shape[1], 1) < 2**30 for a in arrays)


def jumps(stride, dilation):
    """((a, b), (c, d)): from one window that reads a pixel to the next one, the cell moves on by a or b (down, across)
    and the window back by c or d."""
    common = [gcd(s, d) for s, d in zip(stride, dilation)]
    return tuple(s // g for s, g in zip(stride, common)), tuple(d // g for d, g in zip(dilation, common))


def numbers(x_shape, kernel, stride, pad, dilation, out_hw):
    """N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW: what the kernels in CUDA C are given of their windows."""
    return (*x_shape, *kernel, *stride, *dilation, pad[0], pad[2], *out_hw)


@cuda.jit(device=True, inline="always")
def inside(start, step, size, count):
    """The range [first, last) of the cells i in [0, count) for which start + i*step is in [0, size)."""
    first = min(max(-(start // step), 0), count)
    last = min(max(-((start - size) // step), first), count)
    return first, last


@cuda.jit(device=True, inline="always")
def first_reader(place, kernel, stride, dilation, jump):
    """(i, o): the first cell and its window that read a number `place` cells from the padding's edge.

    The others are the cells i + jump and so on, each of a window `back` before the last (`jumps`). i is `kernel` where
    there are none.
    """
    first = kernel
    for i in range(min(kernel, jump)):
        if (place - i * dilation) % stride == 0:
            first = i
            break
    return first, (place - first * dilation) // stride
