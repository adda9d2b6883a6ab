"""Occlusion: every map against plain loops over places and pixels, what covers, and what the picture shows."""

import math

import numpy as np
import pytest
from coloured_net import interrupt_at

import naive
from minicnn import Net
from minicnn.errors import ImageError, MinicnnError, UsageError
from minicnn.layers import Conv2d, Flatten, Linear, ReLU, Softmax
from minicnn.meta import Meta
from minicnn.vis import METHODS, occlusion
from minicnn.vis.pictures import occlusion_picture as drawn
from minicnn.vis.pictures.colour import heat
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.scanning.covering import filling, square

H, W = 6, 7
META = Meta(
    "none", (3, H, W), "BGR", 1.0, (0.5, 0.25, 0.0), (0.5, 1.0, 2.0), "squash", 7, classes=("cat", "dog", "owl")
)
X = np.random.default_rng(0).standard_normal((2, 3, H, W))


def _net():
    nodes = [
        ("conv", Conv2d(3, 4, 3)),
        ("relu", ReLU()),
        ("flat", Flatten()),
        ("fc", Linear(4 * (H - 2) * (W - 2), 3)),
        ("prob", Softmax()),
    ]
    return Net(nodes, meta=META).init(1).astype("float64").to("numpy")


def _slow(net, image):
    """(probabilities (3,), sums of the four maps after the rectifier) of one image, by plain loops."""
    w = net.state_dict()
    maps = naive.conv2d_forward(image[None], w["conv.w"], w["conv.b"], (1, 1), (0, 0, 0, 0), (1, 1), 1)
    sums, values = [0.0] * 4, []
    for f in range(4):
        for row in maps[0][f]:
            for value in row:
                values.append(max(value, 0.0))
                sums[f] += values[-1]
    scores = [sum(a * b for a, b in zip(row, values)) + b0 for row, b0 in zip(w["fc.w"], w["fc.b"])]
    top = sum(math.exp(s) for s in scores)
    return [math.exp(s) / top for s in scores], sums


def _slowly_covered(image, i, j, size, stride, colour):
    """A pixel is covered where it is less than half a square from the cell's middle."""
    image = image.copy()
    for y in range(H):
        for x in range(W):
            inside = [
                cell * stride + (stride - size) // 2 <= at < cell * stride + (stride - size) // 2 + size
                for cell, at in ((i, y), (j, x))
            ]
            if all(inside):
                for c in range(3):
                    image[c, y, x] = colour[c]
    return image


GREY = [(128 / 255 - m) / s for m, s in zip(META.mean, META.std)]


@pytest.mark.parametrize(
    ("size", "stride", "fill", "batch"), [(3, 2, "grey", 8), (2, 3, "mean", 1), (1, 1, "mean", 100), (4, 2, "grey", 5)]
)
def test_every_map_by_plain_loops(size, stride, fill, batch):
    net = _net()
    found = occlusion(net, X, layer="relu", size=size, stride=stride, fill=fill, batch=batch)
    shape = (2, math.ceil(H / stride), math.ceil(W / stride))
    assert found.probability.shape == found.activation.shape == found.likeliest.shape == shape
    for n in range(2):
        probabilities, sums = _slow(net, X[n])
        k, f = int(np.argmax(probabilities)), int(np.argmax(sums))
        assert (found.classes[n], found.channels[n]) == (k, f)
        np.testing.assert_allclose(found.probability_before[n], probabilities[k], rtol=1e-6)
        np.testing.assert_allclose(found.activation_before[n], sums[f], rtol=1e-6)
        for i in range(shape[1]):
            for j in range(shape[2]):
                covered = _slowly_covered(X[n], i, j, size, stride, GREY if fill == "grey" else [0, 0, 0])
                probabilities, sums = _slow(net, covered)
                np.testing.assert_allclose(found.probability[n, i, j], probabilities[k], rtol=1e-5)
                np.testing.assert_allclose(found.activation[n, i, j], sums[f], rtol=1e-5)
                assert found.likeliest[n, i, j] == np.argmax(probabilities)
    assert len(np.unique(found.likeliest)) > 1 or size < 3  # else argmax would go untested


def test_every_pixel_is_covered_as_often_but_at_the_edge():
    counts = np.zeros((20, 23), int)
    for i in range(10):
        for j in range(12):
            counts[square((i, j), 6, 2, (20, 23))] += 1
    assert (counts[2:-2, 2:-2] == 9).all() and counts.min() >= 4


def test_the_squares_by_hand():
    assert square((0, 0), 3, 1, (5, 5)) == (slice(0, 2), slice(0, 2))
    assert square((2, 4), 3, 1, (5, 5)) == (slice(1, 4), slice(3, 5))
    assert square((1, 0), 45, 15, (224, 224)) == (slice(0, 45), slice(0, 30))
    assert square((2, 1), 1, 3, (9, 5)) == (slice(7, 8), slice(4, 5))


def test_the_defaults():
    """A fifth of 6 is about 1, a third of that at least 1; of 224 it is 45 and 15."""
    found = occlusion(_net(), X)
    assert (found.size, found.stride) == (1, 1)
    big = Net([("relu", ReLU())]).to("numpy")
    found = occlusion(big, np.zeros((1, 3, 224, 230), np.float32), fill="mean", size=0, stride=80)
    assert (found.size, found.stride, found.activation.shape) == (45, 80, (1, 3, 3))
    assert occlusion(big, np.zeros((1, 3, 224, 224), np.float32), fill="mean", size=210).stride == 70


def test_a_class_and_a_map_of_ones_own():
    net = _net()
    found = occlusion(net, X, "owl", layer="conv:2", size=2, stride=2, fill="mean")
    assert found.classes.tolist() == [2, 2] and found.channels.tolist() == [2, 2] and found.layer == "conv"
    covered = _slowly_covered(X[1], 1, 2, 2, 2, [0, 0, 0])[None]
    np.testing.assert_allclose(found.probability[1, 1, 2], net(covered)[0, 2], rtol=1e-6)
    np.testing.assert_allclose(found.activation[1, 1, 2], net(covered, until="conv")[0, 2].sum(), rtol=1e-6)


def test_the_layer_unless_given_is_the_last_with_positions():
    assert occlusion(_net(), X, size=3, stride=3).layer == "relu"


def test_a_layer_that_the_scores_do_not_read():
    found = occlusion(_net(), X, layer="prob:1", size=3, stride=3)
    np.testing.assert_array_equal(found.channels, [1, 1])
    np.testing.assert_allclose(found.activation_before, _net()(X)[:, 1])


def test_a_net_without_positions_follows_its_scores():
    net = Net([("flat", Flatten()), ("fc", Linear(3 * H * W, 3))], meta=META).init(0).astype("float64").to("numpy")
    found = occlusion(net, X, size=2, stride=3)
    assert found.layer == "fc"
    np.testing.assert_allclose(found.activation_before, net(X).max(axis=1))


def test_a_net_without_classes():
    net = Net([("conv", Conv2d(3, 4, 3)), ("relu", ReLU())], meta=META).init(0).astype("float64").to("numpy")
    found = occlusion(net, X, size=3, stride=3, fill="mean")
    assert (found.probability, found.likeliest, found.classes, found.probability_before) == (None,) * 4
    covered = _slowly_covered(X[0], 1, 1, 3, 3, [0, 0, 0])[None]
    np.testing.assert_allclose(found.activation[0, 1, 1], net(covered)[0, found.channels[0]].sum(), rtol=1e-6)
    assert METHODS["occlusion"].picture(found, net, X).mode == "RGB"
    with pytest.raises(UsageError, match="relu has positions, so this net has no classes to follow"):
        occlusion(net, X, 1)


def test_what_covers():
    net = _net()
    grey = np.broadcast_to(np.reshape(GREY, (3, 1, 1)), (3, 4, 5))
    np.testing.assert_allclose(filling(net, (3, 4, 5), "grey", 0), grey, rtol=1e-6, atol=1e-6)
    assert not filling(net, (3, 4, 5), "mean", 0).any()
    noise = filling(net, (3, 40, 50), "noise", 4)
    levels = noise * np.reshape(META.std, (3, 1, 1)) + np.reshape(META.mean, (3, 1, 1))
    assert 0 <= levels.min() < 0.01 and 0.99 < levels.max() < 1.0001
    np.testing.assert_allclose(levels.mean(axis=(1, 2)), 0.5, atol=0.03)
    np.testing.assert_array_equal(noise, filling(net, (3, 40, 50), "noise", 4))
    assert (noise != filling(net, (3, 40, 50), "noise", 5)).any()


def test_noise_is_the_same_at_every_place():
    net = _net()
    found = occlusion(net, X[:1], size=H, stride=H, fill="noise", seed=3)
    covered = X.copy()[:1]
    covered[:, :, :, :H] = filling(net, (3, H, W), "noise", 3)[:, :, :H]
    np.testing.assert_allclose(found.probability[0, 0, 0], net(covered)[0, found.classes[0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 7}, UsageError, "size is 7, expected 1 to 6, the image's shorter side"),
        ({"size": -1}, UsageError, "size is -1"),
        ({"stride": -1}, UsageError, "stride is -1, expected 1 or more"),
        ({"batch": 0}, UsageError, "batch is 0, expected 1 or more"),
        ({"fill": "red"}, UsageError, "fill is 'red', expected grey, mean or noise"),
        ({"layer": "relu:1:2,3"}, UsageError, "layer is 'relu:1:2,3': a feature map is summed as a whole"),
        ({"layer": "relu:4"}, UsageError, "relu:4: channel 4 of 0 to 3"),
        ({"unit": "relu:1"}, UsageError, "relu:1"),
        ({"unit": 3}, UsageError, "fc:3"),
    ],
)
def test_what_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        occlusion(_net(), X, **options)


def test_an_image_with_nan():
    with pytest.raises(ImageError, match="x: 1 of"):
        occlusion(_net(), np.where(np.arange(X.size).reshape(X.shape) == 5, np.nan, X))


def test_grey_needs_to_know_what_grey_is():
    net = _net()
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        occlusion(net, X)
    assert np.isfinite(occlusion(net, X, fill="mean", size=3, stride=3).probability).all()


def test_interrupted_it_keeps_the_places_so_far(monkeypatch):
    module = METHODS["occlusion"]
    whole = occlusion(_net(), X, size=3, stride=3, batch=4)  # two images of 2 x 3 places
    interrupt_at(monkeypatch, module, "_note", 2)
    with pytest.warns(StoppedEarly, match="occlusion: interrupted"):
        found = occlusion(_net(), X, size=3, stride=3, batch=4)
    for name in ("probability", "activation", "likeliest"):
        some, full = getattr(found, name).ravel(), getattr(whole, name).ravel()
        np.testing.assert_array_equal(some[:4], full[:4])
        assert (some[4:] == -1).all() if name == "likeliest" else np.isnan(some[4:]).all()
    picture = np.asarray(module.picture(found, _net(), X))
    assert (picture == 128).all(axis=2).sum() > 50_000  # mid-grey where nothing was looked at


def _maps(probability, likeliest, classes):
    """A result of two by two cells of 3 x 4 pixels."""
    found = occlusion(_net(), X[:1], size=4, stride=4)
    return found._replace(
        probability=np.array([probability], float),
        activation=np.array([probability], float),
        likeliest=np.array([likeliest]),
        classes=np.array(classes),
    )


def test_the_picture():
    found = _maps([[0.9, 0.8], [0.1, 0.5]], [[0, 0], [2, 1]], [0])
    picture = np.asarray(METHODS["occlusion"].picture(found, _net(), X[:1]))
    # Tiles are 336 wide, with 8 between them; of 7 columns the first 4 are the left cells, of 6 rows the first 4 the
    # upper. The highest value is the lightest colour.
    height, top = 288, np.flatnonzero((picture[:, 8 + 344 + 50] == (255, 250, 200)).all(axis=1))[0]
    cells = {(0, 0): (50, 50), (0, 1): (50, 290), (1, 0): (250, 50), (1, 1): (250, 290)}
    for tile, low in ((1, 0.1), (2, 0.1)):
        left = 8 + tile * (336 + 8)
        for cell, (y, x) in cells.items():
            value = found.probability[0][cell]
            assert tuple(picture[top + y, left + x]) == tuple(heat(np.array([[value]]), low, 0.9)[0, 0])
    left = 8 + 3 * (336 + 8)
    colours = {cell: tuple(int(v) for v in picture[top + y, left + x]) for cell, (y, x) in cells.items()}
    first, second, third = drawn._COLOURS[:3]
    assert colours == {(0, 0): first, (0, 1): first, (1, 0): third, (1, 1): second}
    legend = [tuple(int(v) for v in picture[top + height + 5 + k * 19 + 8, left + 7]) for k in range(3)]
    assert legend == [first, second, third]
    # The square is drawn around cell (1, 0), rows 4 to 6 and columns 0 to 4: its upper edge is black and white.
    assert [int(v) for v in picture[top + 4 * 48 : top + 4 * 48 + 4, 8 + 96, 0]] == [0, 255, 255, 0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.99871, "99.87 %"), (0.99999, "99.99 %"), (1, "100.00 %"), (0, "0.00 %")]
)
def test_the_ends_of_a_probability(value, text):
    assert drawn._share(value) == text


def test_of_many_classes_the_rest_share_a_colour():
    found = _maps([[0.9, 0.8], [0.1, 0.5]], np.arange(16).reshape(4, 4), [7])
    found = found._replace(stride=2)
    net = _net()
    net.meta = Meta(**{**META.__dict__, "classes": tuple(f"class {k}" for k in range(16))})
    picture = np.asarray(METHODS["occlusion"].picture(found, net, X[:1]))
    shown = {tuple(int(v) for v in colour) for colour in picture[:, 8 + 3 * 344 :].reshape(-1, 3)}
    assert {*drawn._COLOURS, drawn._OTHERS} <= shown


def test_the_scale_of_heat():
    shown = heat(np.array([-1, 0, 1, 2, 3, 4, 9, np.nan]), 0, 4)
    assert shown[0].tolist() == shown[1].tolist() == [12, 12, 50]
    assert shown[5].tolist() == shown[6].tolist() == [255, 250, 200]
    assert shown[3].tolist() == [205, 50, 70] and shown[7].tolist() == [128, 128, 128]
    fine = heat(np.linspace(0, 1, 99), 0, 1) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(fine) >= -0.5).all() and fine[-1] - fine[0] > 200
    assert heat(np.full((2, 2), 5.0), 5, 5).tolist() == [[[12, 12, 50]] * 2] * 2


@pytest.mark.data
def test_googlenet_needs_the_flamingos(googlenet, photo):
    """They stand in the middle; covering the trees above costs nothing."""
    found = occlusion(googlenet, photo, "flamingo", size=75, stride=75, progress=False)
    assert found.layer == "inception_5b/output" and found.probability.shape == (1, 3, 3)
    before = found.probability_before[0]
    assert before > 0.9 and (found.probability[0, 0] > 0.9 * before).all()
    assert found.probability.min() == found.probability[0, 1].min() < 0.5 * before
