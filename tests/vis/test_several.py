"""Gradients from several nodes at once: against one walk a node, and against central differences."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import UnknownNameError
from minicnn.layers import Add, Concat, Conv2d, MaxPool2d, ReLU, Tanh
from minicnn.vis.search.several import Several


def _branched():
    nodes = [
        ("conv1", Conv2d(2, 4, 3, pad=1)),
        ("tanh1", Tanh()),
        ("left", Conv2d(4, 3, 1), "tanh1"),
        ("right", Conv2d(4, 3, 3, pad=1), "tanh1"),
        ("sum", Add(), ("left", "right")),
        ("both", Concat(), ("sum", "tanh1")),
        ("pool", MaxPool2d(2)),
        ("relu", ReLU()),
        ("beyond", Conv2d(7, 2, 3)),
    ]
    return Net(nodes).init(0).astype("float64")


# A node before others, two side by side, one that feeds two others.
@pytest.mark.parametrize("names", [["left"], ["tanh1", "left", "right"], ["both", "conv1"], ["pool", "right", "both"]])
def test_it_is_the_sum_of_the_walks(names, backend):
    net, rng = _branched(), np.random.default_rng(1)
    x = rng.standard_normal((2, 2, 6, 5))
    outs, tape = Several(net, names).look(x)
    douts = {name: rng.standard_normal(out.shape) for name, out in outs.items()}
    expected = 0
    for name in names:
        out, own_tape = net.forward(x, until=name)
        np.testing.assert_array_equal(outs[name], out)
        expected = expected + net.backward(douts[name], own_tape, params=False)[0]
    dx = Several(net, names).walk(tape, douts)
    np.testing.assert_allclose(dx, expected, rtol=0, atol=1e-12)


def test_central_differences():
    net, rng, names = _branched(), np.random.default_rng(2), ["conv1", "left", "right", "both"]
    several, x = Several(net, names), rng.standard_normal((1, 2, 4, 3))
    weights = {name: rng.standard_normal(out.shape) for name, out in several.look(x)[0].items()}

    def loss(x):
        return sum(np.sum(weights[name] * net(x, until=name) ** 2) / 2 for name in names)

    outs, tape = several.look(x)
    dx = several.walk(tape, {name: weights[name] * outs[name] for name in names})
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-5
        np.testing.assert_allclose(dx[i], (loss(x + step) - loss(x - step)) / 2e-5, rtol=1e-6, atol=1e-8)


def test_only_what_is_needed_runs_and_the_net_stays():
    net = _branched()
    before = [node.name for node in net.nodes]
    several = Several(net, ["left", "left"])
    assert several.names == ("left",)
    _, tape = several.look(np.zeros((1, 2, 4, 4)))
    assert [entry.name for entry in tape][:-1] == ["conv1", "tanh1", "left"]
    assert [node.name for node in net.nodes] == before
    with pytest.raises(UnknownNameError, match="no node 'lft'; did you mean left"):
        Several(net, ["lft"])


def test_a_net_on_a_chosen_backend():
    net, x = _branched().to("numpy").freeze(), np.random.default_rng(3).standard_normal((1, 2, 4, 4))
    outs, tape = Several(net, ["left", "sum"]).look(x)
    assert Several(net, ["left", "sum"]).walk(tape, outs).shape == x.shape
