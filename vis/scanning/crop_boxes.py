"""What to cut out of a picture for each of many units: their fields, also where these go on past the border."""

from math import ceil, lcm

import numpy as np

from ...errors import MinicnnError
from ...layers import Linear
from ..units import Unit
from .fields import Box, field, hull, reaches, shapes_of
from .layer_reads import CONVOLUTIONS, WINDOWS, channel_mixes


class CropBoxes:
    """The Boxes of the units of one layer.

    A Box is what the unit would read of a larger image, in coordinates of this one, so that all inside one layer and
    branch have one size. On an axis where the unit reads all of any image, or where the net takes no larger one, it is
    what the unit reads of this one.

    shape  (C, H, W) of the image
    """

    def __init__(self, net, layer, shape):
        self.net, self.layer, self.shape = net.upto(layer), layer, tuple(shape)
        self._shapes = shapes_of(self.net, shape)
        of_nodes = reaches(self.net)
        self._stride = of_nodes[layer].stride
        # Moved by so many pixels, the image makes every node on the way move by whole cells.
        self._step = [lcm(*(one.stride[axis].numerator for one in of_nodes.values())) for axis in (0, 1)]
        # Twice the size, because branches may be out of line by their paddings.
        most = [2 * max(one.size[axis] for one in of_nodes.values()) for axis in (0, 1)]
        self._margin = [ceil(size / step + 1) * step for size, step in zip(most, self._step)]
        self._found, self._mixes, self._sources = {}, {}, {}

    def __call__(self, channel, position=None):
        """The Box of one unit; position (y, x), or None where the layer has none."""
        ends = []
        for axis in (0, 1):
            beyond = None if position is None else self._of_larger(channel, position)[axis]
            ends.append(beyond or self._of_this(channel, position)[axis])
        (top, bottom), (left, right) = ends
        return Box(top, left, bottom, right)

    def _of_this(self, channel, position):
        key = (self._source(self.layer, channel), "inside", position)
        if key not in self._found:
            self._found[key] = [hull(cells) for cells in field(self.net, self._unit(channel, position), self.shape)]
        return self._found[key]

    def _of_larger(self, channel, position):
        """On each axis (first, last + 1), or None where it has no end."""
        # Units that lie whole steps apart have fields that do, too: only the first of a kind is looked for.
        steps = [divmod(at, int(step / stride)) for at, step, stride in zip(position, self._step, self._stride)]
        first = tuple(rest for _, rest in steps)
        key = (self._source(self.layer, channel), "beyond", first)
        if key not in self._found:
            self._found[key] = self._ends(channel, first)
        return [
            ends and tuple(end + count * step for end in ends)
            for ends, (count, _), step in zip(self._found[key], steps, self._step)
        ]

    def _ends(self, channel, position):
        C, *size = self.shape
        moved = tuple(int(at + m / stride) for at, m, stride in zip(position, self._margin, self._stride))
        try:
            larger = (C, *(s + 2 * m for s, m in zip(size, self._margin)))
            found = field(self.net, self._unit(channel, moved), larger)
        except MinicnnError:  # it takes images of one size only
            return [None, None]
        ends = []
        for cells, margin in zip(found, self._margin):
            low, high = hull(cells)
            ends.append((low - margin, high - margin) if 0 < low and high < len(cells) else None)
        return ends

    def _unit(self, channel, position):
        return Unit(self.layer, channel, position)

    def _source(self, name, channel):
        """A key that channels of a node share if they have the same fields: those of one convolution, and so on."""
        if name != self.net.input and (name, channel) not in self._sources:
            self._sources[name, channel] = self._new_source(self.net[name], channel)
        return self._sources.get((name, channel), name)

    def _new_source(self, node, channel):
        if isinstance(node.layer, CONVOLUTIONS):
            return node.name, channel * node.layer.groups // self._shapes[node.name][1]
        if isinstance(node.layer, Linear):
            return node.name
        if isinstance(node.layer, WINDOWS):
            return node.name, self._source(node.inputs[0], channel)
        if node.name not in self._mixes:
            # A vector is a map of one position.
            shapes = [(*s, 1, 1) if len(s) == 2 else s for s in map(self._shapes.get, (*node.inputs, node.name))]
            self._mixes[node.name] = channel_mixes(node.layer, shapes[:-1], shapes[-1])
        if self._mixes[node.name] is None:
            return node.name, channel
        return node.name, frozenset(
            self._source(name, int(c))
            for name, mix in zip(node.inputs, self._mixes[node.name])
            for c in np.flatnonzero(mix[channel])
        )
