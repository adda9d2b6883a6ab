"""Class pictures: where the ascent must end, what it raises, and what Ctrl-C leaves."""

import sys

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import MinicnnError, UsageError
from minicnn.layers import Flatten, Linear, Softmax
from minicnn.meta import Meta
from minicnn.vis import class_model
from minicnn.vis.progress import StoppedEarly

W = np.random.default_rng(4).standard_normal((3, 12))


def _linear_net():
    """score = W x + b: the ascent has a closed form."""
    meta = Meta("none", (3, 2, 2), "RGB", 2.0, (0.1, 0.2, 0.3), (0.5, 1.0, 4.0), "squash", 2)
    net = Net([("flat", Flatten()), ("fc", Linear(12, 3)), ("prob", Softmax())], meta=meta).astype("float64")
    net.load_state_dict({"fc.w": W, "fc.b": np.ones(3)})
    return net


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_ascent_on_a_linear_net(steps):
    # With I = x / s, s = range / std = (4, 2, 1/2), the score is W (s I), so each step is
    #   I <- I + rate * (s W - 2 * penalty * I),   from I = 0,   which sums to a geometric series:
    #   I = (1 - (1 - 2 * rate * penalty)^steps) / (2 * penalty) * s W
    s = np.repeat([4, 2, 0.5], 4)
    series = (1 - (1 - 2 * 0.3 * 0.05) ** steps) / (2 * 0.05)
    expected = (s * series * s * W[1]).reshape(1, 3, 2, 2)
    x = class_model(_linear_net(), 1, steps=steps, learning_rate=0.3, penalty=0.05)
    np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_the_optimum_on_a_linear_net():
    # The slope is zero where I = s W / (2 * penalty).
    s = np.repeat([4, 2, 0.5], 4)
    x = class_model(_linear_net(), 2, steps=500, learning_rate=0.2, penalty=0.5)
    np.testing.assert_allclose(x.ravel(), s * s * W[2] / (2 * 0.5), rtol=1e-9)


def test_without_penalty_it_climbs_on():
    s = np.repeat([4, 2, 0.5], 4)
    x = class_model(_linear_net(), 0, steps=10, learning_rate=0.1, penalty=0.0)
    np.testing.assert_allclose(x.ravel(), s * 10 * 0.1 * s * W[0], rtol=1e-12)


@pytest.fixture
def lenet():
    """Random weights and biases: without these, black is where all ReLUs are at their kink, and nothing has a slope."""
    net, rng = minicnn.build("lenet_relu", seed=2), np.random.default_rng(2)
    for name, array in net.state_dict().items():
        if name.endswith(".b"):
            array[:] = rng.standard_normal(array.shape) / 10
    return net


def test_it_raises_the_class(backend, lenet):
    before = lenet(np.zeros((1, 1, 28, 28), np.float32))[0]
    for k in (0, 4, 9):
        x = class_model(lenet, k, steps=40, penalty=0.01)
        assert x.shape == (1, 1, 28, 28) and x.dtype == np.float32
        after = lenet(x)[0]
        assert before[k] < 0.3 and after[k] > 0.9 and after.argmax() == k


def test_it_is_the_score_and_not_the_probability():
    # The gradient of a probability near one vanishes; the score's does not.
    net = _linear_net()
    assert np.abs(class_model(net, 1, steps=50)).max() > 10 * np.abs(class_model(net, "prob:1", steps=50)).max()


def test_it_is_repeatable_and_the_same_by_name(lenet):
    by_name = class_model(lenet, "ip2:3", steps=3)
    assert by_name.any()
    np.testing.assert_array_equal(by_name, class_model(lenet, 3, steps=3))
    np.testing.assert_array_equal(by_name, class_model(lenet.freeze(), "3", steps=3))


def test_no_slope_to_climb():
    with pytest.raises(MinicnnError, match="ip2:3 does not change with the image around the mean colour"):
        class_model(minicnn.build("lenet_relu", seed=2), 3)


def test_a_net_without_meta():
    net = _linear_net()
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        class_model(net, "fc:1")


def test_interrupted_it_keeps_the_image_so_far(monkeypatch):
    expected = class_model(_linear_net(), 1, steps=3)
    net, passes = _linear_net(), []
    backward = net.backward

    def interrupted(*args, **kwargs):
        passes.append(1)
        if len(passes) == 4:
            raise KeyboardInterrupt
        return backward(*args, **kwargs)

    monkeypatch.setattr(net, "backward", interrupted)
    with pytest.warns(StoppedEarly, match="class_model: interrupted, this is the result so far"):
        x = class_model(net, 1, steps=10)
    np.testing.assert_array_equal(x, expected)


def test_the_bar_is_only_on_a_terminal(monkeypatch, capsys):
    class_model(_linear_net(), 0, steps=2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    class_model(_linear_net(), 0, steps=2, progress=False)
    assert capsys.readouterr() == ("", "")
    class_model(_linear_net(), 0, steps=2)
    out, err = capsys.readouterr()
    assert out == "" and "class_model: 100%" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0, expected 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"penalty": -1.0}, "penalty is -1.0, expected 0 or more"),
        ({"penalty": 2.5}, "penalty is 2.5, expected 0 or more, and below 2.5"),
        ({"penalty": float("nan")}, "penalty is nan"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        class_model(_linear_net(), 1, **options)


@pytest.mark.data
def test_googlenet_goes_to_the_class(googlenet):
    x = class_model(googlenet, "flamingo", steps=25)
    assert googlenet(x)[0, 130] > 0.99
