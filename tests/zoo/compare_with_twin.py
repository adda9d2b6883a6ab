"""A net of the zoo beside its twin in PyTorch."""

from typing import NamedTuple

import numpy as np
import torch

import twins_nets
from minicnn.layers import MaxPool2d, ReLU

LOGITS, GRADIENT = {"float32": 1e-4, "float64": 1e-9}, {"float32": 1e-3, "float64": 1e-9}


class Difference(NamedTuple):
    """scores, gradient: the largest difference, relative to the largest value; the gradient with the twin on the same
    side of every kink, free_gradient with its own choice. sides, others: kinks, and how many were chosen otherwise."""

    scores: float
    gradient: float
    free_gradient: float
    sides: int
    others: int


def differ(net, twin, x, node=None, dscores=None):
    """Run both on x and compare the scores and the image gradient of sum(scores * dscores): random unless given."""
    scores, tape = net.forward(x, until=node or net.scores)
    if dscores is None:
        dscores = np.random.default_rng(5).standard_normal(scores.shape).astype(x.dtype)
    dx, grads = net.backward(dscores, tape, params=False)
    assert grads == {} and scores.dtype == dx.dtype == x.dtype

    free = twins_nets.Weights(net)
    expected, dfree = twins_nets.scores_and_gradient(twin, x, free, dscores)
    gates = _gates(tape)
    assert gates.keys() == free.chosen.keys()  # no kink is left out
    others = sum(int((gate != free.chosen[name]).sum()) for name, gate in gates.items())
    dexpected = dfree
    if others:
        _, dexpected = twins_nets.scores_and_gradient(twin, x, twins_nets.Weights(net, gates), dscores)
    assert np.abs(expected).max() > 0.1 and np.abs(dexpected).max() > 1e-5  # neither net is dead
    return Difference(
        scores=_off(scores, expected),
        gradient=_off(dx, dexpected),
        free_gradient=_off(dx, dfree),
        sides=sum(gate.numel() for gate in gates.values()),
        others=others,
    )


def _gates(tape):
    gates = {}
    for entry in tape:
        if isinstance(entry.layer, ReLU):
            name = entry.name if entry.inputs[0] in gates else entry.inputs[0]  # a max-pool has that name already
            gates[name] = torch.from_numpy(entry.out > 0)
        elif isinstance(entry.layer, MaxPool2d):
            gates[entry.name] = torch.from_numpy(entry.cache.argmax.astype(np.int64))
    return gates


def _off(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())
