"""The weights of a layer as pictures: what each filter multiplies the image with.

    out = w

out   (F, C // groups, KH, KW), the layer's weights; one filter alone (1, ...) where the unit names a channel
unit  a convolution; the net's first one unless given

The picture: zero is mid-grey, and each filter's scale ends at its largest weight. A filter that reads a colour image is
one coloured tile, one that reads a single channel a grey one; others are a grid of grey tiles each, one an input
channel, in their order row by row, as many filters as fit into a picture of four million pixels.

Caveat: only the first layer's weights look like what the filter looks for; a higher layer's weigh features, not pixels.
"""

import math

import numpy as np

from ..errors import UsageError
from .passes import to_host
from .pictures.colour import channel_order, limit_of, signed_rgb
from .pictures.tiles import grid
from .units import find_unit

_MOST_PIXELS = 4_000_000
_GAP = 6  # pixels between two filters of many tiles; between their tiles 1


def filters(net, unit=None):
    """The weights of a convolution, the net's first one unless given, (F, C // groups, KH, KW)."""
    unit = _convolution(net, unit)
    w = to_host(net, net[unit.layer].layer.array("w"))
    if unit.channel is None:
        return w
    if unit.channel >= len(w):
        raise UsageError(f"{unit}: filter {unit.channel} of 0 to {len(w) - 1}")
    return w[unit.channel : unit.channel + 1]


def picture(result, net, x=None, unit=None):
    """A tile a filter, or a grid of tiles."""
    unit = _convolution(net, unit)
    first = unit.channel or 0
    labels = [str(first + k) for k in range(len(result))]
    square = {"columns": math.ceil(math.sqrt(len(result))), "title": str(unit), "least": 48}
    if net[unit.layer].inputs == (net.input,) and result.shape[1] == 3:
        return grid([signed_rgb(w, channel_order(net)) for w in result], labels, **square)
    if result.shape[1] == 1:
        return grid([tile for w in result for tile in _greys(w)], labels, **square)
    F, C, KH, KW = result.shape
    columns = math.ceil(math.sqrt(C))
    factor = _factor(F * C, max(KH, KW))
    block = (columns * (factor * KW + 1) + _GAP) * (math.ceil(C / columns) * (factor * KH + 1) + _GAP)
    shown = max(1, min(F, _MOST_PIXELS // block))
    # A block's own frame is of the page's colour: it goes, the gap between two is clear enough.
    blocks = [grid(_greys(w), columns=columns, gap=1, least=factor * min(KH, KW)) for w in result[:shown]]
    blocks = [block.crop((1, 1, block.width - 1, block.height - 1)) for block in blocks]
    title = str(unit) if shown == F else f"{unit}, the first {shown} of {F}"
    return grid(blocks, labels[:shown], title=title, gap=_GAP)


def _greys(w):
    return list(signed_rgb(np.stack([w] * 3, axis=1), limit=limit_of(w)))


def _factor(tiles, side):
    """How often a weight is enlarged: tiles of 6 to 32 pixels, so that all of them have about a million."""
    return max(1, int(max(6, min(32, math.sqrt(1e6 / tiles) - 1)) / side))


def _convolution(net, unit):
    """The unit, which is to be of a convolution; UsageError names those that there are."""
    convolutions = [node.name for node in net.nodes if len(node.layer.param_shapes.get("w", ())) == 4]
    if unit is None and convolutions:
        unit = convolutions[0]
    found = None if unit is None else find_unit(net, unit)
    if found is None or found.layer not in convolutions or found.position is not None:
        what = "this net" if found is None else str(found)
        raise UsageError(f"{what} has no filters; these have: {', '.join(convolutions) or 'none'}")
    return found
