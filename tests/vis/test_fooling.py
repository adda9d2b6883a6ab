"""Fooling images: the champions that are kept, the climb's steps, and that the net is sure in the end."""

import sys

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import MinicnnError, UnknownNameError, UsageError
from minicnn.layers import Flatten, Linear, Softmax
from minicnn.meta import Meta
from minicnn.vis import METHODS, fooling
from minicnn.vis.evolution.map_elites import Elites, evolve
from minicnn.vis.progress import StoppedEarly


@pytest.fixture(scope="module")
def lenet():
    return minicnn.load("mnist-lenet")


def _shares(net, x):
    """Probabilities, from the scores, in float64."""
    scores = net(x, until=net.scores).astype(np.float64)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_champions_are_the_best_so_far_at_each_goal():
    rng = np.random.default_rng(0)
    elites, seen = Elites(4), []
    for generation in range(5):
        values = rng.random((3, 4)).round(1)
        genomes = [(generation, n) for n in range(3)]
        elites.offer(genomes, values)
        seen += [(name, row) for name, row in zip(genomes, values)]
        for goal in range(4):
            best = max(row[goal] for _, row in seen)
            assert elites.values[goal] == best
            # Among equals the first that was offered stays.
            assert elites.genomes[goal] == next(name for name, row in seen if row[goal] == best)


class _Numbers:
    """A genome is a number, and so is its picture."""

    def random(self, rng):
        return rng.uniform(-1, 1)

    def mutate(self, genome, rng, generation):
        return genome + rng.normal(0, 0.3)

    def picture(self, genome):
        return np.full((1, 1, 1), genome)


def test_evolution_comes_near_every_goal_and_never_loses():
    goals = np.array([-3.0, 0.5, 4.0])
    generations = evolve(_Numbers(), lambda p: -np.abs(p.reshape(-1, 1) - goals), 10, np.random.default_rng(1))
    before = np.full(3, -np.inf)
    for _ in range(60):
        elites = next(generations)
        assert (elites.values >= before).all()
        before = elites.values.copy()
    np.testing.assert_allclose(elites.genomes, goals, atol=0.05)


def test_parents_are_champions_of_any_goal():
    elites = Elites(3)
    elites.offer(["a", "b"], np.array([[1.0, 0, 0], [0, 1, 1]]))
    parents = elites.parents(300, np.random.default_rng(2))
    assert 70 < parents.count("a") < 130 and parents.count("b") == 300 - parents.count("a")


def _linear_net(weights, contrast=2.0):
    meta = Meta("none", (3, 2, 2), "RGB", 1.0, (0.5,) * 3, (1 / contrast,) * 3, "squash", 2)
    net = Net([("flat", Flatten()), ("fc", Linear(12, len(weights))), ("prob", Softmax())], meta=meta)
    net = net.astype("float64")
    net.load_state_dict({"fc.w": weights, "fc.b": np.zeros(len(weights))})
    return net


def test_a_step_along_the_gradient_of_a_linear_net():
    # Of two classes the gradient of log p(0) is a positive number times W[0] - W[1]. A step has a root mean square of
    # 1/255 of black to white, which is 2 in this net's input.
    weights = np.random.default_rng(3).standard_normal((2, 12))
    one, two = (fooling(_linear_net(weights), 0, way="gradient", steps=n, confidence=1 - 1e-12, seed=5) for n in (1, 2))
    slope = (weights[0] - weights[1]).reshape(1, 3, 2, 2)
    np.testing.assert_allclose(two - one, 2 / 255 * slope / np.sqrt(np.mean(slope**2)), rtol=1e-9)


def test_it_stays_between_black_and_white():
    # The slopes are equal in size: every value moves 1/255 a step, and all have arrived after 130.
    weights = np.stack([np.zeros(12), 0.01 * np.sign(np.random.default_rng(3).standard_normal(12))])
    x = fooling(_linear_net(weights), 1, way="gradient", steps=150, confidence=0.999)
    # Everything is at its end of the scale: -1 for black, 1 for white.
    expected = np.sign(weights[1] - weights[0]).reshape(1, 3, 2, 2)
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-12)


def test_the_gradient_makes_every_digit_sure(lenet):
    x = fooling(lenet, way="gradient", count=10)
    assert x.shape == (10, 1, 28, 28) and x.dtype == np.float32
    shares = _shares(lenet, x)
    assert (shares.max(axis=1) > 0.9959).all() and sorted(shares.argmax(axis=1)) == list(range(10))
    # It stops as soon as that is reached.
    assert (shares.max(axis=1) < 0.9995).all()


def test_one_class_by_gradient(lenet):
    x = fooling(lenet, 6, way="gradient", confidence=0.9)
    assert x.shape == (1, 1, 28, 28) and 0.9 <= _shares(lenet, x)[0, 6] < 0.99


def test_compositional_nets_reach_all_digits(lenet):
    x = fooling(lenet, way="cppn", steps=60, children=60, confidence=0.9, seed=1)
    shares = _shares(lenet, x)
    best = shares.max(axis=1)
    assert len(x) == 10 and (best > 0.9).sum() >= 7 and len(set(shares.argmax(axis=1))) >= 7
    assert (np.diff(best) < 1e-5).all()  # the surest first
    grey = np.unique(np.round((x * lenet.meta.std[0] + lenet.meta.mean[0]) * 255, 3))
    np.testing.assert_allclose(grey, np.round(grey), atol=2e-3)  # pictures of whole levels


def test_pixels_are_evolved(lenet):
    first, later = (
        _shares(lenet, fooling(lenet, 3, way="direct", steps=n, children=20, confidence=0.99))[0, 3] for n in (1, 40)
    )
    assert later > 0.05 and later > 10 * first, (first, later)


def test_evolution_stops_when_it_is_done(lenet, monkeypatch):
    calls = []
    monkeypatch.setattr(Elites, "parents", lambda self, count, rng: calls.append(1) or [self.genomes[0]] * count)
    x = fooling(lenet, 8, way="direct", steps=50, children=5, confidence=1e-6)
    assert len(x) == 1 and calls == []


@pytest.mark.parametrize("way", ["direct", "cppn"])
def test_so_many_classes(lenet, way):
    assert fooling(lenet, way=way, steps=2, children=4, count=3).shape == (3, 1, 28, 28)


@pytest.mark.parametrize("way", ["gradient", "direct", "cppn"])
def test_a_seed_repeats_it(lenet, way):
    def run(seed):
        return fooling(lenet, "ip2:2", way=way, steps=3, children=4, seed=seed)

    np.testing.assert_array_equal(run(1), run(1))
    assert np.abs(run(1) - run(2)).max() > 1e-3


def test_a_net_of_colours():
    weights = np.random.default_rng(6).standard_normal((4, 12)) * 4
    net = _linear_net(weights)
    x = fooling(net, way="cppn", steps=20, children=20, confidence=0.9)
    assert x.shape == (4, 3, 2, 2) and x.dtype == np.float64
    assert (_shares(net, x).max(axis=1) > 0.5).all()
    picture = METHODS["fooling"].picture(x, net)
    assert picture.mode == "RGB"


@pytest.mark.parametrize("way", ["gradient", "cppn"])
def test_interrupted_it_keeps_the_best_so_far(lenet, way, monkeypatch):
    from minicnn.vis.search import unit_box

    expected = fooling(lenet, 3, way=way, steps=2, children=5)
    calls, inner = [], unit_box._one_a_class

    def interrupted(net, out):
        calls.append(1)
        if len(calls) == 4:  # the first call counts the classes
            raise KeyboardInterrupt
        return inner(net, out)

    monkeypatch.setattr(unit_box, "_one_a_class", interrupted)
    with pytest.warns(StoppedEarly, match="fooling: interrupted"):
        x = fooling(lenet, 3, way=way, steps=9, children=5)
    np.testing.assert_array_equal(x, expected)


def test_the_bar_is_only_on_a_terminal(lenet, monkeypatch, capsys):
    fooling(lenet, 1, way="direct", steps=2, children=2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fooling(lenet, 1, way="direct", steps=3, children=2)
    out, err = capsys.readouterr()
    assert out == "" and "fooling: 100%" in err and "on average" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"way": "luck"}, "way is 'luck', expected gradient, direct or cppn"),
        ({"steps": 0}, "steps is 0, expected 1 or more"),
        ({"children": 0}, "children is 0, expected 1 or more"),
        ({"count": -1}, "count is -1, expected 1 or more"),
        ({"confidence": 1.0}, "confidence is 1.0, expected a number between 0 and 1"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"unit": "conv1:3"}, "conv1:3: a class is needed, 0 to 9"),
        ({"unit": 10}, "ip2:10: a class is needed, 0 to 9"),
    ],
)
def test_what_cannot_be(lenet, options, message):
    with pytest.raises(UsageError, match=message):
        fooling(lenet, **options)


def test_other_nets(lenet):
    with pytest.raises(UnknownNameError):
        fooling(lenet, "ostrich")
    net = _linear_net(np.eye(2, 12))
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        fooling(net, 1)


@pytest.mark.data
def test_googlenet_is_sure_of_an_ostrich(googlenet):
    x = fooling(googlenet, "ostrich", way="gradient", steps=60)
    assert _shares(googlenet, x)[0, 9] > 0.9959
    pixels = x * 1.0 + np.reshape((104, 117, 123), (1, 3, 1, 1))
    assert pixels.min() > -0.01 and pixels.max() < 255.01
