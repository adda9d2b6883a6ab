"""Everything that one tape shows of a unit at the pixels, by name: each walks the same tape back under its own rules.

gradient, deconvnet, guided_backprop    the edited gradients of rules.py
smooth_max_pool                         the gradient with max pools smoothed, see share_rules.py
grad_times_input                        x * gradient
epsilon, z-plus, ...                    relevance under each composite of composites.py
"""

from ...errors import UnknownNameError
from ..passes import to_host, walk
from ..rules import RULES
from .composites import COMPOSITES, smooth_pool_rules
from .relevance import share

SIGNED = ("grad_times_input", *COMPOSITES)
"""Those that add up to (about) the unit's value: they are looked at as sums over the channels."""

WALKS = (*RULES, "smooth_max_pool", *SIGNED)


def walk_by_name(name, net, tape, dout):
    """dx (N, C, H, W) of one of WALKS.

    tape, dout  as `passes.look` gives them
    Raises UnknownNameError for another name, and what `composites.relevance_rules` raises.
    """
    if name in RULES:
        return walk(net, tape, dout, RULES[name])
    if name == "smooth_max_pool":
        return walk(net, tape, dout, smooth_pool_rules(tape))
    if name == "grad_times_input":
        return to_host(net, tape.x) * walk(net, tape, dout, None)
    if name in COMPOSITES:
        return share(net, tape, dout, name).pixels
    raise UnknownNameError("rule", name, WALKS)
