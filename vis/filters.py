"""The weights of a layer as pictures: what each filter multiplies the image with.

    out = w

out   (F, C // groups, KH, KW), the layer's weights; one filter alone (1, ...) where the unit names a channel
unit  a convolution; the net's first one unless given

The picture: zero is mid-grey, and each filter's scale ends at its largest weight. A filter that reads a colour image is
one coloured tile, one that reads a single channel a grey one; others are a row of grey tiles, one an input channel.

Caveat: only the first layer's weights look like what the filter looks for; a higher layer's weigh features, not pixels.
"""

import numpy as np

from ..errors import UsageError
from .colour import channel_order, limit_of, signed_rgb
from .passes import to_host
from .tiles import grid
from .units import find_unit

# Rows of grey tiles beyond this make a picture that nobody can look at.
_MOST_ROWS = 64


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
    """A tile a filter, or a row of them, of which the first 64 are shown."""
    unit = _convolution(net, unit)
    if net[unit.layer].inputs == (net.input,) and result.shape[1] == 3:
        return grid([signed_rgb(w, channel_order(net)) for w in result], title=str(unit), least=32)
    if result.shape[1] == 1:
        return grid([tile for w in result for tile in _greys(w)], title=str(unit), least=32)
    shown = result[:_MOST_ROWS]
    title = str(unit) if len(shown) == len(result) else f"{unit}, the first {len(shown)} of {len(result)}"
    return grid([tile for w in shown for tile in _greys(w)], columns=result.shape[1], title=title, gap=1, least=5)


def _greys(w):
    return list(signed_rgb(np.stack([w] * 3, axis=1), limit=limit_of(w)))


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
