"""Octaves and resizing: closed forms, and Pillow's own resizing of floating-point pictures."""

import numpy as np
import pytest
from PIL import Image

from minicnn.errors import UsageError
from minicnn.kernels.errors import DTypeError, ShapeError
from minicnn.vis.search.pyramid import octave_sizes, resize


def test_octaves_from_small_to_large():
    assert octave_sizes(575, 1024, 4, 1.4) == [(210, 373), (293, 522), (411, 731), (575, 1024)]
    assert octave_sizes(8, 4, 3, 2) == [(2, 1), (4, 2), (8, 4)]
    assert octave_sizes(7, 9, 1, 1.4) == [(7, 9)]


def test_octaves_end_where_they_are_too_small():
    assert octave_sizes(100, 300, 5, 2, least=40) == [(50, 150), (100, 300)]
    assert octave_sizes(100, 300, 5, 2, least=50) == [(50, 150), (100, 300)]
    assert octave_sizes(30, 30, 3, 2, least=40) == [(30, 30)]
    assert octave_sizes(4, 4, 9, 2) == [(1, 1), (2, 2), (4, 4)]  # 0.5 is rounded to nothing


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((8, 8, 0, 1.4), "octaves is 0, expected 1 or more"),
        ((8, 8, 2, 1.0), "ratio is 1.0, expected a number above 1"),
        ((8, 8, 2, float("nan")), "ratio is nan"),
        ((0, 8, 2, 1.4), "an image of 0x8 has no octaves"),
    ],
)
def test_octaves_that_make_no_sense(numbers, message):
    with pytest.raises(UsageError, match=message):
        octave_sizes(*numbers)


@pytest.mark.parametrize("size", [(5, 7), (13, 20), (3, 2), (1, 1), (40, 3), (9, 11), (8, 12)])
def test_it_is_pillows_bilinear(size):
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 11)).astype(np.float32)
    out = resize(x, size)
    assert out.shape == (2, 3, *size) and out.dtype == np.float32
    for n in range(2):
        for c in range(3):
            expected = Image.fromarray(x[n, c]).resize(size[::-1], Image.Resampling.BILINEAR)
            np.testing.assert_allclose(out[n, c], np.asarray(expected), rtol=0, atol=2e-6)


def test_by_hand():
    x = np.array([0.0, 4.0]).reshape(1, 1, 1, 2)
    np.testing.assert_allclose(resize(x, (1, 4)).ravel(), [0, 1, 3, 4], rtol=1e-15)
    # Half the size: the weights of the triangle 1/4, 3/4, 3/4, 1/4, of which the first falls off at the border.
    x = np.array([7.0, 0.0, 14.0, 0.0]).reshape(1, 1, 4, 1)
    np.testing.assert_allclose(resize(x, (2, 1)).ravel(), [(3 * 7 + 14) / 7, 3 * 14 / 7], rtol=1e-15)


def test_what_stays():
    x = np.random.default_rng(1).standard_normal((1, 2, 6, 5))
    kept = x.copy()
    same = resize(x, (6, 5))
    np.testing.assert_array_equal(same, x)
    assert not np.shares_memory(same, x)
    resize(x, (12, 2))
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_allclose(resize(np.full((1, 1, 7, 9), 3.5), (4, 23)), 3.5, rtol=1e-15)


def test_fine_patterns_do_not_become_coarse_ones():
    stripes = np.zeros((1, 1, 64, 64)) + np.where(np.arange(64) % 2, 1.0, -1.0)
    assert (
        np.abs(resize(stripes, (46, 46))).max() < 0.4
    )  # of 1; picking the nearest would leave stripes of full strength
    assert np.abs(resize(stripes, (16, 16))[..., 1:-1]).max() < 1e-12


def test_shapes_and_types():
    with pytest.raises(ShapeError, match=r"x is \(3,4,5\)"):
        resize(np.zeros((3, 4, 5)), (2, 2))
    with pytest.raises(ShapeError, match="none of them 0"):
        resize(np.zeros((1, 3, 4, 5)), (0, 2))
    with pytest.raises(DTypeError):
        resize(np.zeros((1, 3, 4, 5), np.int64), (2, 2))
