"""One unit under several rules, side by side with the image.

    out[rule] = the unit walked back to the image under that rule      one forward pass, one tape for all

x     (N, C, H, W), preprocessed
out   {"gradient": dx, "deconvnet": dx, "guided_backprop": dx}, each (N, C, H, W); of other rules where they are named

The rules are those of walks.py: the three edited gradients, smooth_max_pool, grad_times_input, and the composites of
LRP, with the parameters of its page: epsilon, gamma, alpha-beta, z-plus, epsilon-plus, epsilon-plus-flat,
epsilon-alpha-beta-flat, epsilon-gamma-box.

The picture: a row an image, or several where there are many rules, the image first, then each rule's; zero is mid-grey,
or white in a net of greys. What adds up to the score, gradient times input and relevance, is summed over the channels:
red for the unit, blue against it.

Caveat: every tile has its own scale, so two tiles' patterns can be compared, not their strengths. What each rule shows,
and what not, is on its own page.
"""

import math

import numpy as np

from ..errors import UnknownNameError
from .image import deprocess
from .passes import look
from .pictures.colour import channel_order, limit_of, show_gradient, signed
from .pictures.tiles import grid
from .shares.relevance import without_batch_norm
from .shares.walks import SIGNED, WALKS, walk_by_name
from .units import find_unit, unit_title

_MOST_COLUMNS = 7


def compare(net, x, unit, rules: str = "gradient, deconvnet, guided_backprop"):
    """One unit under several rules: {rule's name: (N, C, H, W)}.

    rules  their names, with commas between them; "all" for all of them
    """
    names = list(WALKS) if rules.strip() == "all" else [name.strip() for name in rules.split(",")]
    for name in names:
        if name not in WALKS:
            raise UnknownNameError("rule", name, WALKS)
    part, unit = without_batch_norm(net, unit)
    tape, dout = look(part, x, unit)
    return {name: walk_by_name(name, part, tape, dout) for name in names}


def picture(result, net, x, unit):
    """A row an image: the image, then one tile a rule."""
    columns = [deprocess(x, net.meta), *(_shown(name, dx, net) for name, dx in result.items())]
    labels = ["image", *(name.replace("_", " ") for name in result)]
    lines = math.ceil(len(columns) / _MOST_COLUMNS)
    width = math.ceil(len(columns) / lines)
    empty = [np.full_like(columns[0], 255)] * (lines * width - len(columns))
    tiles = [column[n] for n in range(len(x)) for column in columns + empty]
    labels = (labels + [""] * len(empty)) * len(x)
    return grid(tiles, labels, columns=width, title=unit_title(net, find_unit(net, unit)), least=112)


def _shown(name, dx, net):
    if name not in SIGNED:
        return show_gradient(dx, channel_order(net))
    return [signed(heat, limit_of(heat, 0.995)) for heat in dx.sum(axis=1)]
