"""L-BFGS and Adam between black and white: closed forms."""

import sys

import numpy as np
import pytest

from minicnn.extras import MissingExtraError
from minicnn.vis.search.descent import adam, lbfgs


def _bowl(goal, slopes):
    def loss(image):
        return 0.5 * np.sum(slopes * (image - goal) ** 2), slopes * (image - goal)

    return loss


def test_both_end_at_the_nearest_point_of_the_box():
    rng = np.random.default_rng(0)
    goal, slopes = rng.uniform(-1, 2, (1, 3, 4, 5)), rng.uniform(0.5, 5, (1, 3, 4, 5))
    for descend, steps, rate, close in ((lbfgs, 40, {}, 1e-6), (adam, 400, {"rate": 0.02}, 1e-3)):
        image, count = rng.uniform(size=goal.shape), []
        descend(image, _bowl(goal, slopes), steps, lambda count=count: count.append(1), **rate)
        np.testing.assert_allclose(image, np.clip(goal, 0, 1), rtol=0, atol=close)
        assert 0 < len(count) <= steps


def test_adams_first_step_is_the_rate():
    image = np.full((1, 1, 1, 3), 0.5)
    adam(image, _bowl(np.array([[[[0.0, 0.5, 1.0]]]]), 1.0), 1, lambda: None, rate=0.125)
    np.testing.assert_allclose(image.ravel(), [0.375, 0.5, 0.625], rtol=0, atol=1e-7)


def test_lbfgs_takes_so_many_steps_and_lowers_the_loss_at_each():
    values, goal = [], np.random.default_rng(1).uniform(size=(1, 1, 6, 6))
    loss = _bowl(goal, np.linspace(1, 50, 36).reshape(goal.shape))
    image = np.zeros(goal.shape)
    lbfgs(image, loss, 5, lambda: values.append(loss(image)[0]))
    assert len(values) == 5 and (np.diff([loss(np.zeros(goal.shape))[0], *values]) < 0).all()


def test_what_ctrl_c_leaves():
    goal, calls = np.full((1, 1, 2, 2), 0.7), []

    def loss(image):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return _bowl(goal, np.array([1.0, 9.0, 25.0, 64.0]).reshape(goal.shape))(image)

    image = np.zeros(goal.shape)
    with pytest.raises(KeyboardInterrupt):
        lbfgs(image, loss, 50, lambda: None)
    assert image.any()


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match=r'pip install "minicnn\[optimise\]"'):
        lbfgs(np.zeros((1, 1, 2, 2)), lambda image: (0.0, image), 3, lambda: None)
