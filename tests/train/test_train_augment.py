"""Augmentation against plain loops that are told what was drawn."""

import math

import numpy as np
import pytest

from minicnn.errors import UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.train.augment import (
    affine,
    colour_jitter,
    cutout,
    flip,
    lighting,
    noise,
    principal_colours,
    random_crop,
    scale,
)


def batch(dtype, N=40, C=3, H=5, W=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (N, C, H, W)).astype(dtype)


def rng():
    return np.random.default_rng(7)


EVERY = {
    "random_crop": lambda images, rng: random_crop(images, rng, pad=2),
    "flip": flip,
    "scale": scale,
    "colour_jitter": colour_jitter,
    "lighting": lambda images, rng: lighting(images, rng, np.array([0.2, 0.1, 0.05]), np.eye(3)),
    "cutout": lambda images, rng: cutout(images, rng, 3, (125.3, 122.9, 113.4)),
    "noise": lambda images, rng: noise(images, rng, 16),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", EVERY)
def test_what_all_have_in_common(name, dtype):
    images = batch(dtype)
    before = images.copy()
    out = EVERY[name](images, rng())
    assert out.shape == images.shape and out.dtype == dtype
    assert (images == before).all() and not np.shares_memory(out, images)
    assert (out != images).any() and out.min() >= 0 and out.max() <= 255
    assert (EVERY[name](images, rng()) == out).all()
    assert (EVERY[name](images, np.random.default_rng(8)) != out).any()
    assert EVERY[name](images[:0], rng()).shape == (0, 3, 5, 6)


@pytest.mark.parametrize("name", ["scale", "colour_jitter", "lighting", "cutout", "noise"])
def test_bytes_are_the_rounded_floats(name):
    found = EVERY[name](batch(np.uint8), rng())
    exact = EVERY[name](batch(np.float64), rng())
    assert np.abs(found - exact).max() <= 0.5 + 1e-4


def window(image, top, left, OH, OW):
    C, H, W = image.shape
    out = np.zeros((C, OH, OW), image.dtype)
    for i in range(OH):
        for j in range(OW):
            if 0 <= i + top < H and 0 <= j + left < W:
                out[:, i, j] = image[:, i + top, j + left]
    return out


@pytest.mark.parametrize("size, pad", [(None, 2), ((3, 4), 0), ((4, 2), 1), ((5, 6), 0)])
def test_a_crop_is_a_window(size, pad):
    images = batch(np.uint8, N=300)
    out = random_crop(images, rng(), size, pad)
    OH, OW = size or (5, 6)
    tops, lefts = range(-pad, 5 + pad - OH + 1), range(-pad, 6 + pad - OW + 1)
    seen = set()
    for image, found in zip(images, out):
        fits = [(t, l) for t in tops for l in lefts if (window(image, t, l, OH, OW) == found).all()]
        assert fits
        seen.update(fits)
    assert seen == {(t, l) for t in tops for l in lefts}, "a place that never comes"


def test_a_window_must_fit():
    with pytest.raises(ShapeError, match=r"6x6 does not fit into images \(40,3,5,6\) with pad 0"):
        random_crop(batch(np.uint8), rng(), (6, 6))


def test_half_of_the_images_are_flipped():
    images = batch(np.uint8, N=400)
    flipped = 0
    for image, found in zip(images, flip(images, rng())):
        turned = np.array([[list(reversed(row)) for row in channel] for channel in image.tolist()])
        assert (found == image).all() or (found == turned).all()
        flipped += int((found == turned).all())
    assert 160 < flipped < 240


class Drawn:
    """A generator that draws what it is told, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def uniform(self, *args):
        self.asked.append(args)
        return np.asarray(self.answers.pop(0))

    normal = random = uniform

    def integers(self, *args, size):
        self.asked.append(args)
        return np.asarray(self.answers.pop(0))


def scaled(image, s):
    C, H, W = image.shape
    out = np.zeros((C, H, W))
    for i in range(H):
        for j in range(W):
            y = min(max((i - (H - 1) / 2) / s + (H - 1) / 2, 0), H - 1)
            x = min(max((j - (W - 1) / 2) / s + (W - 1) / 2, 0), W - 1)
            for yy in range(H):
                for xx in range(W):
                    out[:, i, j] += image[:, yy, xx] * max(0, 1 - abs(y - yy)) * max(0, 1 - abs(x - xx))
    return out


def test_scale_by_hand():
    images = batch(np.float64, N=4)
    factors = [0.5, 1.0, 1.3, 3.0]
    drawn = Drawn(np.log(factors))
    found = scale(images, drawn, 0.5, 3)
    assert drawn.asked == [(math.log(0.5), math.log(3), 4)]
    for image, out, s in zip(images, found, factors):
        np.testing.assert_allclose(out, scaled(image, s), atol=1e-3)
    np.testing.assert_allclose(found[1], images[1], atol=1e-4)


@pytest.mark.parametrize("low, high", [(0, 1), (-1, 2), (1.2, 0.8)])
def test_scales_that_cannot_be(low, high):
    with pytest.raises(UsageError, match="low <= high"):
        scale(batch(np.uint8), rng(), low, high)


def hold(v):
    return min(max(v, 0.0), 255.0)


def jittered(image, b, c, s):
    _, H, W = image.shape
    pixels = [[hold(b * v) for v in image[:, i, j]] for i in range(H) for j in range(W)]
    grey = [0.299 * r + 0.587 * g + 0.114 * bl for r, g, bl in pixels]
    mean = sum(grey) / len(grey)
    pixels = [[hold(c * v + (1 - c) * mean) for v in p] for p in pixels]
    grey = [0.299 * r + 0.587 * g + 0.114 * bl for r, g, bl in pixels]
    pixels = [[hold(s * v + (1 - s) * k) for v in p] for p, k in zip(pixels, grey)]
    return np.array(pixels).T.reshape(3, H, W)


def test_colour_jitter_by_hand():
    images = batch(np.float64, N=3)
    factors = [(0.7, 1.2, 0.9), (1.3, 0.6, 1.25), (1.0, 1.0, 0.0)]
    drawn = Drawn(*[np.reshape(f, (3, 1, 1, 1)) for f in zip(*factors)])
    found = colour_jitter(images, drawn, 0.3, 0.4, 1.0)
    low_high = [args[:2] for args in drawn.asked]
    np.testing.assert_allclose(low_high, [(0.7, 1.3), (0.6, 1.4), (0.0, 2.0)])
    for image, out, three in zip(images, found, factors):
        np.testing.assert_allclose(out, jittered(image, *three), atol=1e-3)
    assert np.ptp(found[2], axis=0).max() < 1e-3, "without saturation it is grey"


def test_principal_colours():
    images = batch(np.uint8, N=30)
    images[:, 1] = images[:, 0] // 2 + 20  # so that there is a direction to find
    values, vectors = principal_colours(images)
    pixels = [image[:, i, j] / 255 for image in images for i in range(5) for j in range(6)]
    covariance = np.cov(np.array(pixels).T, bias=True)
    for value, vector in zip(values, vectors.T):
        np.testing.assert_allclose(covariance @ vector, value * vector, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-12)
    assert values[0] > values[1] > values[2] >= -1e-12


def test_principal_colours_in_parts():
    images = batch(np.uint8, N=2300, H=2, W=2)
    pixels = images.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    np.testing.assert_allclose(principal_colours(images)[0].sum(), pixels.var(axis=1).sum(), rtol=1e-12)


def test_lighting_by_hand():
    images = batch(np.float64, N=2) / 4 + 90
    values, vectors = np.array([0.3, 0.1, 0.02]), np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    a = [(0.1, -0.2, 0.3), (0.0, 0.5, -0.1)]
    drawn = Drawn(a)
    found = lighting(images, drawn, values, vectors, 0.15)
    assert drawn.asked == [(0, 0.15, (2, 3))]
    for n in range(2):
        for c in range(3):
            added = 255 * sum(a[n][k] * values[k] * vectors[c, k] for k in range(3))
            np.testing.assert_allclose(found[n, c], images[n, c] + added, atol=1e-4)


@pytest.mark.parametrize("side", [1, 2, 3, 20])
def test_cutout_by_hand(side):
    images = batch(np.uint8, N=4)
    y, x = [0, 4, 2, 1], [0, 5, 3, 4]
    fill = (10.4, 20.6, 30)
    drawn = Drawn(y, x)
    found = cutout(images, drawn, side, fill)
    assert drawn.asked == [(5,), (6,)]
    expected = images.copy()
    for n in range(4):
        for i in range(y[n] - side // 2, y[n] - side // 2 + side):
            for j in range(x[n] - side // 2, x[n] - side // 2 + side):
                if 0 <= i < 5 and 0 <= j < 6:
                    expected[n, :, i, j] = (10, 21, 30)
    assert (found == expected).all()


def test_noise_by_hand():
    images = np.float64([0, 100, 250]).reshape(1, 3, 1, 1)
    drawn = Drawn(np.float32([0.25, 0.75, 0.875]).reshape(1, 3, 1, 1))
    assert noise(images, drawn, 16).ravel().tolist() == [0, 108, 255]
    assert drawn.asked == [((1, 3, 1, 1), np.float32)]


@pytest.mark.parametrize("name", ["colour_jitter", "lighting"])
def test_colour_needs_three_channels(name):
    with pytest.raises(ShapeError, match=r"\(40,1,5,6\), expected \(N,3,H,W\)"):
        EVERY[name](batch(np.uint8, C=1), rng())


@pytest.mark.parametrize("name", ["flip", "random_crop", "scale"])
def test_moves_take_any_channels(name):
    assert EVERY[name](batch(np.uint8, C=1), rng()).shape == (40, 1, 5, 6)


# affine ------------------------------------------------------------------------------------------------------------


def test_affine_leaves_images_where_nothing_may_move():
    images = batch(np.uint8)
    np.testing.assert_array_equal(affine(images, rng(), 0.0, 0.0, 0), images)
    before = images.copy()
    out = affine(images, rng())
    assert out.shape == images.shape and (out != images).any() and (images == before).all()
    assert (affine(images, rng()) == out).all()
    with pytest.raises(ShapeError, match="of type uint8, not float32"):
        affine(images.astype(np.float32), rng())


def test_affine_moves_over_black_by_no_more_than_is_said():
    images = np.zeros((300, 1, 28, 30), np.uint8)
    images[:, :, 9:12, 19:22] = 255  # centred at row 10, column 20
    moved = affine(images, rng(), 0.0, 0.0, 2)[:, 0].astype(float)
    rows, columns = np.arange(28)[:, None], np.arange(30)
    y, x = ((moved * at).sum((1, 2)) / moved.sum((1, 2)) for at in (rows, columns))
    assert abs(y - 10).max() <= 2.01 and abs(x - 20).max() <= 2.01
    assert np.ptp(y) > 3.5 and np.ptp(x) > 3.5
    np.testing.assert_allclose(moved.sum((1, 2)), 9 * 255, rtol=0.02)


def test_affine_turns_about_the_middle_and_grows():
    images = np.zeros((300, 1, 28, 28), np.uint8)
    images[:, :, 13:15, 4:24] = 255  # a lying bar, 20 long and 2 thick, in the middle
    area = affine(images, rng(), 0.0, 0.15, 0).astype(float).sum((1, 2, 3)) / (255 * 40)
    assert 0.6 < area.min() < 0.8 and 1.2 < area.max() < 1.45  # from 0.85 to 1.15, squared; thin bars are coarse
    turned = affine(images, rng(), 0.2, 0.0, 0)[:, 0]
    heights = [np.ptp(np.nonzero(image > 100)[0]) + 1 for image in turned]
    assert min(heights) == 2 and max(heights) >= 5  # 2 + 20 * sin(0.2) = 6 with round ends
    np.testing.assert_allclose(turned[:, 13:15, 13:15], 255, atol=60)  # the middle stays, but for soft edges
