"""Where a random walk down the winning connections ends: excitation backpropagation.

    P_i = sum over j of  P_j * x_i * w_ij / (sum over i of x_i * w_ij)      over the connections with w_ij > 0

x      (N, C, H, W), preprocessed
out    (N, h, w): P at `layer`, summed over its channels; the whole is 1, less what had no excitatory input

P starts as 1 at the unit. Max pools send it to their winner; biases and inhibitory connections take no part; a sum is
shared by its positive terms. Contrastive, the walk starts a second time with the weights of the layer above the unit's
inputs negated, from a unit for "anything but this"; the difference goes on down, and out is what of it is above 0.

The layer is, unless named, the last pooling through which all goes whose maps are still at least an eighth of the
image's height and width, or the last other node where there is none: in GoogLeNet pool2/3x3_s2, in VGG16 pool3, which
are the paper's.

The picture: the image in faint grey, and over it the map, enlarged to the image's size: red, and yellow at its maximum;
each image has its own scale.

Caveat: without contrast it shows what excites anything, and hardly depends on the class: what is salient wins. Inputs
are taken to be >= 0, so that it ends above the pixels. Nothing that speaks against the unit is shown.
Zhang, Lin, Brandt, Shen & Sclaroff, Top-down neural attention by excitation backprop, ECCV 2016, sections 3.1 and 3.3
"""

import numpy as np

from .. import layers
from ..errors import UsageError
from .passes import look, to_host
from .pictures.heat import enlarged, heat_picture
from .shares.composites import excitation_rules
from .shares.cut import choose, has_positions
from .shares.lrp_rules import excitation
from .shares.relevance import without_batch_norm
from .units import find_unit, unit_title

_POOLS = (layers.MaxPool2d, layers.AvgPool2d)
_WEIGHTED = (layers.Linear, layers.Conv2d)


def excitation_backprop(net, x, unit, contrastive: bool = True, layer: str = ""):
    """Where a random walk down the winning connections ends, (N, h, w).

    contrastive  whether what excites the opposite of the unit is taken off
    layer        the node whose output is shown; chosen as above unless given
    """
    part, unit = without_batch_norm(net, unit)
    tape, dout = look(part, x, unit)
    layer = layer or _layer(part, tape, unit)
    if len(tape.shape(layer)) != 4:
        raise UsageError(f"{layer} has no positions that could be shown: its output is {tape.shape(layer)}")
    P = contrastive_walk(part, tape, dout, unit, layer) if contrastive else excitation_walk(part, tape, dout, layer)
    P = to_host(part, P).sum(axis=1)
    return np.maximum(P, 0) if contrastive else P


def excitation_walk(net, tape, dout, layer=None):
    """P at every number of the layer's output, the image's unless given; dout as `passes.look` gives it."""
    return net.backward(dout, tape, wrt=layer, rules=excitation_rules(net, tape), params=False)[0]


def contrastive_walk(net, tape, dout, unit, layer=None):
    """The same, less what a unit with the opposite weights gives; below zero where that is more."""
    rules = excitation_rules(net, tape)
    classifier = _classifier(net, tape, unit)
    (below,) = classifier.inputs

    def opposite(dout, cache):
        return excitation(dout, cache._replace(w=-cache.w))

    P = net.backward(dout, tape, wrt=below, rules=rules, params=False)[0]
    dual = net.backward(dout, tape, wrt=below, rules={**rules, classifier.name: opposite}, params=False)[0]
    if below == (layer or net.input):
        return P - dual
    return net.backward(P - dual, tape, start=below, wrt=layer, rules=rules, params=False)[0]


def _classifier(net, tape, unit):
    """The node with weights that the unit's value comes from: of a concatenation, the one with the unit's channel."""
    node, channel = net[unit.layer], unit.channel
    while not isinstance(node.layer, _WEIGHTED):
        name, *others = node.inputs
        if isinstance(node.layer, layers.Concat) and channel is not None:
            while channel >= tape.shape(name)[1]:
                channel -= tape.shape(name)[1]
                name = others.pop(0)
            others = []
        if others or name == net.input:
            message = "ask for a node with weights, or without contrast (contrastive=False, --no-contrastive)"
            raise UsageError(f"{unit.layer} has no weights that could be contrasted: {message}")
        node = net[name]
    return node


def _layer(net, tape, unit):
    least = [side / 8 for side in tape.x.shape[2:]]

    def is_large(entry):
        return has_positions(entry) and all(side >= wanted for side, wanted in zip(entry.shape[2:], least))

    try:
        return choose(net, tape, unit, lambda entry: is_large(entry) and isinstance(entry.layer, _POOLS), "")
    except UsageError:
        return choose(net, tape, unit, is_large, "has maps of an eighth of the image")


def picture(result, net, x=None, unit=None):
    """The map over its image."""
    size = result.shape[1:] if x is None else x.shape[2:]
    return heat_picture(enlarged(result, size), net, x, unit_title(net, find_unit(net, unit)))
