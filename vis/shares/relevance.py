"""Relevance: a unit's value shared out among what it was made of, layer by layer, back to the image.

R at the unit's node = its value where the unit is, else 0;   then every node by its rule, see lrp_rules.py
"""

from typing import NamedTuple

import numpy as np

from ...layers import BatchNorm2d
from ..passes import to_host
from ..units import Unit, find_unit
from .composites import live_nodes, relevance_rules


class Relevance(NamedTuple):
    """What `lrp` returns.

    pixels   (N, C, H, W), the relevance of every number of the image
    arrived  {node: (N,) float64}, from the unit's node to the image: the sum that each node's output was given
    sent     the same of what the node gave to its inputs
    """

    pixels: np.ndarray
    arrived: dict
    sent: dict

    @property
    def kept(self):
        """{node: (N,)}: the share of what arrived that the node sent on; NaN where nothing arrived."""
        with np.errstate(all="ignore"):
            return {name: self.sent[name] / self.arrived[name] for name in self.arrived}


def without_batch_norm(net, unit):
    """(net, Unit): the part of the net up to the unit, its batch norms folded away where that is possible.

    The net itself where it has none.
    """
    unit = find_unit(net, unit)
    if not any(isinstance(node.layer, BatchNorm2d) for node in net.nodes):
        return net, unit
    part = net.upto(unit.layer).fold_batchnorm()
    # A batch norm that was the unit's node is now in the convolution before it.
    return part, Unit(part.nodes[-1].name, unit.channel, unit.position)


def share(net, tape, dout, composite, **parameters):
    """The Relevance of what dout asks for, under a composite.

    dout        as `passes.look` gives it, with the tape
    parameters  see `composites.relevance_rules`
    """
    ledger, live = {}, live_nodes(net)
    rules = relevance_rules(composite, net, tape, **parameters)
    rules = {name: _recorded(rule, tape[name], live, ledger) for name, rule in rules.items()}
    dx, _ = net.backward(dout * tape[-1].out, tape, rules=rules, params=False)
    arrived, sent = ({name: to_host(net, both[k]) for name, both in ledger.items()} for k in (0, 1))
    return Relevance(to_host(net, dx), arrived, sent)


def _recorded(rule, entry, live, ledger):
    """The rule, which now also writes down how much it was given and how much it sent on to inputs that are no
    constants."""

    def recorded(dout, cache):
        dxs = rule(dout, cache)
        several = dxs if isinstance(dxs, tuple) else (dxs,)
        ledger[entry.name] = (_total(dout), sum(_total(dx) for dx, name in zip(several, entry.inputs) if name in live))
        return dxs

    return recorded


def _total(relevance):
    return relevance.reshape(len(relevance), -1).sum(axis=1, dtype="float64")
