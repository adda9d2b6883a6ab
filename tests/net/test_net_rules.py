"""Rules: which one a node gets, for how long, and for whom."""

import threading

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import UnknownNameError
from minicnn.layers import Conv2d, ReLU
from minicnn.rules import resolve


class Leaky(ReLU):
    """A nearer type than ReLU."""


NET = Net([("conv1", Conv2d(1, 1, 1)), ("relu1", ReLU()), ("relu2", Leaky()), ("relu3", ReLU())]).init(0)
ONES = np.ones((1, 1, 1, 1), np.float32)


def rule(factor):
    return lambda dout, cache: factor * dout


def rules_of(rules):
    """The factor that each node's rule multiplies by."""
    return {name: r(1, None) for name, r in resolve(rules, NET.nodes).items()}


def test_a_type_reaches_its_nodes_and_subclasses():
    assert rules_of({ReLU: rule(2)}) == {"relu1": 2, "relu2": 2, "relu3": 2}


def test_a_nearer_type_beats_its_base_whatever_the_order():
    expected = {"relu1": 2, "relu2": 3, "relu3": 2}
    assert rules_of({ReLU: rule(2), Leaky: rule(3)}) == expected
    assert rules_of({Leaky: rule(3), ReLU: rule(2)}) == expected


def test_name_beats_predicate_beats_type_whatever_the_order():
    def late(node):
        return node.name in ("relu2", "relu3")

    given = [("relu3", rule(5)), (late, rule(3)), (ReLU, rule(2))]
    expected = {"relu1": 2, "relu2": 3, "relu3": 5}
    assert rules_of(dict(given)) == expected
    assert rules_of(dict(given[::-1])) == expected


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("relu", "no node 'relu'; did you mean relu"),
        (dict, "no node of the type 'dict'; there are Conv2d, Leaky, ReLU"),
        (lambda node: False, "no node that the predicate accepts"),
    ],
)
def test_a_key_that_matches_nothing_is_an_error_that_lists_names(key, message):
    _, tape = NET.forward(ONES)
    with pytest.raises(UnknownNameError, match=message):
        NET.backward(ONES, tape, rules={key: rule(1)})
    with pytest.raises(UnknownNameError, match=message), NET.rules({key: rule(1)}):
        pass


def backward(rules=None):
    _, tape = NET.forward(ONES)
    return NET.backward(ONES, tape, rules=rules, wrt="conv1", params=False)[0].item()


def test_the_context_sets_nests_and_restores():
    gated = backward()
    with NET.rules({ReLU: rule(2)}):
        assert backward() == 8
        with NET.rules({"relu1": rule(5)}):
            assert backward() == 20
            assert backward({"relu2": rule(7)}) == 5 * 7 * 2
        assert backward() == 8
    assert backward() == gated


def test_the_context_restores_after_an_error():
    gated = backward()
    with pytest.raises(ZeroDivisionError), NET.rules({ReLU: rule(2)}):
        raise ZeroDivisionError
    assert backward() == gated


def test_the_context_is_of_one_net_and_one_thread():
    other = Net([("relu", ReLU())])
    _, tape = other.forward(-ONES)
    seen = []
    with NET.rules({ReLU: rule(2)}):
        assert other.backward(ONES, tape)[0].item() == 0
        thread = threading.Thread(target=lambda: seen.append(backward()))
        thread.start()
        thread.join()
    assert seen == [backward()]
