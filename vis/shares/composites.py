"""Which rule each node of a net gets, for relevance: a composite.

    composite                  Linear        convolutions    convolutions that read the image
    epsilon                    epsilon       epsilon         epsilon
    gamma                      gamma         gamma           gamma
    alpha-beta                 alpha-beta    alpha-beta      alpha-beta
    z-plus                     z-plus        z-plus          z-plus
    epsilon-plus               epsilon       z-plus          z-plus
    epsilon-plus-flat          epsilon       z-plus          flat                                [1]
    epsilon-alpha-beta-flat    epsilon       alpha-beta      flat                                [1]
    epsilon-gamma-box          epsilon       gamma           z-box, also for a Linear            [2]

Excitation backprop has its own rule everywhere: what it sends are no shares of a score, but probabilities [3].

The other layers do the same in all: activations and LRN pass relevance on, what only moves numbers moves it back, max
pools give it to the winner, averages and sums share it, batch norms keep what is not due to their shift (better fold
them first: `Net.fold_batchnorm`). A softmax has no rule: relevance is of the score before it.

[1] Kohlbrenner, Bauer, Nakajima, Binder, Samek & Lapuschkin, Towards best practice in explaining neural network
    decisions with LRP, IJCNN 2020: LRP CMP, with flat in the lowest layer
[2] Montavon et al., Layer-wise relevance propagation: an overview, in: Explainable AI, Springer 2019, section 10.3
[3] Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016
"""

from functools import partial

import numpy as np

from ... import layers
from ...errors import MinicnnError, UnknownNameError
from ...rules import resolve
from ...train.adversarial import pixel_range
from ..passes import on_device
from ..rules import passed
from .lrp_rules import excitation, lrp_alpha_beta, lrp_epsilon, lrp_flat, lrp_gamma, lrp_z_box, lrp_z_plus
from .share_rules import lrp_add, lrp_average, lrp_batch_norm, lrp_factor, lrp_smooth_pool, smooth_max_pool

# (Linear, convolutions, the first layers)
COMPOSITES = {
    "epsilon": (lrp_epsilon, lrp_epsilon, lrp_epsilon),
    "gamma": (lrp_gamma, lrp_gamma, lrp_gamma),
    "alpha-beta": (lrp_alpha_beta, lrp_alpha_beta, lrp_alpha_beta),
    "z-plus": (lrp_z_plus, lrp_z_plus, lrp_z_plus),
    "epsilon-plus": (lrp_epsilon, lrp_z_plus, lrp_z_plus),
    "epsilon-plus-flat": (lrp_epsilon, lrp_z_plus, lrp_flat),
    "epsilon-alpha-beta-flat": (lrp_epsilon, lrp_alpha_beta, lrp_flat),
    "epsilon-gamma-box": (lrp_epsilon, lrp_gamma, lrp_z_box),
}

_WEIGHTED = (layers.Linear, layers.Conv2d, layers.ConvTranspose2d)
_ACTIVATIONS = (layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Sigmoid, layers.Tanh, layers.Clip)
_MAX_POOLS = (layers.MaxPool2d, layers.GlobalMaxPool)
_SHAPES = (layers.Flatten, layers.Reshape, layers.Squeeze, layers.Unsqueeze, layers.Transpose, layers.Pad)
_MOVED = (*_MAX_POOLS, *_SHAPES, layers.Concat, layers.Identity, layers.Dropout)
_AVERAGES = (layers.AvgPool2d, layers.GlobalAvgPool, layers.Mean)


def relevance_rules(name, net, tape, smooth_pools=False, own=None, **parameters):
    """{node: rule(dout, cache)} of a composite, for `net.backward(R, tape, rules=...)`, with this tape alone.

    smooth_pools  max pools share, by lrp_smooth_pool
    own           rules that beat the composite's, as `net.backward(rules=...)` takes them: by name, predicate or type
    parameters    epsilon, gamma, alpha of the rules that have them
    Raises UnknownNameError for an unknown composite and for a key of own that matches no node, MinicnnError that names
    a node for whose layer there is no rule.
    """
    if name not in COMPOSITES:
        raise UnknownNameError("composite", name, COMPOSITES)
    own = resolve(own or {}, net.nodes)
    return _rules(COMPOSITES[name], net, tape, smooth_pools, parameters, positive=False, own=own)


def excitation_rules(net, tape):
    """{node: rule(dout, cache)} of excitation backprop."""
    return _rules((excitation,) * 3, net, tape, False, {}, positive=True, own={})


def _rules(composite, net, tape, smooth_pools, parameters, positive, own):
    live, rules = live_nodes(net), {}
    weighted = set()  # nodes with a layer with weights at them or before them
    for entry in tape:
        if entry.name not in live:
            continue
        is_first = weighted.isdisjoint(entry.inputs)
        if isinstance(entry.layer, _WEIGHTED) or not is_first:
            weighted.add(entry.name)
        if entry.name in own:
            rules[entry.name] = own[entry.name]
        elif isinstance(entry.layer, _WEIGHTED):
            rules[entry.name] = _with_weights(composite, entry, is_first, net, tape, parameters)
        elif isinstance(entry.layer, _MAX_POOLS) and smooth_pools:
            rules[entry.name] = _bound(lrp_smooth_pool, entry, tape)
        else:
            rules[entry.name] = _without_weights(entry, tape, live, positive)
    return rules


def smooth_pool_rules(tape):
    """{node: rule(dout, cache)}: smooth_max_pool at every max pool, for gradients with this tape."""
    return {entry.name: _bound(smooth_max_pool, entry, tape) for entry in tape if isinstance(entry.layer, _MAX_POOLS)}


def live_nodes(net):
    """The names of the nodes that depend on the image, the input's among them: all but constants."""
    live = {net.input}
    for node in net.nodes:
        if not live.isdisjoint(node.inputs):
            live.add(node.name)
    return live


def _with_weights(composite, entry, is_first, net, tape, parameters):
    linear, convolution, first = composite
    is_linear = isinstance(entry.layer, layers.Linear)
    rule = linear if is_linear else convolution
    # A Linear reads the whole image: flat would make all of its pixels equal.
    if is_first and not (is_linear and first is lrp_flat):
        rule = first
    if rule is lrp_z_box:
        return partial(lrp_z_box, **_box(net, tape, entry))
    takes = {lrp_epsilon: "epsilon", lrp_gamma: "gamma", lrp_alpha_beta: "alpha"}.get(rule)
    return partial(rule, **{takes: parameters[takes]}) if takes in parameters else rule


def _box(net, tape, entry):
    """low and high of what a first layer reads: black and white, brought through the nodes before it."""
    shape = tape.x.shape
    limits = pixel_range(net, shape[1:])[:2]
    images = [on_device(net, np.broadcast_to(x, (1, *shape[1:])).copy()) for x in limits]
    if entry.inputs != (net.input,):
        images = [net(x, until=entry.inputs[0]) for x in images]
    return dict(zip(("low", "high"), images))


def _without_weights(entry, tape, live, positive):
    layer = entry.layer
    if isinstance(layer, (*_ACTIVATIONS, layers.LRN)):
        return passed
    if isinstance(layer, _MOVED):
        return layer.backward_input
    if isinstance(layer, _AVERAGES):
        return _bound(lrp_average, entry, tape, positive=positive)
    if isinstance(layer, (layers.Add, layers.Subtract)):
        return _bound(lrp_add, entry, tape, positive=positive)
    if isinstance(layer, layers.BatchNorm2d):
        return passed if positive else _bound(lrp_batch_norm, entry, tape)
    moving = [k for k, name in enumerate(entry.inputs) if name in live]
    if (isinstance(layer, layers.Multiply) and len(moving) == 1) or (
        isinstance(layer, layers.Divide) and moving == [0]
    ):
        return _bound(lrp_factor, entry, tape, taker=moving[0])
    raise MinicnnError(f"{entry.name}: there is no rule of relevance for {layer!r}, look at a node before it")


def _bound(rule, entry, tape, **options):
    return partial(rule, xs=[tape.out(name) for name in entry.inputs], layer=entry.layer, **options)
