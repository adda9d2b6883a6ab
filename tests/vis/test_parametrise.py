"""The parametrisations: inverses, adjoints by inner products, and waves by hand."""

import numpy as np
import pytest

from minicnn.vis.search.parametrise import COLOURS, Fourier, Pixels

RNG = np.random.default_rng(6)
SHAPES = [(2, 3, 8, 8), (1, 3, 7, 5), (1, 1, 6, 9), (2, 4, 5, 6), (1, 3, 1, 1), (1, 1, 2, 2)]


@pytest.mark.parametrize("space", [Pixels, Fourier])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_inverse_and_the_adjoint(space, shape, order):
    space, x = space(shape, order), RNG.standard_normal(shape)
    params = space.params(x)
    np.testing.assert_allclose(space.image(params), x, atol=1e-12)
    # Parameters that no image has, too: the imaginary part at frequency 0 among them.
    params = RNG.standard_normal(params.shape)
    image = space.image(params)
    assert image.shape == shape and image.dtype == np.float64 and space.pull(x).shape == params.shape
    assert (image * x).sum() == pytest.approx((params * space.pull(x)).sum(), rel=1e-10, abs=1e-10)


def test_the_gradient_against_central_differences():
    space, h = Fourier((1, 3, 4, 5)), 1e-5
    params, target = RNG.standard_normal((1, 3, 4, 3, 2)), RNG.standard_normal((1, 3, 4, 5))

    def loss(p):
        return ((space.image(p) - target) ** 2).sum() / 2

    expected = np.zeros(params.size)
    for k in range(params.size):
        step = np.zeros(params.size)
        step[k] = h
        expected[k] = (loss(params + step.reshape(params.shape)) - loss(params - step.reshape(params.shape))) / (2 * h)
    found = space.pull(space.image(params) - target)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6, atol=1e-8)


def test_pixels_are_copies():
    x = RNG.standard_normal((1, 3, 2, 2))
    space = Pixels(x.shape)
    for copy in (space.params(x), space.image(x), space.pull(x)):
        np.testing.assert_array_equal(copy, x)
        assert not np.shares_memory(copy, x)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (2, 0), (1, 3), (0, 4)])
def test_one_coefficient_is_one_wave(row, column):
    # F^-1 of a real 1 at (row, column): cos(2 pi (row i / H + column j / W)) / sqrt(H W), twice where its mirror image
    # is not stored and not itself; times 1/f.
    H, W = 6, 8
    params = np.zeros((1, 1, H, W // 2 + 1, 2))
    params[0, 0, row, column, 0] = 1
    i, j = np.mgrid[:H, :W]
    f = np.hypot(min(row, H - row) / H, column / W)
    twice = 1 if column in (0, W // 2) else 2
    wave = twice * np.cos(2 * np.pi * (row * i / H + column * j / W)) / np.sqrt(H * W)
    np.testing.assert_allclose(Fourier((1, 1, H, W)).image(params)[0, 0], wave / f, atol=1e-12)


def test_white_noise_in_the_spectrum_is_an_image_of_1_over_f():
    H = 64
    params = RNG.standard_normal((200, 1, H, H // 2 + 1, 2))
    power = (np.abs(np.fft.fft2(Fourier((200, 1, H, H)).image(params), norm="ortho")) ** 2).mean(axis=(0, 1))
    # Along a row of the spectrum the amplitude halves when the frequency doubles: power falls by 4.
    for k in (2, 4, 8, 12):
        assert power[0, k] / power[0, 2 * k] == pytest.approx(4, rel=0.35)


def test_the_colours():
    red, green, blue = COLOURS
    np.testing.assert_allclose(COLOURS.T @ COLOURS, np.diag(np.diag(COLOURS.T @ COLOURS)), atol=1e-12)
    # Their lengths are as the square roots of the published variances.
    np.testing.assert_allclose(np.linalg.norm(COLOURS, axis=0) ** 2, np.array([0.2175, 0.0188, 0.0045]) / 0.2175)
    assert red[0] == green[0] == blue[0] and red[1] == -blue[1] and green[1] == 0 and red[2] == blue[2] > 0 > green[2]
    # The published principal components, red, green and blue of each, up to their sign.
    published = np.array([[0.5675, 0.5808, 0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.8140, 0.4203]])
    cosines = np.abs((published * (COLOURS / np.linalg.norm(COLOURS, axis=0)).T).sum(axis=1))
    assert (cosines > np.cos(np.radians(1))).all()


def test_a_net_of_bgr_sees_the_same_colours_the_other_way_round():
    params = RNG.standard_normal((1, 3, 6, 4, 2))
    rgb, bgr = Fourier((1, 3, 6, 6)).image(params), Fourier((1, 3, 6, 6), "BGR").image(params)
    np.testing.assert_array_equal(rgb, bgr[:, ::-1])
