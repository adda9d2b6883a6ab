"""One unit under every rule, side by side with the image.

    out[rule] = the unit walked back to the image under RULES[rule]      one forward pass, one tape for all

x     (N, C, H, W), preprocessed
out   {"gradient": dx, "deconvnet": dx, "guided_backprop": dx}, each (N, C, H, W)

The picture: a row an image, the image first, then each rule's; zero is mid-grey, or white in a net of greys.

Caveat: every tile has its own scale, so two tiles' patterns can be compared, not their strengths. What each rule shows,
and what not, is on its own page.
"""

from .colour import channel_order, show_gradient
from .image import deprocess
from .passes import look, walk
from .rules import RULES
from .tiles import grid
from .units import find_unit, unit_title


def compare(net, x, unit):
    """One unit under every rule: {rule's name: (N, C, H, W)}."""
    tape, dout = look(net, x, unit)
    return {name: walk(net, tape, dout, rules) for name, rules in RULES.items()}


def picture(result, net, x, unit):
    """A row an image: the image, then one tile a rule."""
    columns = [deprocess(x, net.meta), *(show_gradient(dx, channel_order(net)) for dx in result.values())]
    labels = ["image", *(name.replace("_", " ") for name in result)]
    tiles = [column[n] for n in range(len(x)) for column in columns]
    return grid(tiles, labels * len(x), columns=len(columns), title=unit_title(net, find_unit(net, unit)), least=112)
