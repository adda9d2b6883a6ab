"""Moves of the image: closed forms, a plain-loop twin, and adjoints by inner products."""

import math

import numpy as np
import pytest

from minicnn.errors import UsageError
from minicnn.vis.search.jitter import shift, warp, warp_adjoint

RNG = np.random.default_rng(8)
X, Y = RNG.standard_normal((2, 2, 3, 7, 6))
MOVES = [(1.0, 0.0), (1.3, 0.0), (0.7, 20.0), (1.0, 90.0), (2.5, -33.0), (0.05, 5.0)]


def test_a_shift_wraps_around():
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(shift(x, 0, 1)[0, 0], [[2, 0, 1], [5, 3, 4]])
    np.testing.assert_array_equal(shift(x, 1, 0)[0, 0], [[3, 4, 5], [0, 1, 2]])
    np.testing.assert_array_equal(shift(shift(X, 3, -5), -3, 5), X)
    assert (shift(X, 2, -9) * Y).sum() == pytest.approx((X * shift(Y, -2, 9)).sum())


@pytest.mark.parametrize(("scale", "angle"), MOVES)
def test_the_adjoint(scale, angle):
    assert (warp(X, scale, angle) * Y).sum() == pytest.approx((X * warp_adjoint(Y, scale, angle)).sum(), rel=1e-12)


def test_nothing_moves_at_scale_1_and_angle_0():
    np.testing.assert_array_equal(warp(X, 1.0, 0.0), X)
    np.testing.assert_array_equal(warp_adjoint(X, 1.0, 0.0), X)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3), (360, 4)])
def test_quarter_turns_of_a_square_are_exact(angle, turns):
    x = RNG.standard_normal((2, 3, 5, 5))
    np.testing.assert_allclose(warp(x, 1.0, angle), np.rot90(x, turns, axes=(2, 3)), atol=1e-12)


@pytest.mark.parametrize(("scale", "angle"), MOVES)
def test_a_warp_by_a_plain_loop(scale, angle):
    H, W = 7, 6
    expected, turn = np.zeros_like(X), math.radians(angle)
    for i in range(H):
        for j in range(W):
            # Coordinates with y upwards, turned back by the angle.
            u, v = (j - 2.5) / scale, -(i - 3) / scale
            u, v = math.cos(turn) * u + math.sin(turn) * v, -math.sin(turn) * u + math.cos(turn) * v
            y, x = 3 - v, 2.5 + u
            for a in range(H):
                for b in range(W):
                    weight = max(0, 1 - abs(y - a)) * max(0, 1 - abs(x - b))
                    expected[:, :, i, j] += weight * X[:, :, a, b]
    np.testing.assert_allclose(warp(X, scale, angle), expected, atol=1e-12)


def test_a_warp_enlarges_about_the_centre():
    x = np.zeros((1, 1, 9, 9))
    x[0, 0, 3:6, 3:6] = 1
    large = warp(x, 2.0, 0.0)
    assert large[0, 0, 2:7, 2:7].min() == 1 and large.sum() == pytest.approx(4 * 9)


def test_beyond_the_edge_is_0_and_an_edge_is_not():
    small = warp(np.ones((1, 1, 8, 8)), 0.5, 0.0)
    assert small[0, 0, 0].max() == 0 and small[0, 0, 3:5, 3:5].min() == 1
    np.testing.assert_allclose(warp(np.ones((1, 1, 5, 5)), 1.0, 90.0), 1, atol=1e-12)


def test_the_dtype_stays_and_the_input_too():
    x = X.astype(np.float32)
    before = x.copy()
    assert warp(x, 1.1, 3.0).dtype == warp_adjoint(x, 1.1, 3.0).dtype == shift(x, 1, 1).dtype == np.float32
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(("scale", "angle"), [(0, 0), (-1, 0), (float("nan"), 0), (1, float("inf"))])
def test_what_makes_no_sense(scale, angle):
    with pytest.raises(UsageError, match="expected a number above 0 and a number"):
        warp(X, scale, angle)
