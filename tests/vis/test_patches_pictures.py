"""What patches cut out and show: only that part matters to the unit, and it is what the pictures have."""

import numpy as np
import pytest
from PIL import Image

from minicnn import Net, kernels, vis
from minicnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sigmoid
from minicnn.meta import Meta
from minicnn.vis import deconvnet, guided_backprop, patches
from minicnn.vis.image import deprocess, preprocess, read_image
from minicnn.vis.pictures.colour import show_gradient
from minicnn.vis.pictures.patch_styles import cut, rows, where_it_matters
from minicnn.vis.units import Unit

_META = Meta("none", (3, 20, 26), "BGR", 255.0, (100.0, 110.0, 120.0), (50.0, 50.0, 50.0), "crop", 26, ("cat", "dog"))


def _net(pad=0, gate=ReLU):
    nodes = [
        ("conv1", Conv2d(3, 6, 3, pad=pad)),
        ("gate1", gate()),
        ("pool1", MaxPool2d(2, stride=2)),
        ("conv2", Conv2d(6, 4, 3, pad=pad)),
        ("gate2", gate()),
        ("conv3", Conv2d(4, 2, 3)),
        ("flat", Flatten()),
        ("fc", Linear(2 * (5 if not pad else 8) * (8 if not pad else 11), 2)),
    ]
    return Net(nodes, meta=_META).init(5)


@pytest.fixture(autouse=True)
def _numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(8)
    sizes = rng.integers(25, 60, (12, 2)).tolist()
    return [Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).resize(size) for size in sizes]


def test_cut_by_hand():
    image = np.arange(12).reshape(1, 3, 4)
    np.testing.assert_array_equal(cut(image, (1, 1, 3, 3), 99), [[[5, 6], [9, 10]]])
    np.testing.assert_array_equal(cut(image, (-1, 2, 2, 5), 99), [[[99, 99, 99], [2, 3, 99], [6, 7, 99]]])
    np.testing.assert_array_equal(cut(image, (2, -2, 4, 1), 99), [[[99, 99, 8], [99, 99, 99]]])
    np.testing.assert_array_equal(cut(image, (0, 0, 3, 4), 99), image)


@pytest.mark.parametrize("layer", ["conv1", "pool1", "gate2"])
def test_a_patch_alone_gives_the_same_value(pictures, layer):
    # Without padding the net makes of the patch, as an image by itself, one position: the unit.
    net = _net()
    result = patches(net, pictures, layer, top=5)
    for u, channel in enumerate(result.channels):
        for k, number in enumerate(result.pictures[u]):
            top, left, bottom, right = result.boxes[u, k]
            x = preprocess(pictures[number], net.meta)[:, :, top:bottom, left:right]
            out = net(x, until=layer)
            assert out.shape[2:] == (1, 1)
            np.testing.assert_allclose(out[0, channel, 0, 0], result.values[u, k], rtol=1e-4, atol=1e-5)


def test_only_the_patch_matters(pictures):
    net, rng = _net(pad=1), np.random.default_rng(9)
    result = patches(net, pictures, "gate2", top=4)
    height, width = 3 + 1 + 2 * 2, 3 + 1 + 2 * 2  # conv1, pool1, conv2
    past = 0
    for u, channel in enumerate(result.channels):
        for k, number in enumerate(result.pictures[u]):
            top, left, bottom, right = result.boxes[u, k]
            assert (bottom - top, right - left) == (height, width)
            past += top < 0 or left < 0 or bottom > 20 or right > 26
            row, column = result.positions[u, k]
            x = preprocess(pictures[number], net.meta)
            for hidden in (True, False):
                inside = np.zeros((20, 26), bool)
                inside[max(top, 0) : bottom, max(left, 0) : right] = True
                noise = rng.normal(0, 2, x.shape).astype(np.float32)
                value = net(np.where(inside == hidden, x, noise), until="gate2")[0, channel, row, column]
                same = np.isclose(value, result.values[u, k], rtol=1e-4, atol=1e-5)
                assert same == hidden or result.values[u, k] == 0
    assert past  # some lie at the border


def test_what_the_pictures_are_made_of(pictures):
    net = _net(pad=1)
    result = patches(net, pictures, "gate2", top=4, channels="0,2")
    shown = list(rows(result, net))
    assert [row.title for row in shown] == ["0", "2"]
    for u, row in enumerate(shown):
        assert row.values == result.values[u].tolist()
        for k, number in enumerate(result.pictures[u]):
            x = preprocess(pictures[number], net.meta)
            image = deprocess(x, net.meta)[0]
            np.testing.assert_array_equal(row.images[k], image)
            top, left, bottom, right = result.boxes[u, k]
            framed = np.full((60, 66, 3), 128, np.uint8)  # the image in a wide grey frame
            framed[20:40, 20:46] = image
            np.testing.assert_array_equal(row.patches[k], framed[top + 20 : bottom + 20, left + 20 : right + 20])
            unit = Unit("gate2", int(result.channels[u]), tuple(map(int, result.positions[u, k])))
            for method, tiles in ((guided_backprop, row.guided), (deconvnet, row.deconvnet)):
                slope = np.zeros((3, 60, 66), np.float32)
                slope[:, 20:40, 20:46] = method(net, x, unit)[0]
                expected = show_gradient(slope[None, :, top + 20 : bottom + 20, left + 20 : right + 20], "BGR")[0]
                assert np.abs(tiles[k].astype(int) - expected).max() <= 1


def test_of_a_field_larger_than_the_image_the_part_that_matters(pictures):
    net = _net(pad=1)
    larger = Net([*net.nodes[:5], ("wide", Conv2d(4, 1, 9, pad=4))], meta=_META).init(6)
    w = np.zeros((1, 4, 9, 9), np.float32)
    w[:, :, 3:6, 3:6] = 0.5  # as wide a field as any, in which little counts
    larger.load_state_dict({"wide.w": w}, strict=False)
    result = patches(larger, pictures, "wide", top=3)
    assert (result.boxes[..., 2] - result.boxes[..., 0] == 4 + 2 * (2 + 8)).all()
    shown = next(rows(result, larger))
    sides = set()
    for k, number in enumerate(result.pictures[0]):
        x = preprocess(pictures[number], _META)
        slope = np.abs(guided_backprop(larger, x, Unit("wide", 0, tuple(map(int, result.positions[0, k])))))[0].sum(
            axis=0
        )
        top, left, bottom, right = shown.boxes[k]
        assert 0 <= top < bottom <= 20 and 0 <= left < right <= 26 and bottom - top == right - left
        sides.add(bottom - top)
        for before, after in ((slope[:top], slope[bottom:]), (slope[:, :left], slope[:, right:])):
            assert max(before.sum(), after.sum()) <= 0.011 * slope.sum()
        np.testing.assert_array_equal(shown.patches[k], deprocess(x, _META)[0][top:bottom, left:right])
        assert shown.guided[k].shape == shown.patches[k].shape == shown.deconvnet[k].shape
    assert len(sides) == 1 and sides.pop() < 18


def test_where_it_matters_by_hand():
    dx = np.zeros((4, 2, 8, 12))  # in the last nothing
    dx[0, 1, 2, 3:7] = [1, -2, 3, -4]  # four wide, one high
    dx[1, 0, 7, 11] = -5  # in the corner
    dx[2, 0, 4, 5] = 1
    dx[2, 0, 0, 0] = 0.009  # too little to count
    assert where_it_matters(dx) == [(0, 3, 4, 7), (4, 8, 8, 12), (2, 3, 6, 7), (0, 0, 8, 12)]
    assert where_it_matters(dx[3:]) == [(0, 0, 8, 12)]


def test_three_styles(pictures):
    net = _net()
    result = patches(net, pictures, "conv2", top=9)
    found = dict(vis.METHODS["patches"].picture(result, net, unit="conv2"))
    assert list(found) == ["girshick", "springenberg", "zeiler"]
    assert all(image.mode == "RGB" for image in found.values())
    # A row a channel of nine whole images, enlarged; nine patches beside nine; 3x3 beside 3x3.
    assert found["girshick"].width > 9 * 168 and found["girshick"].height > 4 * 168
    assert 18 * 96 < found["springenberg"].width < 18 * 100 and found["springenberg"].height < 4 * 144
    assert 6 * 3 * 96 < found["zeiler"].width < 6 * 3 * 104
    for image in found.values():
        assert len(np.unique(np.asarray(image))) > 20


def test_the_box_and_the_value_on_the_photo():
    black = np.zeros((40, 52, 3), np.uint8)
    black[16:18, 30:32] = 255
    net = Net([("conv1", Conv2d(3, 1, 5))], meta=_META)
    net.load_state_dict({"conv1.w": np.ones((1, 3, 5, 5)), "conv1.b": np.zeros(1)})
    result = patches(net, [black], "conv1")
    (top, left, bottom, right) = result.boxes[0, 0]
    pictures = vis.METHODS["patches"].picture(result, net)
    assert [name for name, _ in pictures] == ["girshick"]  # no ReLU, no rules for it
    pixels = np.asarray(pictures[0][1]).astype(int).min(axis=2)
    factor = 9  # 20 pixels enlarged to at least 168
    y, x = pixels.shape[0] - 2 - 20 * factor, pixels.shape[1] - 2 - 26 * factor
    tile = pixels[y : y + 20 * factor, x : x + 26 * factor]
    edges = slice(left * factor, right * factor), slice(top * factor, bottom * factor)
    assert (tile[bottom * factor - 1, edges[0]] == 255).all() and (tile[edges[1], right * factor - 1] == 255).all()
    assert (tile[edges[1], left * factor] == 255).all() and (tile[top * factor, edges[0]] == 255).all()
    assert tile[:, : left * factor - 3].max() < 30 and tile[bottom * factor + 3 :].max() < 30
    assert tile[: top * factor - 3].max() > 200  # the value


def test_a_net_of_other_gates_has_no_rules(pictures):
    net = _net(gate=Sigmoid)
    result = patches(net, pictures, "conv2", top=3)
    assert [name for name, _ in vis.METHODS["patches"].picture(result, net)] == ["girshick"]


def test_a_class_is_seen_in_whole_images(pictures):
    net = _net()
    result = patches(net, pictures, "dog", top=4)
    shown = next(rows(result, net))
    assert shown.title == "dog" and [patch.shape for patch in shown.patches] == [(20, 26, 3)] * 4
    assert len(vis.METHODS["patches"].picture(result, net)) == 3


def test_many_channels_are_cut_off(pictures):
    net = Net([("a", Conv2d(3, 40, 3)), ("r", ReLU())], meta=_META).init(0)
    result = patches(net, pictures, "a", top=1)
    assert len(result.values) == 40 and len(list(rows(result, net))) == 16


@pytest.mark.data
def test_googlenet_on_a_hundred_photos(googlenet, data_dir):
    # One channel of each branch of the first inception module: 1x1, 3x3, 5x5 and the pool.
    sizes = {5: 27, 100: 43, 200: 59, 250: 43}
    with kernels.use("numba"):
        result = patches(googlenet, data_dir / "images" / "imagenet", "inception_3a/output", channels="5,100,200,250")
        assert result.values.shape == (4, 9) and len(result.source) == 100 and not result.skipped
        assert (np.diff(result.values, axis=1) <= 0).all() and result.values.min() > 1
        rng = np.random.default_rng(0)
        for u, (channel, size) in enumerate(sizes.items()):
            top, left, bottom, right = result.boxes[u, 0]
            assert (bottom - top, right - left) == (size, size)
            x = preprocess(read_image(result.names[u][0]), googlenet.meta)
            hidden = rng.normal(0, 60, x.shape).astype(np.float32)
            inside = np.s_[:, :, max(top, 0) : bottom, max(left, 0) : right]
            hidden[inside] = x[inside]
            row, column = result.positions[u, 0]
            value = googlenet(hidden, until="inception_3a/output")[0, channel, row, column]
            np.testing.assert_allclose(value, result.values[u, 0], rtol=1e-4)
