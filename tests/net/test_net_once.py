"""A tape for one walk: the same numbers, and no array longer than it is needed."""

import gc
import weakref

import numpy as np
import pytest

from minicnn.errors import MinicnnError
from minicnn.kernels import use
from minicnn.layers import Add, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from minicnn.net import Net

X = np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)


@pytest.fixture
def net():
    return Net(
        [
            ("conv1", Conv2d(3, 4, 3, pad=1)),
            ("relu1", ReLU()),
            ("conv2", Conv2d(4, 4, 3, pad=1)),
            ("sum", Add(), ("conv2", "relu1")),
            ("pool", MaxPool2d(2)),
            ("flat", Flatten()),
            ("fc", Linear(64, 5)),
        ]
    ).init(0)


@pytest.fixture
def outputs(net, monkeypatch):
    """{node: weak reference to its latest output}; arrays of the NumPy backend, which pools nothing."""
    found = {}
    for node in net.nodes:
        forward = node.layer.forward

        def watched(*xs, _forward=forward, _name=node.name):
            out, cache = _forward(*xs)
            found[_name] = weakref.ref(out)
            return out, cache

        monkeypatch.setattr(node.layer, "forward", watched)
    with use("numpy"):
        yield found


def alive(outputs):
    gc.collect()
    return {name for name, out in outputs.items() if out() is not None}


def test_the_same_numbers(net):
    dout = np.ones((2, 5), np.float32)
    out, tape = net.forward(X)
    expected, grads = net.backward(dout, tape)
    out1, tape1 = net.forward(X, once=True)
    dx, grads1 = net.backward(dout, tape1)
    np.testing.assert_array_equal(out1, out)
    np.testing.assert_array_equal(dx, expected)
    for key, grad in grads.items():
        np.testing.assert_array_equal(grads1[key], grad)


def test_forward_keeps_what_caches_hold(net, outputs):
    _, tape = net.forward(X, once=True)
    # conv2 reads relu1's output, fc the flattened one; nobody reads conv1's, conv2's, sum's again.
    assert {"conv1", "conv2", "sum"}.isdisjoint(alive(outputs))
    assert {"relu1", "fc"} <= alive(outputs)
    _, kept = net.forward(X)
    assert alive(outputs) == {node.name for node in net.nodes} and len(kept) == len(tape)


def test_the_walk_uses_the_tape_up(net, outputs):
    out, tape = net.forward(X, once=True)
    net.backward(np.ones_like(out), tape)
    assert len(tape) == 0
    del out
    assert alive(outputs) == set()
    with pytest.raises(MinicnnError, match="one walk"):
        net.backward(np.ones((2, 5), np.float32), tape)


def test_an_output_that_is_not_kept_is_an_error(net):
    _, tape = net.forward(X, once=True)
    with pytest.raises(MinicnnError, match="'conv1' is not kept"):
        tape.out("conv1")
    assert tape.shape("conv1") == (2, 4, 8, 8)


def test_a_call_keeps_nothing(net, outputs):
    out = net(X)
    assert alive(outputs) == {"fc"}
    np.testing.assert_array_equal(out, net.forward(X)[0])
