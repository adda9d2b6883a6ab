"""Receptive fields: the graph against changed pixels, known nets, boxes past the border, and three ways that agree."""

import numpy as np
import pytest

import minicnn
from minicnn import Net, kernels, vis
from minicnn.errors import UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.layers import (
    LRN,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Clip,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    MaxPool2d,
    Multiply,
    Pad,
    ReLU,
    Sigmoid,
    Softmax,
    Transpose,
)
from minicnn.meta import Meta
from minicnn.vis import receptive_field
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.receptive_field import support
from minicnn.vis.scanning.crop_boxes import CropBoxes
from minicnn.vis.scanning.fields import Box, box, field, reach
from minicnn.vis.units import Unit

C, H, W = 2, 9, 11


def _conv(F, kernel, *args, channels=C, **kwargs):
    return Conv2d(channels, F, kernel, *args, **kwargs)


# Every net ends in the node that is looked at. All of it is positive, so that nothing can hide a connection.
NETS = {
    "convolution": [("a", _conv(2, (3, 2), stride=(2, 1), pad=(1, 0, 2, 1)))],
    "dilation": [("a", _conv(1, 3, dilation=(2, 3), pad=(3, 4), stride=2))],
    "two": [("a", _conv(3, 3, stride=2, pad=1)), ("r", ReLU()), ("b", _conv(1, 3, pad=2, channels=3))],
    "floor": [("a", MaxPool2d(3, stride=3)), ("b", _conv(1, 2, pad=1))],
    "ceil": [("a", MaxPool2d(2, ceil_mode=True)), ("b", AvgPool2d(3, stride=2, pad=1, ceil_mode=True))],
    "groups": [
        ("a", Conv2d(2, 4, 3, groups=2)),
        ("b", Conv2d(4, 4, (1, 3), groups=2, stride=2)),
        ("n", BatchNorm2d(4)),
    ],
    "neighbours": [("a", _conv(4, 1)), ("p", MaxPool2d((1, 3), stride=1)), ("n", LRN(3, alpha=1.0))],
    "branches": [
        ("one", _conv(1, 1, stride=2), "data"),
        ("three", _conv(2, 3, pad=1, stride=2), "data"),
        ("pool", MaxPool2d(3, stride=2, pad=1), "data"),
        ("all", Concat(), ("one", "three", "pool")),
        ("r", ReLU()),
    ],
    "shortcut": [
        ("long", _conv(3, 3, stride=2, pad=1), "data"),
        ("longer", Conv2d(3, 3, (3, 1), pad=(1, 1, 0, 0))),
        ("short", _conv(3, 1, stride=2), "data"),
        ("sum", Add(), ("longer", "short")),
        ("s", Sigmoid()),
    ],
    "up": [("a", _conv(2, 3, stride=2)), ("b", ConvTranspose2d(2, 1, 3, stride=2, pad=1, output_padding=1))],
    "padding": [("p", Pad(((0, 0), (0, 0), (2, 1), (1, 3)))), ("a", _conv(1, 3)), ("c", Clip(-5, 1e9))],
    "mirror": [("p", Pad(((0, 0), (0, 0), (2, 2), (1, 1)), "reflect")), ("a", _conv(1, 2))],
    "beside": [("a", _conv(1, 3), "data"), ("b", _conv(1, 3), "data"), ("c", Concat(axis=2), ("a", "b"))],
    "across": [("t", Transpose((0, 1, 3, 2))), ("a", _conv(1, (1, 4)))],
    "mean": [("a", _conv(2, 3, stride=4)), ("m", GlobalAvgPool())],
    "most": [("p", MaxPool2d(2, stride=4)), ("m", GlobalMaxPool())],
    "gate": [
        ("a", _conv(2, 2, stride=3)),
        ("m", GlobalAvgPool()),
        ("g", Conv2d(2, 2, 1, groups=2)),
        ("out", Multiply(), ("a", "g")),
    ],
    "scores": [("p", AvgPool2d(2, stride=3)), ("f", Flatten()), ("l", Linear(C * 3 * 4, 2)), ("prob", Softmax())],
    "flat": [("a", _conv(1, 2, stride=3)), ("f", Flatten())],
}


def _positive(nodes):
    net = Net(nodes).init(1).astype("float64")
    for name, array in net.state_dict().items():
        array[:] = np.abs(array) + (0.1 if name.endswith(("w", "running_var")) else 0)
    return net


def _changed(net, shape):
    """(H, W, ...): which outputs change when a pixel does, found by changing each pixel."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.1, 0.2, (1, *shape))
    H, W = shape[1:]
    changed = np.repeat(x, H * W, axis=0)
    for k in range(H * W):
        changed[k, :, k // W, k % W] += 3.0  # the new largest of every window it is in
    with kernels.use("numpy"):
        before = net(x)
        # A batch of another size may be summed up in another order.
        moved = np.abs(net(changed) - before) > 1e-9 * np.abs(before)
    return moved.reshape(H, W, *before.shape[1:])


@pytest.mark.parametrize("name", NETS)
def test_the_graph_against_changed_pixels(name):
    net, last = _positive(NETS[name]), NETS[name][-1][0]
    changed = _changed(net, (C, H, W))
    rng, compared = np.random.default_rng(3), set()
    for channel in range(changed.shape[2]):
        positions = [None]
        if changed.ndim == 5:
            OH, OW = changed.shape[3:]
            positions = [(0, 0), (0, OW - 1), (OH - 1, 0), (OH - 1, OW - 1), (OH // 2, OW // 2)]
            positions += [(int(rng.integers(OH)), int(rng.integers(OW))) for _ in range(4)]
        for position in positions:
            rows, columns = field(net, Unit(last, channel, position), (C, H, W))
            expected = changed[(slice(None), slice(None), channel, *(position or ()))]
            np.testing.assert_array_equal(rows, expected.any(axis=1), err_msg=f"{channel} {position} rows")
            np.testing.assert_array_equal(columns, expected.any(axis=0), err_msg=f"{channel} {position} columns")
            compared.add((*rows, *columns))
    assert len(compared) > 2 or name in ("mean", "most", "gate", "scores")


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 16, 7), (2, 8, 20)])
def test_images_of_other_sizes(shape):
    net = _positive([*NETS["two"], *[("c", MaxPool2d(2, ceil_mode=True, pad=1))]])
    changed = _changed(net, shape)
    OH, OW = changed.shape[3:]
    for y, x in {(0, 0), (OH - 1, OW - 1), (OH // 2, OW // 3)}:
        rows, columns = field(net, Unit("c", 0, (y, x)), shape)
        np.testing.assert_array_equal(rows, changed[:, :, 0, y, x].any(axis=1))
        np.testing.assert_array_equal(columns, changed[:, :, 0, y, x].any(axis=0))


def test_a_channel_and_a_node_are_all_their_positions():
    net = _positive([("a", Conv2d(2, 2, 3, groups=2, stride=4))])
    rows, columns = field(net, "a:1", (C, H, W))
    assert np.flatnonzero(~rows).tolist() == [3, 7, 8] and np.flatnonzero(~columns).tolist() == [3, 7]
    np.testing.assert_array_equal(field(net, "a", (C, H, W))[0], rows)


def test_zero_weights_are_connections_too():
    net = Net([("a", _conv(1, 3))])
    net.load_state_dict({"a.w": np.zeros((1, C, 3, 3)), "a.b": np.zeros(1)})
    assert box(net, "a:0:2,4", (C, H, W)) == Box(2, 4, 5, 7)


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        # Araujo, Norris & Sim, Distill 2019, table of networks
        ("alexnet", "pool5", 195, 32),
        ("vgg16", "pool5", 212, 32),
        # 3 + 2
        ("vgg16", "conv1_2", 5, 1),
        ("vgg16", "conv5_3", 196, 16),
    ],
)
def test_known_nets(name, layer, size, stride):
    found = reach(minicnn.build(name), layer)
    assert found.size == (size, size) and found.stride == (stride, stride)


def test_boxes_past_the_border():
    # Twice 3x3 with padding 1 and one step of 2 between: 3 + 2*2 = 7 pixels, the first from -1 - 2 = -3 on.
    net = Net([("a", _conv(1, 3, stride=2, pad=1)), ("b", Conv2d(1, 2, 3, pad=1))])
    crop = CropBoxes(net, "b", (C, H, W))
    assert crop(0, (0, 0)) == Box(-3, -3, 4, 4)
    assert crop(1, (4, 5)) == Box(5, 7, 12, 14)
    assert box(net, "b:1:4,5", (C, H, W)) == Box(5, 7, 9, 11)


def test_boxes_of_branches():
    crop = CropBoxes(Net(NETS["branches"]), "r", (C, H, W))
    # one: a pixel; three and pool: 3 pixels from -1 on; all in steps of 2
    assert [crop(c, (1, 3)) for c in range(5)] == [Box(2, 6, 3, 7), *[Box(1, 5, 4, 8)] * 4]
    assert crop(0, (0, 0)) == Box(0, 0, 1, 1) and crop(4, (4, 5)) == Box(7, 9, 10, 12)


def test_boxes_between_pixels():
    # out o reads i with o = 2i - 1 + k, k = 0, 1, 2: odd ones two cells, even ones one, each of 3 pixels in steps of 2
    crop = CropBoxes(Net(NETS["up"]), "b", (C, H, W))
    assert [crop(0, (0, x)).left for x in range(6)] == [0, 0, 2, 2, 4, 4]
    assert [crop(0, (0, x)).width for x in range(6)] == [3, 5, 3, 5, 3, 5]


def test_one_walk_for_all_channels_with_one_field(monkeypatch):
    walks = []
    monkeypatch.setattr("minicnn.vis.scanning.crop_boxes.field", lambda *args: walks.append(args) or field(*args))
    crop = CropBoxes(Net([*NETS["scores"], ("r", ReLU())]), "r", (C, H, W))
    assert crop(0) == crop(1) == Box(0, 0, 8, 11) and len(walks) == 1
    walks.clear()
    crop = CropBoxes(Net(NETS["branches"]), "r", (C, H, W))
    for channel in range(5):
        for position in np.ndindex(5, 6):
            crop(channel, position)
    assert len(walks) == 3  # one, three, the pool


@pytest.mark.parametrize("name", ["mean", "gate", "scores"])
def test_boxes_of_what_reads_everything(name):
    net = Net(NETS[name])
    last = NETS[name][-1][0]
    changed = _changed(_positive(NETS[name]), (C, H, W))
    position = (0,) * (changed.ndim - 3)
    expected = changed[(slice(None), slice(None), 0, *position)]
    ends = [np.flatnonzero(expected.any(axis=1 - axis))[[0, -1]] for axis in (0, 1)]
    found = CropBoxes(net, last, (C, H, W))(0, position or None)
    assert found == Box(ends[0][0], ends[1][0], ends[0][1] + 1, ends[1][1] + 1)


def _meta(H=24, W=21):
    return Meta("none", (1, H, W), "L", 1.0, (0.4,), (0.3,), "squash", max(H, W))


def _net(seed=0):
    nodes = [
        ("conv1", Conv2d(1, 6, 3, stride=2, pad=1)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2, stride=1)),
        ("one", Conv2d(6, 4, 1), "pool1"),
        ("three", Conv2d(6, 4, 3, dilation=2, pad=2), "pool1"),
        ("both", Concat(), ("one", "three")),
        ("relu2", ReLU()),
        ("conv2", Conv2d(8, 5, 2)),
    ]
    return Net(nodes, meta=_meta()).init(seed)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("conv1:3:4,5", ((7, 10), (9, 12))),
        ("pool1:0:4,5", ((7, 12), (9, 14))),
        ("one:2:4,5", ((7, 12), (9, 14))),
        ("both:1:4,5", ((7, 12), (9, 14))),
        ("both:6:4,5", ((3, 16), (5, 18))),  # 5 + 4 cells of 2 pixels
        ("conv2:1:4,5", ((3, 18), (5, 20))),
        ("conv2:1:0,0", ((0, 10), (0, 10))),
    ],
)
def test_three_ways_agree(unit, expected, backend):
    result = receptive_field(_net(), unit, images=12, batch=20)
    assert {maps.shape for maps in result.values()} == {(1, 24, 21)}
    assert {maps.dtype.name for maps in result.values()} == {"float32"}
    for name, maps in result.items():
        assert support(maps[0]) == expected, name
    (top, bottom), (left, right) = expected
    assert (result["formula"][0, top:bottom, left:right] == 1).all() and result["formula"].sum() == result[
        "formula"
    ].max() * ((bottom - top) * (right - left))


@pytest.mark.parametrize("name", NETS)
def test_three_ways_agree_on_odd_nets(name):
    net, last = _positive(NETS[name]).to("numpy"), NETS[name][-1][0]
    x = np.random.default_rng(4).uniform(0.1, 0.3, (40, C, H, W))
    out = net(x[:1])
    for position in [(0, 0), tuple(size // 2 for size in out.shape[2:])] if out.ndim == 4 else [None]:
        result = receptive_field(net, Unit(last, out.shape[1] - 1, position), x, batch=200)
        for axis in (1, 2):
            seen = {way: maps.any(axis=(0, axis)).tolist() for way, maps in result.items()}
            assert any(seen["formula"]) or position == (0, 0)  # which may read padding alone
            assert seen["gradient"] == seen["formula"], (position, axis)
            assert seen["occlusion"] == seen["formula"], (position, axis)


def test_without_pooling_every_pixel_agrees():
    net = Net([("a", Conv2d(1, 3, 3, stride=2)), ("b", Conv2d(3, 2, 2, dilation=2, pad=1))], meta=_meta()).init(3)
    result = receptive_field(net, "b:1", images=2)
    for name in ("gradient", "occlusion"):
        np.testing.assert_array_equal(result[name] > 0, result["formula"] > 0)
    assert 9 < (result["formula"] > 0).sum() < 100


def test_of_given_images_each_has_its_own_place():
    x = np.zeros((3, 1, 24, 21), np.float32)
    for n, (row, column) in enumerate([(2, 2), (10, 14), (21, 6)]):
        x[n, 0, row, column] = 5
    net = Net([("a", Conv2d(1, 1, 3, pad=1))], meta=_meta())
    net.load_state_dict({"a.w": np.array([[[[1, 2, 1], [2, 9, 2], [1, 2, 1]]]]), "a.b": np.zeros(1)})
    result = receptive_field(net, "a:0", x)
    for maps in result.values():
        assert [support(one) for one in maps] == [((1, 4), (1, 4)), ((9, 12), (13, 16)), ((20, 23), (5, 8))]
    np.testing.assert_array_equal(result["gradient"][1, 9:12, 13:16], [[1, 2, 1], [2, 9, 2], [1, 2, 1]])


def test_a_closed_gate_is_seen_by_the_formula_alone():
    net = Net([("a", Conv2d(1, 1, 3)), ("r", ReLU())], meta=_meta())
    net.load_state_dict({"a.w": np.ones((1, 1, 3, 3)), "a.b": np.full(1, -1e6)})
    result = receptive_field(net, "r:0", images=2)
    assert result["formula"].sum() == 9 and not result["gradient"].any() and not result["occlusion"].any()


def test_noise_that_opens_the_gate_is_looked_for():
    # The mean of 81 grey pixels is about 1/3, in white noise 1/14 more or less: too little for the 1/4 that opens it.
    net = Net([("a", Conv2d(1, 1, 9)), ("r", ReLU())], meta=_meta())
    net.load_state_dict({"a.w": np.full((1, 1, 9, 9), 1 / 81), "a.b": np.full(1, -1 / 3 - 1 / 4)})
    result = receptive_field(net, "r:0", images=3)
    assert support(result["gradient"][0]) == support(result["occlusion"][0]) == support(result["formula"][0])
    assert result["formula"].sum() == 81


def test_a_class_and_a_node():
    net = minicnn.build("lenet_relu", seed=0)
    assert receptive_field(net, 3, images=1)["formula"].all()
    result = receptive_field(net, "conv1", np.random.default_rng(0).random((1, 1, 28, 28), np.float32))
    assert all((maps > 0).all() for maps in result.values())


def test_it_is_repeatable_and_leaves_the_image_alone():
    x = np.random.default_rng(5).random((2, 1, 24, 21), np.float32)
    before = x.copy()
    one, other = (receptive_field(_net(), "conv2:1", x, batch=batch) for batch in (7, 100))
    np.testing.assert_array_equal(x, before)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6)
    seeds = [receptive_field(_net(), "conv1:3", seed=seed)["occlusion"] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(seeds[0], seeds[1])
    assert (seeds[0] != seeds[2]).any()


def test_occlusion_sees_what_the_formula_does_not(monkeypatch):
    module = vis.METHODS["receptive_field"]
    expected = receptive_field(_net(), "both:6:4,5", images=4, batch=20)["occlusion"]

    def too_small(net, unit, shape):
        rows, columns = field(net, unit, shape)
        rows[3:6], rows[15], columns[17] = False, False, False
        return rows, columns

    monkeypatch.setattr(module, "field", too_small)
    result = receptive_field(_net(), "both:6:4,5", images=4, batch=20)
    assert support(result["formula"][0]) == ((6, 15), (5, 17))
    assert support(result["occlusion"][0]) == ((3, 16), (5, 18))
    np.testing.assert_allclose(result["occlusion"], expected, rtol=1e-6)


def test_what_lies_beside_the_field_takes_four_passes(monkeypatch):
    passes, call = [], Net.__call__
    monkeypatch.setattr(Net, "__call__", lambda self, x, **kw: passes.append(len(x)) or call(self, x, **kw))
    receptive_field(_net(), "conv1:3:4,5", images=1, batch=100)
    assert passes == [8, 1, 4, 3 + 3]  # the first to choose the noise


def test_interrupted_it_keeps_what_is_occluded(monkeypatch):
    net, runs = _net(), []
    whole = receptive_field(_net(), "conv1:3:4,5", images=1, batch=1)["occlusion"]
    call = Net.__call__

    def interrupted(self, *args, **kwargs):
        runs.append(1)
        if len(runs) == 19:  # eight to choose the noise, one before, four beside the field, three rows, two columns
            raise KeyboardInterrupt
        return call(self, *args, **kwargs)

    monkeypatch.setattr(Net, "__call__", interrupted)
    with pytest.warns(StoppedEarly, match="receptive_field: interrupted"):
        result = receptive_field(net, "conv1:3:4,5", images=1, batch=1)
    assert support(result["occlusion"][0]) == ((7, 10), (9, 11))
    np.testing.assert_array_equal(result["occlusion"][0, :, :11], whole[0, :, :11])
    assert support(result["formula"][0]) == support(result["gradient"][0]) == ((7, 10), (9, 12))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0}, "images is 0, expected 1 or more"),
        ({"batch": 0}, "batch is 0, expected 1 or more"),
        ({"unit": "conv1:6"}, "channel 6 of 0 to 5"),
        ({"unit": "conv1:0:12,0"}, "row 12 of 0 to 11"),
    ],
)
def test_what_makes_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        receptive_field(_net(), **{"unit": "conv1:0", **options})


def test_no_noise_for_a_net_without_meta():
    net = _net()
    net.meta = None
    with pytest.raises(UsageError, match=r"this net has no meta .* give x"):
        receptive_field(net, "conv1:0")
    with pytest.raises(ShapeError):
        field(net, "conv2:0", (3, 24, 21))


def test_the_picture_shows_where():
    x = np.full((1, 1, 24, 21), 0.2, np.float32)
    result = receptive_field(_net(), "conv1:3:4,5", x)
    picture = np.asarray(vis.METHODS["receptive_field"].picture(result, _net(), x=x, unit="conv1:3:4,5")).astype(int)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 100)
    assert red.any() and not red[:20].any()
    no_image = vis.METHODS["receptive_field"].picture(result, _net(), unit="conv1:3:4,5")
    assert no_image.width < picture.shape[1]


@pytest.mark.data
@pytest.mark.parametrize(("channel", "size"), [(5, 27), (100, 43), (200, 59)])
def test_googlenet_agrees(googlenet, channel, size):
    # pool2 has 27 pixels in steps of 8: a 1x1, 3x3 and 5x5 branch of the first module, on small images.
    x = np.random.default_rng(0).normal(0, 60, (2, 3, 64, 64)).astype(np.float32)
    result = receptive_field(googlenet, f"inception_3a/output:{channel}", x, batch=64)
    spans = {name: [support(one) for one in maps] for name, maps in result.items()}
    assert spans["formula"] == spans["gradient"] == spans["occlusion"]
    assert all(8 < end - start <= size for both in spans["formula"] for start, end in both)
    assert CropBoxes(googlenet, "inception_3a/output", (3, 64, 64))(channel, (4, 4)).height == size
