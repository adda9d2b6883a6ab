"""Penalties against central differences and closed forms; blurring and clipping against plain loops."""

import math

import numpy as np
import pytest

from minicnn.errors import UsageError
from minicnn.vis.search.regularisers import (
    alpha_norm,
    blur,
    clip_small_contribution,
    clip_small_norm,
    squared_norm,
    total_variation,
)

X = np.random.default_rng(3).standard_normal((2, 3, 5, 4))

PENALTIES = {
    "squared_norm": squared_norm,
    "alpha_norm 1": lambda x: alpha_norm(x, 1),
    "alpha_norm 6": lambda x: alpha_norm(x, 6),
    "total_variation 1": lambda x: total_variation(x, 1.0),
    "total_variation 2": total_variation,
    "total_variation 2.5": lambda x: total_variation(x, 2.5),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_against_central_differences(name):
    penalty, h = PENALTIES[name], 1e-5
    values, dx = penalty(X)
    assert values.shape == (2,) and dx.shape == X.shape
    for k in range(X.size):
        step = np.zeros(X.size)
        step[k] = h
        step = step.reshape(X.shape)
        slope = (penalty(X + step)[0] - penalty(X - step)[0]) / (2 * h)
        expected = np.zeros(2)
        expected[k // 60] = dx.flat[k]
        np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-7)


def test_norms_by_hand():
    x = np.array([3.0, -1.0, 0.0, 2.0]).reshape(1, 1, 2, 2)
    assert squared_norm(x)[0] == [14]
    assert alpha_norm(x, 1)[0] == [6]
    values, dx = alpha_norm(x, 6)
    assert values == [729 + 1 + 64]
    np.testing.assert_array_equal(dx.ravel(), [6 * 243, -6, 0, 6 * 32])
    np.testing.assert_array_equal(alpha_norm(x, 1)[1].ravel(), [1, -1, 0, 1])


@pytest.mark.parametrize("beta", [1.0, 2.0, 3.0])
def test_total_variation_by_a_plain_loop(beta):
    expected = np.zeros(2)
    for n in range(2):
        for c in range(3):
            for i in range(5):
                for j in range(4):
                    right = X[n, c, i, j + 1] - X[n, c, i, j] if j + 1 < 4 else 0
                    down = X[n, c, i + 1, j] - X[n, c, i, j] if i + 1 < 5 else 0
                    expected[n] += (right**2 + down**2) ** (beta / 2)
    np.testing.assert_allclose(total_variation(X, beta)[0], expected, rtol=1e-12)


def test_total_variation_of_a_step_edge():
    # One row of pixels differs from the next by h: each of the W pixels of that row costs |h|^beta.
    x = np.zeros((1, 1, 4, 6))
    x[:, :, 2:] = 3
    for beta in (0.5, 1.0, 2.0, 4.0):
        assert total_variation(x, beta)[0] == pytest.approx(6 * 3**beta)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_nothing_pulls_where_all_is_flat(beta):
    values, dx = total_variation(np.full((1, 2, 4, 4), 7.0), beta)
    assert values == [0] and not dx.any() and np.isfinite(dx).all()
    edge = np.zeros((1, 1, 4, 6))
    edge[:, :, 2:] = 3
    dx = total_variation(edge, beta)[1]
    assert np.isfinite(dx).all() and dx[0, 0, 1].all() and not dx[0, 0, 0].any() and not dx[0, 0, 3].any()


def _mirrored(index, size):
    """... 2 1 0 | 0 1 2 ... size-1 | size-1 ..."""
    index %= 2 * size
    return index if index < size else 2 * size - 1 - index


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.3])
def test_blur_by_a_plain_loop(sigma):
    reach = round(4 * sigma)
    g = {k: math.exp(-k * k / (2 * sigma**2)) for k in range(-reach, reach + 1)}
    total = sum(g.values())
    expected = np.zeros_like(X)
    for i in range(5):
        for j in range(4):
            for k in g:
                for l in g:
                    expected[:, :, i, j] += g[k] * g[l] / total**2 * X[:, :, _mirrored(i + k, 5), _mirrored(j + l, 4)]
    np.testing.assert_allclose(blur(X, sigma), expected, rtol=1e-10, atol=1e-12)


def test_blur_as_scipy_has_it():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = np.random.default_rng(1).standard_normal((1, 2, 20, 31))
    np.testing.assert_allclose(blur(x, 1.7), ndimage.gaussian_filter(x, (0, 0, 1.7, 1.7)), rtol=1e-10, atol=1e-12)


def test_blur_keeps_a_constant_and_the_sum():
    np.testing.assert_allclose(blur(np.full((1, 1, 3, 9), 2.0), 1.5), 2.0, rtol=1e-12)
    np.testing.assert_allclose(blur(X, 1.0).sum(), X.sum(), rtol=1e-10)
    np.testing.assert_array_equal(blur(X, 0), X)


def test_small_norms():
    # Norms over the two channels: 5, 1, 0, 13 in the first image, all the same in the second.
    x = np.array([[[[3, 1], [0, 5]], [[4, 0], [0, -12]]], [[[1, -1], [1, 1]], [[0, 0], [0, 0]]]], np.float64)
    half = clip_small_norm(x, 50)  # the median of the first is 3
    np.testing.assert_array_equal(half[0], [[[3, 0], [0, 5]], [[4, 0], [0, -12]]])
    np.testing.assert_array_equal(half[1], x[1])
    np.testing.assert_array_equal(clip_small_norm(x, 0), x)
    np.testing.assert_array_equal(clip_small_norm(x, 100)[0], [[[0, 0], [0, 5]], [[0, 0], [0, -12]]])


def test_small_contributions():
    # Contributions: |3*1 + 4*(-1)| = 1, |1*8 + 0| = 8, 0, |5*2 - 12*1| = 2; what a channel adds another may take.
    x = np.array([[[[3, 1], [0, 5]], [[4, 0], [0, -12]]]], np.float64)
    dx = np.array([[[[1, 8], [9, 2]], [[-1, 0], [9, 1]]]], np.float64)
    half = clip_small_contribution(x, dx, 50)  # the median is 1.5
    np.testing.assert_array_equal(half, [[[[0, 1], [0, 5]], [[0, 0], [0, -12]]]])
    np.testing.assert_array_equal(clip_small_contribution(x, dx, 0), x)


def test_that_share_of_the_pixels_goes():
    x = np.random.default_rng(5).standard_normal((3, 3, 20, 20))
    for percentile in (20, 50, 90):
        gone = (clip_small_norm(x, percentile) == 0).all(axis=1).mean(axis=(1, 2))
        np.testing.assert_allclose(gone, percentile / 100, atol=0.01)


def test_nothing_is_written_to_its_input():
    x, dx = X.copy(), X[::-1].copy()
    clip_small_norm(x, 50), clip_small_contribution(x, dx, 50), blur(x, 1.0), total_variation(x), alpha_norm(x, 6)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(dx, X[::-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alpha_norm(X, 0.5), "alpha is 0.5, expected a number of 1 or more"),
        (lambda: total_variation(X, 0), "beta is 0, expected a number above 0"),
        (lambda: total_variation(X, float("nan")), "beta is nan"),
        (lambda: blur(X, -1.0), "sigma is -1.0, expected a number of 0 or more"),
        (lambda: clip_small_norm(X, 101), "percentile is 101, expected a number from 0 to 100"),
        (lambda: clip_small_contribution(X, X, -1), "percentile is -1"),
    ],
)
def test_what_makes_no_sense(call, message):
    with pytest.raises(UsageError, match=message):
        call()
