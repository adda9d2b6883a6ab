"""Attacks where the answer is known, and evaluation by hand."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import MinicnnError
from minicnn.layers import Flatten, Linear
from minicnn.meta import Meta
from minicnn.train.adversarial import Attack, loss_gradient, pixel_range
from minicnn.train.evaluate import evaluate

W = np.array([[1.0, -2.0, 0.5, 3.0], [-1.0, 1.0, 0.25, 1.0]])


def _net(range_=2.0, mean=0.5, std=0.25):
    meta = Meta("none", (1, 2, 2), "L", range_, (mean,), (std,), "squash", 2)
    net = Net([("flat", Flatten()), ("fc", Linear(4, 2))], meta=meta).astype("float64")
    net.load_state_dict({"fc.w": W, "fc.b": np.zeros(2)})
    return net


def test_black_white_and_a_step_between():
    black, white, unit = (float(v[0, 0, 0, 0]) for v in pixel_range(_net()))
    assert (black, white, unit) == pytest.approx((-2, 6, 8 / 255))


def test_fgsm_on_a_linear_net():
    """The loss of class 0 rises along w1 - w0, whatever the image: every pixel moves by eps in that sign."""
    x = np.full((2, 1, 2, 2), 1.0)
    moved = Attack(eps=4, step=4, steps=1, start=False)(_net(), x, np.array([0, 1]))
    sign = np.sign(W[1] - W[0]).reshape(2, 2)
    np.testing.assert_allclose(moved, x + 4 * 8 / 255 * np.stack([sign, -sign])[:, None], rtol=1e-12)


def test_it_ends_in_the_corner_and_never_leaves_cube_or_range():
    net, rng = _net(), np.random.default_rng(0)
    x = rng.uniform(-2, 6, (20, 1, 2, 2))
    labels = rng.integers(0, 2, 20)
    moved = Attack(eps=8, step=2, steps=12)(net, x, labels, rng)
    sign = np.where(labels == 0, 1, -1)[:, None] * np.sign(W[1] - W[0])
    corner = np.clip(x + 8 * 8 / 255 * sign.reshape(-1, 1, 2, 2), -2, 6)
    np.testing.assert_allclose(moved, corner, rtol=1e-12)


def test_the_start_is_random_uniform_and_seeded():
    net = _net()
    x, labels = np.full((4000, 1, 2, 2), 2.0), np.zeros(4000, int)
    attack = Attack(eps=10, step=1e-9, steps=1)
    first, second = (attack(net, x, labels, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    noise = (first - 2) / (80 / 255)
    assert abs(noise).max() <= 1 + 1e-9 and abs(noise).max() > 0.99
    assert abs(noise.mean()) < 0.02 and noise.var() == pytest.approx(1 / 3, rel=0.03)


def test_the_gradient_is_that_of_the_loss():
    x, labels = np.random.default_rng(1).standard_normal((3, 1, 2, 2)), np.array([0, 1, 1])
    p = np.exp(x.reshape(3, 4) @ W.T)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(3), labels] -= 1
    np.testing.assert_allclose(loss_gradient(_net(), x, labels), (p @ W / 3).reshape(x.shape), rtol=1e-10)


@pytest.mark.parametrize("options", [{"eps": 0}, {"eps": 256}, {"step": -1}, {"steps": 0}, {"steps": 1.5}])
def test_attacks_that_make_no_sense(options):
    with pytest.raises(MinicnnError, match=next(iter(options))):
        Attack(**options)


def test_a_net_that_does_not_say_its_range():
    net = _net()
    net.meta = None
    with pytest.raises(MinicnnError, match="black and white"):
        Attack()(net, np.zeros((1, 1, 2, 2)), np.array([0]), np.random.default_rng(0))


def test_evaluation_by_hand():
    # Scores are the pixels through W: image k has answers that are plain to see.
    x = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]], float).reshape(4, 1, 2, 2)
    labels = np.array([0, 1, 1, 1])
    found = evaluate(_net(), [(x[:3], labels[:3]), (x[3:], labels[3:])])
    np.testing.assert_array_equal(found.confusion, [[1, 0], [2, 1]])
    gaps = np.array([2.0, 3.0, -2.0, -2.0])  # the label's score above the other's
    assert found.count == 4 and found.accuracy == 0.5
    assert found.loss == pytest.approx(np.log1p(np.exp(-gaps)).mean(), rel=1e-9)


def test_several_nets_average_their_probabilities():
    other = _net()
    other.load_state_dict({"fc.w": -3 * W, "fc.b": np.zeros(2)})
    x, labels = np.random.default_rng(2).standard_normal((9, 1, 2, 2)), np.arange(9) % 2
    found = evaluate([_net(), other], [(x, labels)])
    gap = x.reshape(9, 4) @ (W[0] - W[1])
    p0 = (1 / (1 + np.exp(-gap)) + 1 / (1 + np.exp(3 * gap))) / 2
    p = np.where(labels == 0, p0, 1 - p0)
    assert found.loss == pytest.approx(-np.log(p).mean(), rel=1e-9)
    assert found.accuracy == pytest.approx((p > 0.5).mean())
