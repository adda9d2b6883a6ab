"""Segments: a composed image whose saliency is known, seeds and parts by hand, and what the cut leaves."""

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.benchmarks.attribution import segment_overlap
from minicnn.errors import UsageError
from minicnn.extras import MissingExtraError
from minicnn.layers import Conv2d, Flatten, Linear, Multiply
from minicnn.meta import Meta
from minicnn.vis import METHODS, segment
from minicnn.vis.segment import _box, _largest_part, _seeds

pytest.importorskip("cv2")
META = Meta("none", (3, 40, 48), "RGB", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "squash", 48)


def _composed(seed=0):
    """(pixels (40, 48, 3), mask): a red ellipse in the middle of the width, on a blue ground, both noisy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :48]
    mask = ((x - 23.5) / 12) ** 2 + ((y - 18) / 8) ** 2 < 1
    pixels = np.where(mask[..., None], (190, 60, 40), (50, 80, 150)) + rng.normal(0, 8, (40, 48, 3))
    return pixels.clip(0, 255).round(), mask


def _net(weight):
    """score = sum of weight (40, 48) * each channel: the saliency is |weight|."""
    net = Net([("flat", Flatten()), ("fc", Linear(3 * 40 * 48, 2))], meta=META).init(0)
    net.load_state_dict({"fc.w": np.stack([np.tile(weight.ravel(), 3)] * 2), "fc.b": np.zeros(2)})
    return net


@pytest.fixture
def case():
    pixels, mask = _composed()
    rng = np.random.default_rng(1)
    # As saliency is: noise, higher on the object, and highest at some pixels of a part of it.
    right = np.arange(48) > 23.5
    weight = rng.random((40, 48)) * (1 + 3 * mask + 9 * (mask & right) * (rng.random((40, 48)) > 0.5))
    return _net(weight), pixels.transpose(2, 0, 1)[None].astype(np.float32), mask, weight


def _overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_the_whole_object_is_found_by_a_part_of_it(case):
    net, x, mask, weight = case
    result = segment(net, x, 1, smooth=0.025)
    np.testing.assert_allclose(result.saliency[0], (weight + weight[:, ::-1]) / 2, rtol=1e-6)
    assert _overlap(result.seeds[0] == 1, mask) < 0.5  # the seeds alone would not do
    assert _overlap(result.mask[0], mask) > 0.95
    assert result.boxes.tolist() == [[12, 11, 36, 26]]  # |x - 23.5| < 12 and |y - 18| < 8
    again = segment(net, x, 1, smooth=0.025, rounds=1)
    assert _overlap(again.mask[0], mask) > 0.9


def test_the_map_is_the_mean_of_both_ways_round():
    # The score is the sum of weight * x^2: its slope 2 * weight * x is another for the reflection.
    weight = np.random.default_rng(2).random((40, 48))
    nodes = [("square", Multiply(), ("data", "data")), ("all", Conv2d(3, 2, (40, 48), bias=False))]
    net = Net(nodes, meta=META).init(0)
    net.load_state_dict({"all.w": np.broadcast_to(weight, (2, 3, 40, 48))})
    x = np.random.default_rng(3).integers(0, 256, (1, 3, 40, 48)).astype(np.float32)
    result = segment(net, x, "all:1")
    expected, mirrored = (2 * weight * pixels.max(axis=0) for pixels in (x[0], x[0, :, :, ::-1]))
    np.testing.assert_allclose(result.saliency[0], (expected + mirrored[:, ::-1]) / 2, rtol=1e-4)
    at_a_place = segment(net, x, "all:1:0,0")
    np.testing.assert_allclose(at_a_place.saliency[0], expected, rtol=1e-4)


def test_it_is_repeatable_and_each_image_is_on_its_own(case):
    net, x, _, _ = case
    both = segment(net, np.concatenate([x, x[..., ::-1]]), 1, smooth=0.025)
    alone = segment(net, x, 1, smooth=0.025)
    for found, expected in zip(both, alone):
        np.testing.assert_array_equal(found[:1], expected)


def test_the_seeds():
    ranks = np.arange(100).reshape(10, 10)
    seeds = _seeds(ranks, 0.95, 0.3)
    assert seeds.ravel().tolist() == [-1] * 30 + [0] * 65 + [1] * 5
    rare = np.zeros((10, 10))
    rare[3, 4:6] = 2
    assert (_seeds(rare, 0.95, 0.3) == np.where(rare > 0, 1, -1)).all()
    many = np.ones((10, 10))
    many[0] = 0
    assert (_seeds(many, 0.95, 0.05) == np.where(many > 0, 1, -1)).all()
    with pytest.raises(UsageError, match="the saliency is the same everywhere"):
        _seeds(np.ones((4, 4)), 0.95, 0.3)


def test_the_largest_part_and_its_box():
    mask = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [1, 0, 0, 1, 0]], bool)
    expected = np.zeros_like(mask)
    expected[[1, 2, 3], [3, 2, 3]] = True
    np.testing.assert_array_equal(_largest_part(mask), expected)
    assert tuple(_box(expected)) == (2, 1, 4, 4)


def test_an_image_of_one_colour_leaves_the_seeds(case):
    net, x, _, _ = case
    result = segment(net, np.full_like(x, 90), 1)
    assert result.mask.any() and result.mask.shape == (1, 40, 48)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"foreground": 0.2}, "background 0.3, foreground 0.2: expected 0 <= background < foreground < 1"),
        ({"foreground": 1.0}, "foreground 1.0"),
        ({"background": -0.1}, "background -0.1"),
        ({"rounds": 0}, "rounds is 0, expected 1 or more"),
    ],
)
def test_options_that_make_no_sense(options, message, case):
    net, x, _, _ = case
    with pytest.raises(UsageError, match=message):
        segment(net, x, 1, **options)


def test_without_opencv(case, monkeypatch):
    net, x, _, _ = case
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "minicnn\[segment\]"'):
        segment(net, x, 1, smooth=0.025)


def test_the_picture(case):
    net, x, _, _ = case
    result = segment(net, x, 1, smooth=0.025)
    picture = np.asarray(METHODS["segment"].picture(result, net, x=x, unit=1))
    assert picture.shape[1] > 4 * 112
    assert (picture == (255, 210, 0)).all(axis=2).sum() > 100  # the box
    assert METHODS["segment"].picture(result, net, unit=1).mode == "RGB"


def test_drawn_shapes_are_found():
    # Of a box around a whole picture, a shape's box has a fifth; without the cut, the seeds' masks have an IoU of 0.3.
    mask, box = segment_overlap(minicnn.load("shapes"), images=12)
    assert mask > 0.65 and box > 0.75, (mask, box)


@pytest.mark.data
def test_googlenets_flamingo(googlenet, photo):
    result = segment(googlenet, photo, "flamingo")
    assert 0.02 < result.mask.mean() < 0.7
    pixels = photo[0].transpose(1, 2, 0)[..., ::-1]  # from BGR to RGB
    redder = pixels[..., 0] - pixels[..., 1]
    assert redder[result.mask[0]].mean() > redder[~result.mask[0]].mean() + 20
