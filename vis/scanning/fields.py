"""Which part of the image a unit can read, found on the graph alone: nothing of the net is run.

Walked backward from the unit, node by node, with the rows and the columns that are read of every channel kept apart:

    a window       output i reads the cells   i*stride - before + k*dilation,   k = 0 .. K-1, that exist
    a transposed   output o reads the cells i with   o = i*stride - before + k*dilation
    a Linear       reads everything
    any other      is tried on numbers: what its own backward sends something to was read

What lies in a padding is no cell: it is left out at every node. Groups, and channels side by side in a Concat, are kept
apart, so that a channel of an inception module has the field of its own branch. Where branches with windows of
different shapes meet, the field is all rows of any with all columns of any. Only what is connected counts, not by which
weight: zeros are connections too.
"""

from fractions import Fraction
from math import ceil
from typing import NamedTuple

import numpy as np

from ...layers import ConvTranspose2d
from ...summary import summarise
from ..units import find_unit
from .layer_reads import WINDOWS, below, projected, union


class Box(NamedTuple):
    """A part of the image: rows top to bottom - 1, columns left to right - 1; may lie past the border."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self):
        return self.bottom - self.top

    @property
    def width(self):
        return self.right - self.left


class Reach(NamedTuple):
    """What a node's windows come to in pixels, each (vertical, horizontal).

    size    of the field away from the border, the largest over the paths that lead to the node
    stride  how far the fields of two neighbours lie apart; a Fraction, below 1 after a transposed convolution
    """

    size: tuple
    stride: tuple


def field(net, unit, shape):
    """The rows (H,) and the columns (W,) of the image that a unit reads, bool.

    unit   what `find_unit` takes; a channel without a position stands for all its positions
    shape  (C, H, W) of the image, any that the net takes
    Raises what `find_unit` and `Unit.seed` raise, ShapeError for an image that the net does not take.
    """
    unit = find_unit(net, unit)
    part = net.upto(unit.layer)
    shapes = shapes_of(part, shape)
    wanted = unit.seed(np.zeros(shapes[unit.layer], bool))
    if unit.channel is not None and unit.position is None:
        wanted[0, unit.channel] = True
    read = {net.input: projected(np.zeros(shapes[net.input], bool)), unit.layer: projected(wanted)}
    for node in reversed(part.nodes):
        inputs = below(node.layer, read[node.name], [shapes[name] for name in node.inputs], shapes[node.name])
        for name, new in zip(node.inputs, inputs):
            read[name] = union(read[name], new) if name in read else new
    rows, columns = read[net.input]
    return rows.any(axis=0), columns.any(axis=0)


def box(net, unit, shape):
    """The smallest Box around the field of a unit, on an image of that shape; arguments as those of `field`."""
    rows, columns = field(net, unit, shape)
    (top, bottom), (left, right) = hull(rows), hull(columns)
    return Box(top, left, bottom, right)


def hull(cells):
    """(first, last + 1) of the cells that are true; (0, 0) where none is."""
    found = np.flatnonzero(cells)
    return (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0)


def reach(net, layer):
    """The Reach of a node, by the formula, through windows and whatever passes positions on.

        stride_out = stride_in * stride,   size_out = size_in + (K - 1) * dilation * stride_in

    A transposed convolution divides the stride and reads ceil(((K-1)*dilation + 1) / stride) cells. What reads a whole
    map (a Linear, a global pool) has no size of its own and is passed over.
    """
    return reaches(net.upto(layer))[layer]


def reaches(net):
    """{node: its Reach}, the image included."""
    found = {net.input: Reach((1, 1), (Fraction(1), Fraction(1)))}
    for node in net.nodes:
        before = [found[name] for name in node.inputs] or [found[net.input]]
        size = tuple(max(one.size[axis] for one in before) for axis in (0, 1))
        stride = tuple(max(one.stride[axis] for one in before) for axis in (0, 1))
        if isinstance(node.layer, WINDOWS):
            size, stride = zip(*(_stepped(node.layer, axis, size[axis], stride[axis]) for axis in (0, 1)))
        found[node.name] = Reach(tuple(map(ceil, size)), stride)
    return found


def _stepped(layer, axis, size, stride):
    far = (layer.kernel[axis] - 1) * layer.dilation[axis]
    if isinstance(layer, ConvTranspose2d):
        cells = ceil(Fraction(far + 1, layer.stride[axis]))
        return size + (cells - 1) * stride, stride / layer.stride[axis]
    return size + far * stride, stride * layer.stride[axis]


def shapes_of(net, shape):
    """{node: shape of its output} for one image, the image's own included."""
    return {net.input: (1, *shape), **{row.name: row.shape for row in summarise(net, (1, *shape)).rows}}
