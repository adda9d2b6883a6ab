"""LRP through whole nets: what is conserved, what is lost and where, and which node gets which rule."""

from functools import partial

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import MinicnnError, UnknownNameError, UsageError
from minicnn.layers import (
    LRN,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Constant,
    Conv2d,
    Divide,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Multiply,
    ReLU,
    Softmax,
    Subtract,
)
from minicnn.meta import Meta
from minicnn.vis import METHODS, compare, grad_times_input, lrp
from minicnn.vis.passes import look
from minicnn.vis.shares.composites import COMPOSITES, relevance_rules
from minicnn.vis.shares.lrp_rules import lrp_alpha_beta, lrp_epsilon, lrp_flat, lrp_gamma, lrp_z_box, lrp_z_plus
from minicnn.vis.shares.walks import WALKS
from minicnn.vis.units import Unit

META = Meta("none", (3, 17, 15), "RGB", 1.0, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), "squash", 20)


def _branched(seed, bias=False):
    """A net with every kind of node that zoo nets have: two branches, a shortcut, LRN, all pools, dropout."""
    conv = partial(Conv2d, bias=bias)
    nodes = [
        ("conv1", conv(3, 4, 3, pad=1)),
        ("relu1", ReLU()),
        ("norm1", LRN(alpha=0.5)),
        ("pool1", MaxPool2d(3, stride=2, ceil_mode=True)),
        ("left", conv(4, 3, 1), "pool1"),
        ("relu_left", ReLU()),
        ("right_pool", MaxPool2d(3, stride=1, pad=1), "pool1"),
        ("right", conv(4, 2, 3, pad=1, stride=1)),
        ("relu_right", ReLU()),
        ("both", Concat(), ("relu_left", "relu_right")),
        ("conv2", conv(5, 5, 3, pad=1)),
        ("relu_conv2", ReLU()),
        ("sum", Add(), ("relu_conv2", "both")),
        ("relu2", ReLU()),
        ("pool2", AvgPool2d(3, stride=2, pad=1)),
        ("drop", Dropout()),
        ("flat", Flatten()),
        ("fc", Linear(5 * 4 * 4, 6, bias=bias)),
        ("prob", Softmax()),
    ]
    net = Net(nodes, meta=META).init(seed).astype("float64")
    rng = np.random.default_rng(seed)
    for name, array in net.state_dict().items():
        if name.endswith(".b"):
            array[:] = rng.standard_normal(array.shape) / 3
    return net


def _images(seed, N=2):
    """Random pixels as the net's input."""
    pixels = np.random.default_rng(seed).random((N, 3, 17, 15))
    return (pixels - np.reshape(META.mean, (1, 3, 1, 1))) / np.reshape(META.std, (1, 3, 1, 1))


@pytest.mark.parametrize("smooth_pools", [False, True])
@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_is_conserved_without_biases(composite, smooth_pools):
    for seed in (1, 2):
        net, x = _branched(seed), _images(seed)
        unit = int(np.abs(net(x, until="fc")).min(axis=0).argmax())
        # With alpha 2, where nothing is negative, beta's part is nobody's and missing from the sum.
        result = lrp(net, x, unit, composite=composite, epsilon=1e-10, alpha=1.0, smooth_pools=smooth_pools)
        scores = net(x, until="fc")[:, unit]
        tolerance = 1e-5 * np.abs(result.pixels).sum(axis=(1, 2, 3)).max()
        np.testing.assert_allclose(result.pixels.sum(axis=(1, 2, 3)), scores, rtol=1e-5, atol=tolerance)
        assert next(iter(result.arrived)) == "fc" and list(result.arrived)[-1] == "conv1"
        for kept in result.kept.values():
            np.testing.assert_allclose(kept, 1, atol=1e-4)


def test_epsilon_without_biases_conserves_to_five_digits():
    for seed in range(4):
        net, x = _branched(seed), _images(seed)
        result = lrp(net, x, "fc:2", composite="epsilon", epsilon=1e-12)
        scores = net(x, until="fc")[:, 2]
        assert np.abs(result.pixels.sum(axis=(1, 2, 3)) / scores - 1).max() < 1e-5


@pytest.mark.data
def test_epsilon_conserves_in_googlenet_without_biases(googlenet, photo):
    state = googlenet.astype("float64").state_dict()
    net = minicnn.build("googlenet").astype("float64")
    net.load_state_dict({name: a * 0 if name.endswith(".b") else a for name, a in state.items()})
    x = photo.astype("float64")
    result = lrp(net, x, 130, composite="epsilon", epsilon=1e-12)
    score = net(x, until=net.scores)[0, 130]
    assert abs(result.pixels.sum() / score - 1) < 1e-5
    assert max(abs(kept[0] - 1) for kept in result.kept.values()) < 1e-5


def test_epsilon_zero_is_gradient_times_input_without_biases():
    # All of these layers are linear between their kinks, and LRN is left out: there its rule is no gradient.
    nodes = [
        ("conv1", Conv2d(3, 4, 3, bias=False)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(4, 5, 3)),
    ]
    net = Net(
        [*nodes, ("relu2", ReLU()), ("gap", GlobalAvgPool()), ("flat", Flatten()), ("fc", Linear(5, 3))], meta=META
    )
    net, x = net.init(3).astype("float64"), _images(3)
    expected = grad_times_input(net, x, 1)
    pixels = lrp(net, x, 1, composite="epsilon", epsilon=1e-12).pixels
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(expected.sum(axis=(1, 2, 3)), net(x)[:, 1], rtol=1e-10)


def test_what_a_bias_takes_by_hand():
    # Two linear layers: 1 * 3 + 1 * 1 = 4, of 8 with the bias; the second halves and adds 1 more to its 4, 5 in all.
    net = Net([("a", Linear(2, 1)), ("relu", ReLU()), ("b", Linear(1, 1))]).astype("float64")
    net.load_state_dict({"a.w": [[3.0, 1.0]], "a.b": [4.0], "b.w": [[0.5]], "b.b": [1.0]})
    result = lrp(net, np.ones((1, 2)), "b:0", composite="epsilon", epsilon=0.0)
    assert {name: float(v[0]) for name, v in result.arrived.items()} == {"b": 5, "relu": 4, "a": 4}
    assert {name: float(v[0]) for name, v in result.kept.items()} == {"b": 0.8, "relu": 1, "a": 0.5}
    np.testing.assert_allclose(result.pixels, [[1.5, 0.5]])


def test_epsilon_damps():
    net = Net([("a", Linear(2, 1, bias=False))]).astype("float64")
    net.load_state_dict({"a.w": [[3.0, 1.0]]})
    # z = 4 = its own root mean square: 4 / (4 + 0.25 * 4) is kept
    assert lrp(net, np.ones((1, 2)), "a:0", composite="epsilon").kept["a"][0] == pytest.approx(0.8)


def test_a_batch_is_its_images_one_by_one():
    net, x = _branched(5, bias=True), _images(5, N=3)
    for composite in COMPOSITES:
        together = lrp(net, x, 2, composite=composite)
        for n in range(3):
            alone = lrp(net, x[n : n + 1], 2, composite=composite)
            np.testing.assert_allclose(together.pixels[n], alone.pixels[0], rtol=0, atol=1e-12)
            for name in alone.kept:
                np.testing.assert_allclose(together.arrived[name][n], alone.arrived[name][0], atol=1e-12)


# Which rule each node gets --------------------

EXPECTED = {
    "epsilon": (lrp_epsilon, lrp_epsilon, lrp_epsilon),
    "gamma": (lrp_gamma, lrp_gamma, lrp_gamma),
    "alpha-beta": (lrp_alpha_beta, lrp_alpha_beta, lrp_alpha_beta),
    "z-plus": (lrp_z_plus, lrp_z_plus, lrp_z_plus),
    "epsilon-plus": (lrp_epsilon, lrp_z_plus, lrp_z_plus),
    "epsilon-plus-flat": (lrp_epsilon, lrp_z_plus, lrp_flat),
    "epsilon-alpha-beta-flat": (lrp_epsilon, lrp_alpha_beta, lrp_flat),
    "epsilon-gamma-box": (lrp_epsilon, lrp_gamma, lrp_z_box),
}


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_composites_rules(composite):
    net = _branched(0)
    tape, _ = look(net, _images(0), "fc:1")
    rules = relevance_rules(composite, net, tape, epsilon=0.1, gamma=0.2, alpha=3.0)
    linear, convolution, first = EXPECTED[composite]
    for name, expected in {"fc": linear, "conv2": convolution, "left": convolution, "conv1": first}.items():
        assert getattr(rules[name], "func", rules[name]) is expected
    assert set(rules) == {node.name for node in net.nodes} - {"prob"}
    values = {lrp_epsilon: {"epsilon": 0.1}, lrp_gamma: {"gamma": 0.2}, lrp_alpha_beta: {"alpha": 3.0}}
    assert getattr(rules["conv2"], "keywords", {}) == values.get(convolution, {})


def test_the_box_is_black_and_white():
    net, x = _branched(0), _images(0)
    tape, _ = look(net, x, "fc:1")
    box = relevance_rules("epsilon-gamma-box", net, tape)["conv1"].keywords
    np.testing.assert_allclose(box["low"][0, :, 0, 0], [-0.5 / 0.2, -0.4 / 0.3, -0.3 / 0.25])
    np.testing.assert_allclose(box["high"][0, :, 3, 2], [0.5 / 0.2, 0.6 / 0.3, 0.7 / 0.25])


def test_the_box_of_a_layer_behind_a_flatten():
    net = Net([("flat", Flatten()), ("fc", Linear(3 * 17 * 15, 2, bias=False))], meta=META).init(0).astype("float64")
    result = lrp(net, _images(0), 1)
    scores = net(_images(0))[:, 1]
    assert (np.sign(scores)[:, None, None, None] * result.pixels >= 0).all()  # all shares of one output have its sign
    np.testing.assert_allclose(result.pixels.sum(axis=(1, 2, 3)), scores)


def test_flat_is_not_for_a_linear_layer():
    net = Net([("flat", Flatten()), ("fc", Linear(3 * 17 * 15, 2))], meta=META).init(0).astype("float64")
    assert lrp(net, _images(0), 1, composite="epsilon-plus-flat").pixels.std() > 1e-4


def test_rules_by_name_beat_the_composite():
    net, x = _branched(4), _images(4)
    changed = lrp(net, x, 1, composite="epsilon-plus", rules={"conv1": lrp_flat})
    expected = lrp(net, x, 1, composite="epsilon-plus-flat")
    np.testing.assert_array_equal(changed.pixels, expected.pixels)
    assert list(changed.kept) == list(expected.kept)
    assert np.abs(changed.pixels - lrp(net, x, 1, composite="epsilon-plus").pixels).max() > 1e-3


def test_rules_by_layer_type_make_a_composite_of_ones_own():
    net, x = _branched(4), _images(4)
    rules = {Conv2d: lrp_z_plus, Linear: partial(lrp_epsilon, epsilon=0.25), "conv1": lrp_flat}
    found = lrp(net, x, 1, composite="gamma", rules=rules)
    np.testing.assert_array_equal(found.pixels, lrp(net, x, 1, composite="epsilon-plus-flat").pixels)


def test_a_rule_written_by_a_student_is_followed_and_its_losses_are_counted():
    net, x = _branched(4), _images(4)
    plain = lrp(net, x, 1, composite="z-plus")
    halved = lrp(net, x, 1, composite="z-plus", rules={lambda node: node.name == "relu2": lambda R, cache: R / 2})
    np.testing.assert_allclose(halved.pixels, plain.pixels / 2, rtol=1e-12)
    np.testing.assert_allclose(halved.kept["relu2"], 0.5, rtol=1e-12)
    with pytest.raises(UnknownNameError, match="no node 'conv9'"):
        lrp(net, x, 1, rules={"conv9": lrp_flat})


def test_a_rule_of_ones_own_serves_where_there_is_none():
    net, x = _branched(4), _images(4)
    found = lrp(net, x, "prob:1", composite="z-plus", rules={Softmax: lambda R, cache: R * 2})
    share = net(x)[:, 1].reshape(2, 1, 1, 1) * 2 / net(x, until="fc")[:, 1].reshape(2, 1, 1, 1)
    np.testing.assert_allclose(found.pixels, share * lrp(net, x, "fc:1", composite="z-plus").pixels, rtol=1e-10)


# Batch norms, constants and what has no rule --------------------


def _normed(seed=0):
    nodes = [
        ("conv1", Conv2d(3, 4, 3, bias=False)),
        ("bn1", BatchNorm2d(4)),
        ("relu1", ReLU()),
        ("conv2", Conv2d(4, 3, 3, bias=False)),
        ("bn2", BatchNorm2d(3)),
    ]
    net = Net(nodes, meta=META).init(seed)
    rng = np.random.default_rng(seed)
    for array in net.state_dict().values():
        if array.ndim == 1:
            array[:] = rng.uniform(0.5, 1.5, array.shape)
    return net.astype("float64")


def test_batch_norms_are_folded():
    net, x = _normed(), _images(1)
    expected = lrp(net.fold_batchnorm(), x, "conv2:1:2,3", composite="epsilon-plus")
    found = lrp(net, x, "bn2:1:2,3", composite="epsilon-plus")
    np.testing.assert_allclose(found.pixels, expected.pixels, rtol=1e-10)
    assert list(found.kept) == ["conv2", "relu1", "conv1"]
    for rule in ("gradient", "epsilon"):
        np.testing.assert_allclose(
            compare(net, x, "bn2:1:2,3", rule)[rule],
            compare(net.fold_batchnorm(), x, "conv2:1:2,3", rule)[rule],
            rtol=1e-8,
        )


def test_the_unit_below_a_batch_norm_is_not_folded():
    net, x = _normed(), _images(1)
    result = lrp(net, x, Unit("conv2", 1, (2, 3)), composite="z-plus")
    np.testing.assert_allclose(result.arrived["conv2"], net(x, until="conv2")[:, 1, 2, 3])


def test_a_batch_norm_that_cannot_be_folded_keeps_less():
    # In front of the convolution, as in DenseNet.
    nodes = [("conv0", Conv2d(3, 3, 1, bias=False)), ("relu0", ReLU()), ("bn", BatchNorm2d(3)), ("relu", ReLU())]
    net = Net([*nodes, ("conv", Conv2d(3, 2, 3, bias=False))], meta=META).init(0)
    net["bn"].layer.params["b"][:] = 0.5
    net = net.astype("float64")
    result = lrp(net, _images(2), "conv:1", composite="z-plus")
    assert "bn" in result.kept and (result.kept["bn"] < 0.99).all()
    np.testing.assert_allclose(result.pixels.sum(axis=(1, 2, 3)), result.sent["conv0"])


def test_constants_get_none_of_it():
    nodes = [
        ("shift", Constant((3, 1, 1)), ()),
        ("scale", Constant((3, 1, 1)), ()),
        ("a", Subtract(), ("data", "shift")),
        ("b", Multiply(), ("scale", "a")),
        ("c", Divide(), ("b", "scale")),
        ("leaky", LeakyReLU()),
        ("conv", Conv2d(3, 2, 3, bias=False)),
    ]
    net = Net(nodes, meta=META).init(0).astype("float64")
    net.load_state_dict({"shift.value": np.zeros((3, 1, 1)), "scale.value": np.full((3, 1, 1), 4.0)}, strict=False)
    plain = Net([("leaky", LeakyReLU()), ("conv", net["conv"].layer)], meta=META)
    plain.dtype = net.dtype
    x = _images(6)
    for composite in ("epsilon", "z-plus"):
        found, expected = (lrp(one, x, "conv:1", composite=composite) for one in (net, plain))
        np.testing.assert_allclose(found.pixels, expected.pixels, rtol=1e-4, atol=1e-9)
    assert found.kept["b"] == pytest.approx(1) and found.kept["c"] == pytest.approx(1)


def test_what_has_no_rule():
    net, x = _branched(0), _images(0)
    with pytest.raises(
        MinicnnError, match=r"prob: there is no rule of relevance for Softmax\(\), look at a node before"
    ):
        lrp(net, x, "prob:1")
    product = Net([("a", Conv2d(3, 2, 1)), ("b", Conv2d(3, 2, 1), "data"), ("ab", Multiply(), ("a", "b"))], meta=META)
    with pytest.raises(MinicnnError, match="ab: there is no rule of relevance for Multiply"):
        lrp(product.init(0).astype("float64"), x, "ab:1")
    with pytest.raises(UnknownNameError, match="no composite 'epsilon-plsu'; did you mean epsilon-plus"):
        lrp(net, x, 1, composite="epsilon-plsu")
    with pytest.raises(UnknownNameError, match="no rule 'gardient'; did you mean gradient"):
        compare(net, x, 1, "gardient")
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        lrp(net, x, "fc:1")
    assert lrp(net, x, "fc:1", composite="gamma").pixels.any()


@pytest.mark.parametrize("bad", [{"epsilon": -0.1}, {"gamma": float("nan")}, {"alpha": 0.5}, {"epsilon": float("inf")}])
def test_parameters_that_make_no_sense(bad):
    with pytest.raises(UsageError, match="expected >= 0, >= 0 and >= 1"):
        lrp(_branched(0), _images(0), 1, **bad)


# Pictures and comparison --------------------


def test_compare_of_all_rules_is_each_by_itself():
    net, x = _branched(7, bias=True), _images(7)
    everything = compare(net, x, 2, "all")
    assert tuple(everything) == WALKS
    np.testing.assert_array_equal(everything["grad_times_input"], grad_times_input(net, x, 2))
    for composite in COMPOSITES:
        np.testing.assert_array_equal(everything[composite], lrp(net, x, 2, composite=composite).pixels)
    some = compare(net, x, 2, " z-plus,gradient ")
    assert list(some) == ["z-plus", "gradient"]
    picture = METHODS["compare"].picture(everything, net, x, 2)
    # The image and thirteen rules in two rows of seven, for each of two images; tiles have 8 * (17, 15) pixels.
    assert picture.width == 2 + 7 * (8 * 15 + 2) and picture.height > 4 * 8 * 17


def test_the_bars_say_where_it_was_lost():
    net = Net([("a", Linear(2, 1)), ("relu", ReLU()), ("b", Linear(1, 1))]).astype("float64")
    net.load_state_dict({"a.w": [[3.0, 1.0]], "a.b": [4.0], "b.w": [[0.5]], "b.b": [1.0]})
    result = lrp(net, np.ones((1, 2)), "b:0", composite="epsilon", epsilon=0.0)
    from minicnn.vis.pictures.kept_picture import _rows, kept_picture

    assert list(_rows(result, 0)) == [("b", 1.0, 0.8), ("relu", 0.8, 0.8), ("a", 0.8, 0.4)]
    assert kept_picture(result, 0, "b:0").height == 6 * 2 + 17 * 4  # a title, two nodes that lost some, and the pixels


def test_every_image_has_its_own_bars():
    # The scores of the two images cancel out: together they would have no shares.
    net = Net([("a", Linear(1, 1))]).astype("float64")
    net.load_state_dict({"a.w": [[1.0]], "a.b": [1.0]})
    result = lrp(net, np.array([[1.0], [-3.0]]), "a:0", composite="epsilon", epsilon=0.0)
    from minicnn.vis.pictures.kept_picture import _rows

    assert [list(_rows(result, n)) for n in (0, 1)] == [[("a", 1.0, 0.5)], [("a", 1.0, 1.5)]]
    result = lrp(_branched(4), _images(4), 1)
    names = [name for name, _ in METHODS["lrp"].picture(result, _branched(4), _images(4), 1)]
    assert names == ["pixels", "kept-1", "kept-2"]


def test_one_net_that_ships():
    net = minicnn.load("mnist-lenet")
    x = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
    result = lrp(net, x, 3)
    assert result.pixels.dtype == np.float32 and np.isfinite(result.pixels).all()
    assert set(result.kept) == {node.name for node in net.nodes[: [n.name for n in net.nodes].index(net.scores) + 1]}
