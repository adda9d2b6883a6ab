"""HOG as a net: against scikit-image and loops, its own layers' gradients, glyphs by hand, inverse and twin."""

import numpy as np
import pytest

from minicnn import gradcheck
from minicnn.errors import UsageError
from minicnn.kernels.errors import MinicnnError, ShapeError
from minicnn.meta import Meta
from minicnn.vis import METHODS, hog
from minicnn.vis.nets.hog_layers import (
    CASES,
    L2Hys,
    OrientationBins,
    hog_net,
    l2_hys_forward,
    orientation_bins_backward,
    orientation_bins_forward,
    votes_between_bins,
)
from minicnn.vis.pictures.hog_glyphs import cell_weights, glyphs


class Plain:
    """All that `hog` asks of a net."""

    meta = Meta("none", (3, 32, 40), "RGB", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "squash", 40)


def _image(size, seed=0):
    """Something with edges: a disc and a ramp under a little noise, 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    disc = (y - size[0] * rng.uniform(0.3, 0.7)) ** 2 + (x - size[1] * rng.uniform(0.3, 0.7)) ** 2 < min(size) ** 2 / 9
    return (0.3 * disc + 0.4 * x / size[1] + 0.05 * rng.random(size)).clip(0, 1)


def _net(size, *options):
    return hog_net(size, *options).astype("float64").to("numpy")


def _blocks(net, image, block=3):
    out = net(image[None, None])[0].transpose(1, 2, 0)
    return out.reshape(*out.shape[:2], block, block, -1)


@pytest.mark.parametrize(
    ("size", "options"),
    [((64, 56), (9, 8, 3)), ((45, 38), (9, 8, 3)), ((31, 24), (7, 6, 2)), ((24, 24), (5, 8, 1))],
)
def test_it_equals_scikit_images(size, options):
    feature = pytest.importorskip("skimage.feature")
    image, (K, cell, block) = _image(size), options
    expected = feature.hog(
        image, orientations=K, pixels_per_cell=(cell,) * 2, cells_per_block=(block,) * 2, feature_vector=False
    )
    found = _blocks(_net(size, *options), image, block)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_scikit_images_defaults_are_ours():
    feature = pytest.importorskip("skimage.feature")
    for image in (_image((40, 48), 3), 1e-4 * _image((40, 48), 4), np.full((24, 32), 0.7)):
        expected = feature.hog(image)
        np.testing.assert_allclose(_blocks(_net(image.shape), image).ravel(), expected, rtol=0, atol=1e-6)
        single = hog_net(image.shape).to("numpy")(image[None, None].astype(np.float32))[0].transpose(1, 2, 0)
        np.testing.assert_allclose(single.ravel(), expected, rtol=0, atol=1e-4)


def test_votes_by_loops():
    """The cells of the net against the definition, pixel by pixel."""
    image, K, cell = _image((16, 24), 5), 9, 8
    expected = np.zeros((K, 2, 3))
    for i, j in np.ndindex(16, 24):
        right = image[i, j + 1] - image[i, j - 1] if 0 < j < 23 else 0
        down = image[i + 1, j] - image[i - 1, j] if 0 < i < 15 else 0
        angle = np.degrees(np.arctan2(down, right)) % 180
        expected[int(angle // 20), i // cell, j // cell] += np.hypot(right, down) / cell**2
    net = _net((16, 24), K, cell, 1)
    np.testing.assert_allclose(net(image[None, None], until="cells")[0], expected, rtol=1e-10, atol=1e-15)


def test_borders_of_bins():
    # angles 0, 90 (both ways), 180, just below 180, 45
    x = np.array([[1, 0, 0, -1, 1, 1], [0, 1, -1, 0, -1e-18, 1]], np.float64).reshape(1, 2, 1, 6)
    out, cache = orientation_bins_forward(x, 4)
    assert out[0, :, 0].argmax(axis=0).tolist() == [0, 2, 2, 0, 0, 1]
    assert out.sum() == pytest.approx(5 + np.sqrt(2))
    dx = orientation_bins_backward(np.ones_like(out), cache)
    np.testing.assert_allclose((dx**2).sum(axis=1), 1)
    still, cache = orientation_bins_forward(np.zeros((1, 2, 1, 1)), 4)
    assert not still.any() and not orientation_bins_backward(np.ones_like(still), cache).any()


def test_the_rule_is_the_gradient_of_shared_votes():
    """Against differences of votes that are shared by the two nearest bins, pixel by pixel."""
    rng, bins = np.random.default_rng(2), 5
    x, dout = rng.standard_normal((2, 2, 3, 4)), rng.standard_normal((2, bins, 3, 4))

    def shared(g, at):
        place = np.degrees(np.arctan2(g[1], g[0])) % 180 / (180 / bins) - 0.5
        low, part = int(np.floor(place)), place - np.floor(place)
        n, i, j = at
        return np.hypot(*g) * ((1 - part) * dout[n, low % bins, i, j] + part * dout[n, (low + 1) % bins, i, j])

    dx = votes_between_bins(dout, orientation_bins_forward(x, bins)[1])
    for n, c, i, j in np.ndindex(*x.shape):
        step = 1e-6 * np.eye(2)[c]
        up, down = (shared(x[n, :, i, j] + sign * step, (n, i, j)) for sign in (1, -1))
        np.testing.assert_allclose(dx[n, c, i, j], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)
    assert not votes_between_bins(dout, orientation_bins_forward(0 * x, bins)[1]).any()


def test_l2_hys_by_hand():
    out, _ = l2_hys_forward(np.reshape([3.0, 4.0, 0.0, 0.0], (1, 4, 1, 1)), clip=0.7, eps=1e-12)
    # 0.6 and 0.8, cut to 0.6 and 0.7, whose length is sqrt(0.85)
    np.testing.assert_allclose(out.ravel(), np.array([0.6, 0.7, 0, 0]) / np.sqrt(0.85))
    assert not l2_hys_forward(np.zeros((1, 3, 1, 1)))[0].any()


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0]))
def test_gradients_of_its_own_layers(case):
    layer, shape = case
    report = gradcheck(layer, shape)
    assert report.ok, report
    assert layer.forward(np.ones(shape))[0].shape == layer.out_shape(shape)
    again = type(layer)(**layer.config)
    assert repr(again) == repr(layer)


def test_gradient_of_the_whole():
    net = _net((10, 9), 4, 3, 2)
    report = gradcheck(
        (net.forward, lambda dout, tape: net.backward(dout, tape, params=False)[0]), _image((10, 9), 6)[None, None]
    )
    assert report.ok and report.rows[0].checked > 60, report


EDGES = np.arange(3 * 32 * 40).reshape(1, 3, 32, 40) % 251.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: hog_net((30, 23)), UsageError, "an image of 30x23 has no block of 3x3 cells of 8x8 pixels"),
        (lambda: hog_net((30, 30), cell=0), ShapeError, "cell must be an int >= 1, not 0"),
        (lambda: OrientationBins(2.5), ShapeError, "bins must be an int"),
        (lambda: L2Hys(clip=0), MinicnnError, "clip must be a number above 0"),
        (lambda: OrientationBins().forward(np.ones((1, 3, 2, 2))), ShapeError, "x has C=3, a gradient has 2"),
        (lambda: hog(Plain, np.zeros((1, 3, 32, 40)), steps=-1), UsageError, "steps is -1, expected 0 or more"),
        (lambda: hog(Plain, EDGES, np.repeat(EDGES, 2, axis=0), steps=1), UsageError, "other is"),
    ],
)
def test_what_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_glyph_lies_along_the_edge():
    """A bright right half: the gradient points right, the bar stands upright."""
    image = np.zeros((24, 24))
    image[:, 12:] = 1
    blocks = _blocks(_net((24, 24)), image)[None][0]
    weights = cell_weights(blocks)
    assert weights.shape == (3, 3, 9) and weights[1, 1].argmax() == 0 and weights[1, 1, 1:].max() == 0
    drawn = glyphs(blocks, side=16)[16:32, 16:32, 0]
    assert drawn.max() == 255
    ys, xs = np.nonzero(drawn > 128)
    assert np.ptp(ys) > 10 and np.ptp(xs) < 6


def test_cell_weights_are_means_over_blocks():
    blocks = np.random.default_rng(0).random((2, 1, 2, 2, 3))
    weights = cell_weights(blocks)
    assert weights.shape == (3, 2, 3)
    np.testing.assert_allclose(weights[1, 0], (blocks[0, 0, 1, 0] + blocks[1, 0, 0, 0]) / 2)
    np.testing.assert_allclose(weights[2, 1], blocks[1, 0, 1, 1])


@pytest.fixture(scope="module")
def found():
    pictures = _image((32, 40), 7), _image((32, 40), 11)[:, ::-1]
    x, other = (np.repeat(255 * one[None, None], 3, axis=1).astype(np.float32) for one in pictures)
    from minicnn import kernels

    with kernels.use("numpy"):
        return x, hog(Plain, x, other, steps=120)


def test_the_descriptor_of_an_image(found):
    x, result = found
    np.testing.assert_allclose(result.grey[0, 0], np.round(x[0, 0]) / 255, atol=1e-9)
    np.testing.assert_allclose(result.hog[0], _blocks(_net((32, 40)), result.grey[0, 0]), atol=1e-12)


def test_the_inverse_and_the_twin_have_nearly_its_hog(found):
    _, result = found
    net = _net((32, 40))
    for image, error in ((result.inverse, result.inverse_error), (result.twin, result.twin_error)):
        away = _blocks(net, image[0, 0]) - result.hog[0]
        assert np.linalg.norm(away) / np.linalg.norm(result.hog[0]) == pytest.approx(error[0], rel=1e-9)
    before = np.linalg.norm(_blocks(net, result.other[0, 0]) - result.hog[0]) / np.linalg.norm(result.hog[0])
    assert result.twin_error[0] < 0.5 * before
    assert result.inverse_error[0] < 0.25
    # The twin still looks like the picture that it began as.
    grey, other, twin = (a.ravel() for a in (result.grey, result.other, result.twin))
    assert np.corrcoef(twin, other)[0, 1] > 0.6 > 0.2 > np.corrcoef(twin, grey)[0, 1]


def test_the_picture(found):
    x, result = found
    alone = hog(Plain, x, steps=0)
    assert alone.inverse is None and alone.twin is None
    pictures = [METHODS["hog"].picture(one, Plain, x=x) for one in (result, alone)]
    assert pictures[0].width > 2.5 * pictures[1].width > 300


def test_bars_lie_where_their_edges_are():
    """28 x 26 pixels have 3 x 3 cells, and a rest to the right and below that belongs to none."""
    image = np.zeros((28, 26))
    image[:, 12:] = 255
    result = hog(Plain, np.repeat(image[None, None], 3, axis=1), steps=0)
    picture = np.asarray(METHODS["hog"].picture(result, Plain).convert("L"))
    factor = 2 * 3  # a cell of 8 pixels has to have 16, the shorter side then 112 or more
    height, width = 28 * factor, 26 * factor
    shown, bars = (picture[-2 - height : -2, left : left + width] for left in (2, 2 + width + 2))
    assert (shown[:, : 12 * factor] == 0).all() and (shown[:, 12 * factor :] == 255).all()
    assert (bars[:, 8 * factor : 16 * factor].max(axis=1)[: 24 * factor] > 200).mean() > 0.8
    assert bars[:, : 8 * factor].max() == 0 and bars[:, 16 * factor :].max() == 0 and bars[24 * factor :].max() == 0
