"""Which taps of a convolution's window a pixel of its input meets, and in which cell of its output.

Pixel y meets tap i where y + top - i*DH is a multiple of SH, which depends on (y + top) % SH alone: with a stride the
pixels fall into as many phases, and in each the input's gradient is a correlation of stride 1 with some of the taps
(Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4, on transposed convolutions).
"""

from itertools import product
from math import gcd
from typing import NamedTuple


class Axis(NamedTuple):
    """One phase along one axis.

        pixel first + step*r, r < count, meets for a < taps the tap  tap + every*a  in the cell  cell + r - back*a

    of the output, if there is such a cell.
    """

    first: int
    count: int
    step: int
    tap: int
    taps: int
    every: int
    cell: int
    back: int


def axis(size, kernel, stride, before, dilation):
    """The phases along one axis that have pixels."""
    common, found = gcd(stride, dilation), []
    every, back = stride // common, dilation // common
    for phase in range(stride):
        # The pixels first, first + stride, ... stand at phase + stride*u of the padded image, u from low.
        low = max(-((phase - before) // stride), 0)
        first = phase - before + stride * low
        tap = next((i for i in range(kernel) if i * dilation % stride == phase), kernel)
        taps, cell = -(-(kernel - tap) // every), low - (tap * dilation - phase) // stride
        if first < size:
            found.append(Axis(first, -(-(size - first) // stride), stride, tap, taps, every, cell, back))
    return found


def phases(hw, kernel, stride, pad, dilation):
    """(rows, columns), an Axis each, of every phase that has pixels: together they hold each pixel once."""
    return list(
        product(
            axis(hw[0], kernel[0], stride[0], pad[0], dilation[0]),
            axis(hw[1], kernel[1], stride[1], pad[2], dilation[1]),
        )
    )
