"""Grad-CAM, guided Grad-CAM, SmoothGrad, integrated gradients, excitation backprop: closed forms and slow twins."""

import numpy as np
import pytest
import twins_attribution as twins

import minicnn
from minicnn import Net
from minicnn.errors import MinicnnError, UnknownNameError, UsageError
from minicnn.layers import (
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Multiply,
    ReLU,
    Softmax,
)
from minicnn.meta import Meta
from minicnn.vis import (
    METHODS,
    excitation_backprop,
    grad_cam,
    grad_times_input,
    gradient,
    guided_backprop,
    guided_grad_cam,
    integrated_gradients,
    smooth_grad,
)
from minicnn.vis.pictures.heat import enlarged, overlay
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.shares.cut import cut_nodes

SIZE = 15, 13


META = Meta("none", (3, 4, 5), "RGB", 1.0, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), "squash", 30)


@pytest.fixture(scope="module")
def small():
    """(net, the same as steps, x): convolution, ReLU, pool, convolution, ReLU, linear."""
    rng = np.random.default_rng(0)
    w1, w2, w3 = (rng.standard_normal(shape) for shape in ((4, 2, 3, 3), (5, 4, 3, 3), (3, 60)))
    nodes = [
        ("conv1", Conv2d(2, 4, 3, bias=False)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(4, 5, 3, bias=False)),
        ("relu2", ReLU()),
        ("flat", Flatten()),
        ("fc", Linear(60, 3, bias=False)),
        ("prob", Softmax()),
    ]
    net = Net(nodes).astype("float64")
    net.load_state_dict({"conv1.w": w1, "conv2.w": w2, "fc.w": w3})
    steps = [("conv", w1), ("relu",), ("pool", 2), ("conv", w2), ("relu",), ("fc", w3)]
    return net, steps, rng.standard_normal((2, 2, *SIZE))


def _same(found, expected, tolerance=1e-9):
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# Grad-CAM -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "after"), [("", 5), ("relu2", 5), ("conv2", 4), ("pool1", 3)])
def test_grad_cam_against_a_slow_twin(small, layer, after):
    net, steps, x = small
    expected = np.stack([[twins.grad_cam(steps, image, channel, after) for image in x] for channel in range(3)])
    found = np.stack([grad_cam(net, x, channel, layer) for channel in range(3)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert expected.max() > 1


def test_grad_cam_with_a_mean_over_positions_is_the_class_activation_map():
    # Zhou et al., CVPR 2016: score = sum over k of w_k * mean(A_k), so a_k = w_k / (h * w).
    net = Net(
        [
            ("conv", Conv2d(2, 4, 3)),
            ("relu", ReLU()),
            ("gap", GlobalAvgPool()),
            ("flat", Flatten()),
            ("fc", Linear(4, 3)),
        ]
    )
    net = net.init(1).astype("float64")
    x = np.random.default_rng(1).standard_normal((2, 2, 7, 8))
    maps, w = net(x, until="relu"), net["fc"].layer.params["w"]
    expected = np.maximum(np.einsum("fk,nkij->fnij", w, maps) / 30, 0)
    _same(np.stack([grad_cam(net, x, f"fc:{f}") for f in range(3)]), expected)


@pytest.mark.data
def test_grad_cam_of_googlenet_is_its_class_activation_map(googlenet, photo):
    # GoogLeNet ends in a mean over 7x7 positions, dropout and a linear layer.
    maps = googlenet(photo, until="inception_5b/output")
    w = googlenet["loss3/classifier"].layer.params["w"][130]
    expected = np.maximum(np.einsum("k,nkij->nij", w, maps) / 49, 0)
    _same(grad_cam(googlenet, photo, "flamingo"), expected, 1e-4)


@pytest.mark.data
def test_googlenets_grad_cam_lower_down_against_pytorch(googlenet, photo):
    torch = pytest.importorskip("torch")
    import twins_nets

    kept = {}

    def pool(x, p, name, *geometry, **padding):
        out = plain(x, p, name, *geometry, **padding)
        if name == "pool4/3x3_s2":
            kept["maps"] = out.requires_grad_()
            out.retain_grad()
        return out

    plain = twins_nets._pool
    twins_nets._pool = pool
    try:
        image = torch.from_numpy(photo).requires_grad_()
        twins_nets.googlenet(image, twins_nets.Weights(googlenet))[0, 130].backward()
    finally:
        twins_nets._pool = plain
    maps = kept["maps"]
    expected = (maps * maps.grad.mean(dim=(2, 3), keepdim=True)).sum(dim=1).clamp(min=0).detach().numpy()
    _same(grad_cam(googlenet, photo, 130, "pool4/3x3_s2"), expected, 1e-3)


def test_guided_grad_cam_is_the_product(small):
    net, steps, x = small
    expected = np.stack([twins.guided_backprop(steps, image, 1) for image in x])
    _same(guided_backprop(net, x, 1), expected)
    where = enlarged(grad_cam(net, x, 1), SIZE)
    _same(guided_grad_cam(net, x, 1), expected * where[:, None])
    assert where.shape == (2, *SIZE) and where.max() <= grad_cam(net, x, 1).max() + 1e-12


def test_layers_without_maps(small):
    net, _, x = small
    with pytest.raises(UsageError, match="fc has no positions"):
        grad_cam(net, x, "prob:1", "fc")
    with pytest.raises(UnknownNameError, match="conv3"):
        grad_cam(net, x, 1, "conv3")
    with pytest.raises(UsageError, match="no node before conv1 has maps of features: name one with layer"):
        grad_cam(net, x, "conv1:1")


def test_the_nodes_that_all_goes_through():
    nodes = [
        ("a", Conv2d(2, 2, 1)),
        ("b", ReLU()),
        ("left", Conv2d(2, 2, 1)),
        ("left_relu", ReLU()),
        ("sum", Add(), ("b", "left_relu")),
        ("c", Conv2d(2, 2, 1)),
        ("d", Conv2d(2, 2, 1), "sum"),
        ("both", Concat(), ("c", "d")),
        ("end", Conv2d(4, 2, 1)),
    ]
    net = Net(nodes)
    assert cut_nodes(net, "end") == ["a", "b", "sum", "both"]
    assert cut_nodes(net, "d") == ["a", "b", "sum"]
    assert cut_nodes(net, "left_relu") == ["a", "b", "left"]
    beside = Net([*nodes, ("late", Conv2d(2, 2, 1), "data"), ("last", Add(), ("end", "late"))])
    assert cut_nodes(beside, "last") == []
    assert cut_nodes(beside, "both") == ["a", "b", "sum"]


# Gradients of many images -------------------------------------------------------------------------


def _linear(seed=0):
    net = Net([("flat", Flatten()), ("fc", Linear(3 * 4 * 5, 3))], meta=META).init(seed)
    return net.astype("float64"), np.random.default_rng(seed).standard_normal((2, 3, 4, 5))


@pytest.mark.parametrize("baseline", ["black", "white", "mean"])
def test_integrated_gradients_of_a_linear_net(baseline):
    net, x = _linear()
    start = {
        "black": [-0.5 / 0.2, -0.4 / 0.3, -0.3 / 0.25],
        "white": [0.5 / 0.2, 0.6 / 0.3, 0.7 / 0.25],
        "mean": [0, 0, 0],
    }
    away = x - np.reshape(start[baseline], (1, 3, 1, 1))
    found = integrated_gradients(net, x, 1, steps=3, baseline=baseline)
    np.testing.assert_allclose(found, away * net["fc"].layer.params["w"][1].reshape(3, 4, 5), rtol=1e-12)
    difference = net(x)[:, 1] - net(x - away)[:, 1]
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), difference, rtol=1e-12)


def test_integrated_gradients_of_a_square():
    # score = sum of x^2: the gradient along the line from 0 is 2 a x, its mean by midpoints x exactly: out = x^2.
    net = Net([("square", Multiply(), ("data", "data")), ("flat", Flatten()), ("sum", Linear(60, 1, bias=False))])
    net = net.astype("float64")
    net.load_state_dict({"sum.w": np.ones((1, 60))})
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    np.testing.assert_allclose(integrated_gradients(net, x, "sum:0", steps=7, baseline="mean"), x * x, rtol=1e-12)


def test_integrated_gradients_add_up_in_a_trained_net():
    net = minicnn.load("mnist-lenet")
    x = np.zeros((3, 1, 28, 28), np.float32)
    x[0, 0, 4:24, 12:16] = x[1, 0, 4:8, 8:20] = x[1, 0, 4:24, 16:20] = x[2, 0, 8:20, 8:20] = 3
    found = integrated_gradients(net, x, 1)
    scores = net(x, until=net.scores)[:, 1] - net(np.zeros_like(x), until=net.scores)[:, 1]
    assert np.abs(scores).min() > 0.5
    assert np.abs(found.sum(axis=(1, 2, 3), dtype="float64") / scores - 1).max() < 0.01


@pytest.mark.data
def test_integrated_gradients_add_up_in_googlenet(googlenet, photo):
    black = np.broadcast_to(-np.float32([104, 117, 123]).reshape(1, 3, 1, 1), photo.shape).copy()
    found = integrated_gradients(googlenet, photo, "flamingo", steps=50)
    score, start = (googlenet(image, until=googlenet.scores)[0, 130] for image in (photo, black))
    assert score - start > 10
    assert abs(found.sum(dtype="float64") / (score - start) - 1) < 0.01


def test_a_channel_is_looked_at_in_one_place(small):
    # Between baseline and image a channel may be strongest elsewhere; the position is that of the image.
    net, _, x = small
    channel = net(x, until="relu2")[0, 3]
    y, xx = np.unravel_index(channel.argmax(), channel.shape)
    options = {"steps": 4, "baseline": "mean"}
    named = integrated_gradients(net, x[:1], f"relu2:3:{y},{xx}", **options)
    np.testing.assert_array_equal(integrated_gradients(net, x[:1], "relu2:3", **options), named)
    named = smooth_grad(net, x[:1], f"relu2:3:{y},{xx}", samples=4)
    np.testing.assert_array_equal(smooth_grad(net, x[:1], "relu2:3", samples=4), named)


def test_smooth_grad_without_noise_and_of_a_linear_net(small):
    net, _, x = small
    _same(smooth_grad(net, x, 1, samples=2, noise=0.0), gradient(net, x, 1), 1e-12)
    linear, x = _linear()
    _same(smooth_grad(linear, x, 1, samples=3), gradient(linear, x, 1), 1e-12)


def test_smooth_grads_noise():
    # score = sum of x^3 / 3: the gradient is x^2, its mean under noise x^2 + sigma^2; here x lies between 0 and 2.
    nodes = [("square", Multiply(), ("data", "data")), ("cube", Multiply(), ("square", "data")), ("flat", Flatten())]
    net = Net([*nodes, ("sum", Linear(2000, 1, bias=False))]).astype("float64")
    net.load_state_dict({"sum.w": np.full((1, 2000), 1 / 3)})
    x = np.concatenate([np.zeros((1, 1, 40, 25)), np.full((1, 1, 40, 25), 2.0)], axis=1)
    found = smooth_grad(net, x, "sum:0", samples=40, noise=0.25, seed=1)
    assert abs((found - x * x).mean() - 0.25) < 0.02  # sigma = 0.25 * 2; over 80,000 draws
    np.testing.assert_array_equal(found, smooth_grad(net, x, "sum:0", samples=40, noise=0.25, seed=1))
    assert np.abs(found - smooth_grad(net, x, "sum:0", samples=40, noise=0.25, seed=2)).max() > 0.01


@pytest.mark.parametrize("method", [smooth_grad, integrated_gradients])
def test_interrupted_it_keeps_the_mean_so_far(method, monkeypatch):
    net, x = _linear()
    expected = method(net, x, 1)
    backward, walks = net.backward, []

    def interrupted(*args, **kwargs):
        walks.append(1)
        if len(walks) == 4:
            raise KeyboardInterrupt
        return backward(*args, **kwargs)

    monkeypatch.setattr(net, "backward", interrupted)
    with pytest.warns(StoppedEarly, match=f"{method.__name__}: interrupted"):
        found = method(net, x, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # a linear net has one gradient


def test_options_that_make_no_sense():
    net, x = _linear()
    for method, options, message in (
        (smooth_grad, {"samples": 0}, "samples is 0"),
        (smooth_grad, {"noise": -1.0}, "noise is -1.0"),
        (integrated_gradients, {"steps": 0}, "steps is 0"),
        (integrated_gradients, {"baseline": "grey"}, "not 'grey'"),
    ):
        with pytest.raises(UsageError, match=message):
            method(net, x, 1, **options)
    net.meta = None
    with pytest.raises(MinicnnError, match="no meta"):
        integrated_gradients(net, x, "fc:1")


def test_grad_times_input_by_hand():
    net, x = _linear()
    np.testing.assert_allclose(grad_times_input(net, x, 2), x * net["fc"].layer.params["w"][2].reshape(3, 4, 5))


# Excitation backprop --------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "after"), [("pool1", 3), ("relu1", 2), ("conv2", 4)])
def test_excitation_backprop_against_a_slow_twin(small, layer, after):
    net, steps, x = small
    for channel in range(3):
        P = np.stack([twins.winning_probabilities(steps, image, channel, after) for image in x])
        found = excitation_backprop(net, x, channel, contrastive=False, layer=layer)
        _same(found, P.sum(axis=1))
        assert (found >= 0).all() and (found.sum(axis=(1, 2)) < 1 + 1e-9).all()
        dual = np.stack([twins.winning_probabilities(steps, image, channel, after, negated_top=True) for image in x])
        _same(excitation_backprop(net, x, channel, layer=layer), np.maximum((P - dual).sum(axis=1), 0))


def test_excitation_backprop_by_hand():
    # One winner: a excites by 3 * 1, b by 1 * 2, c holds back; contrastive, c alone excites the dual.
    net = Net([("flat", Flatten()), ("fc", Linear(3, 1))]).astype("float64")
    net.load_state_dict({"fc.w": [[3.0, 1.0, -5.0]], "fc.b": [100.0]})
    x = np.reshape([1.0, 2.0, 4.0], (1, 1, 1, 3))
    np.testing.assert_allclose(excitation_backprop(net, x, "fc:0", False, "data"), [[[0.6, 0.4, 0]]])
    np.testing.assert_allclose(excitation_backprop(net, x, "fc:0", True, "data"), [[[0.6, 0.4, 0]]])
    net.load_state_dict({"fc.w": [[3.0, -1.0, 0.0]], "fc.b": [100.0]})
    np.testing.assert_allclose(excitation_backprop(net, x, "fc:0", True, "data"), [[[1, 0, 0]]])


def test_all_of_the_probability_arrives():
    nodes = [
        ("conv1", Conv2d(2, 4, 3, pad=1)),
        ("bn1", BatchNorm2d(4)),
        ("relu1", ReLU()),
        ("conv2", Conv2d(4, 4, 3, pad=1)),
        ("sum", Add(), ("conv2", "relu1")),
        ("relu2", ReLU()),
        ("pool", MaxPool2d(2)),
        ("gap", GlobalAvgPool()),
        ("flat", Flatten()),
        ("fc", Linear(4, 3)),
    ]
    net = Net(nodes).init(2).astype("float64")
    x = np.random.default_rng(2).standard_normal((2, 2, 8, 10))
    found = excitation_backprop(net, x, "fc:1", contrastive=False, layer="relu1")
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, rtol=1e-4)
    assert excitation_backprop(net, x, "fc:1", contrastive=False).shape == (2, 4, 5)  # pool, larger than an eighth


@pytest.mark.data
def test_googlenets_map_is_the_papers(googlenet, photo):
    found = excitation_backprop(googlenet, photo, "flamingo", contrastive=False)
    assert found.shape == (1, 28, 28)  # pool2/3x3_s2
    assert found.sum() == pytest.approx(1, abs=1e-3)
    with pytest.raises(UnknownNameError, match="inception_4a/1x1"):
        excitation_backprop(googlenet, photo, "inception_3a/output:3", layer="inception_4a/1x1")


def test_contrast_of_a_channel_of_a_concatenation():
    # Channel 3 of 2 + 3 is the second branch's channel 1: as if there were no other branch.
    first = [("a", Conv2d(2, 4, 3, pad=1)), ("relu_a", ReLU())]
    branch = [("right_reduce", Conv2d(4, 3, 1), "relu_a"), ("relu_r", ReLU()), ("right", Conv2d(3, 3, 3, pad=1))]
    branch.append(("relu_right", ReLU()))
    left = [("left", Conv2d(4, 2, 1), "relu_a"), ("relu_left", ReLU())]
    net = Net([*first, *left, *branch, ("both", Concat(), ("relu_left", "relu_right"))]).init(3).astype("float64")
    alone = Net([*first, *branch]).astype("float64")
    alone.load_state_dict({name: a for name, a in net.state_dict().items() if not name.startswith("left")})
    x = np.random.default_rng(3).standard_normal((2, 2, 6, 7))
    for layer in ("relu_a", "relu_r"):
        expected = excitation_backprop(alone, x, "relu_right:1:2,3", layer=layer)
        _same(excitation_backprop(net, x, "both:3:2,3", layer=layer), expected)
    with pytest.raises(UsageError, match="both has no weights that could be contrasted: ask for a node with weights"):
        excitation_backprop(net, x, "both")


def test_contrast_needs_weights():
    net = Net([("relu", ReLU()), ("pool", MaxPool2d(2))]).astype("float64")
    x = np.ones((1, 2, 8, 8))
    with pytest.raises(UsageError, match="pool has no weights that could be contrasted"):
        excitation_backprop(net, x, "pool:1")
    with pytest.raises(UsageError, match="flat has no positions"):
        excitation_backprop(
            Net([("flat", Flatten()), ("fc", Linear(128, 2))]).init(0).astype("float64"), x, "fc:1", layer="flat"
        )


# Pictures -----------------------------------------------------------------------------------------


def test_heat_over_the_image():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = 255
    shown = overlay(pixels, np.array([[0.0, 2.0], [0.0, 1.0]]))
    assert tuple(shown[0, 0]) == (233,) * 3 and tuple(shown[1, 0]) == (80,) * 3  # zero: the image, faint
    assert shown[0, 1, 0] > 230 and shown[0, 1, 1] > 200 and shown[0, 1, 2] < 100  # the maximum: yellow
    assert shown[1, 1, 0] > shown[1, 1, 1] > shown[1, 1, 2]  # half of it: between red and yellow


def test_without_the_image_there_is_the_map_alone(small):
    net, _, x = small
    for name in ("grad_cam", "excitation_backprop", "grad_times_input"):
        result = getattr(minicnn.vis, name)(net, x, 1)
        for given in (None, x):  # this net has no meta, so its images cannot be shown
            assert METHODS[name].picture(result, net, given, 1).width > 112
