"""Nets made of nets: cut off, with another head, slid over larger images, without batch norm."""

from dataclasses import replace

import numpy as np
import pytest

import minicnn
from minicnn import Net, vis, zoo
from minicnn.errors import MinicnnError, UnknownNameError, UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
)
from minicnn.meta import Meta
from minicnn.vis.rules import relu_guided


def image(*shape, seed=4, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def drawn(net, seed=0, dtype="float32"):
    """The net with arrays in which nothing is 0 or 1: biases, and the statistics of batch norm."""
    net.init(seed)
    rng = np.random.default_rng(seed + 1)
    for layer in net.layers().values():
        for arrays in (layer.params, layer.buffers):
            for key, a in arrays.items():
                if key in ("b", "running_mean"):
                    arrays[key] = rng.normal(0, 0.5, a.shape).astype(np.float32)
                elif isinstance(layer, BatchNorm2d):
                    arrays[key] = rng.uniform(0.2, 2, a.shape).astype(np.float32)
    return net.astype(dtype)


def classifier():
    """No padding, so that every position of the scores is the net's answer for one 12x12 part of the image."""
    nodes = [
        ("conv1", Conv2d(3, 4, 3)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2)),
        ("flatten", Flatten()),
        ("drop", Dropout()),
        ("fc2", Linear(4 * 5 * 5, 6)),
        ("relu2", ReLU()),
        ("fc3", Linear(6, 5, bias=False)),
        ("prob", Softmax()),
    ]
    classes = ("ant", "bee", "cat", "dog", "eel")
    return Net(nodes, meta=Meta("small", (3, 12, 12), "RGB", 1.0, (0,) * 3, (1,) * 3, "squash", 12, classes))


# upto ----------------------------------------------------------------------------------------------------------------


def test_upto_has_the_nodes_that_the_last_one_needs_and_their_arrays():
    net = zoo.build("googlenet", seed=0)
    cut = net.upto("inception_3a/output")
    assert cut.nodes[-1].name == "inception_3a/output" and "inception_3b/1x1" not in cut
    side = net.upto("inception_3a/5x5")
    assert "inception_3a/5x5_reduce" in side and "inception_3a/3x3" not in side
    for key, array in cut.state_dict().items():
        assert array is net.state_dict()[key]
    x = image(1, 3, 64, 64)
    np.testing.assert_array_equal(cut(x), net(x, until="inception_3a/output"))
    assert cut.summary().rows[-1].shape == (1, 256, 28, 28)


def test_upto_keeps_what_still_fits():
    net = classifier().init(0).astype("float64").freeze()
    cut = net.upto("pool1")
    assert cut.frozen and cut.dtype == "float64" and cut.input == net.input
    assert cut.meta == replace(net.meta, classes=()) and net.meta.classes
    assert net.upto("fc3").meta == net.upto("prob").meta == net.meta
    assert Net(net.nodes).upto("pool1").meta is None
    assert net.to("numpy").upto("pool1").backend == "numpy"
    with pytest.raises(UnknownNameError, match="did you mean pool1"):
        net.upto("pool")


# replace_head --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, head", [("lenet", "ip2"), ("squeezenet1_1", "conv10")])
def test_another_head(name, head, backend):
    net = zoo.build(name, seed=0).freeze()
    new = net.replace_head(["yes", "no", "perhaps"], seed=7)
    assert new.meta.classes == ("yes", "no", "perhaps") and net.replace_head(3).meta.classes == ()
    assert not new.frozen and net.frozen and [n.name for n in new.nodes] == [n.name for n in net.nodes]
    old_state, state = net.state_dict(), new.state_dict()
    assert state[f"{head}.w"].shape == (3, *old_state[f"{head}.w"].shape[1:]) and not state[f"{head}.b"].any()
    for key in state:
        if not key.startswith(head):
            np.testing.assert_array_equal(state[key], old_state[key])
            assert not np.shares_memory(state[key], old_state[key])

    x = image(2, 1, 28, 28) if name == "lenet" else image(2, 3, 64, 64)
    out, tape = new.forward(x)
    assert out.shape == (2, 3)
    _, grads = new.backward(out, tape)
    for key, g in grads.items():
        state[key] -= 0.1 * g  # all of them can be trained

    w = state[f"{head}.w"]
    again = net.replace_head(3, seed=7).state_dict()[f"{head}.w"]
    assert (net.replace_head(3, seed=8).state_dict()[f"{head}.w"] != again).all()
    assert np.abs(w - again).max() < 1  # the same draw, but for the step
    assert again.var() == pytest.approx(2 / again[0].size, rel=0.25)


def test_a_head_has_the_nets_dtype_and_keeps_its_lack_of_a_bias():
    new = classifier().init(0).astype("float64").replace_head(2)
    assert new.state_dict()["fc3.w"].dtype == "float64" and "fc3.b" not in new.state_dict()
    assert new(image(1, 3, 12, 12, dtype="float64")).shape == (1, 2)
    assert minicnn.gradcheck(new.upto("fc3"), (2, 3, 12, 12)).ok


def test_the_head_of_a_net_without_parameters_or_meta():
    new = Net(classifier().nodes).replace_head(9)
    assert new.meta is None and new["fc3"].layer.param_shapes["w"] == (9, 6) and not new["conv1"].layer.params


def test_heads_that_cannot_be_replaced():
    net = classifier()
    for bad in (0, -3, 2.5, True, "cat", [], ["cat", 3], None):
        with pytest.raises(MinicnnError, match="classes"):
            net.replace_head(bad)
    with pytest.raises(UsageError, match="no meta that could hold the names"):
        Net(net.nodes).replace_head(["a", "b"])
    with pytest.raises(UsageError, match=r"the scores come from conv1, Conv2d\(3, 4, 3x3\)"):
        net.upto("pool1").replace_head(2)
    two = Net([("a", Conv2d(2, 2, 1)), ("b", Conv2d(2, 2, 1), "data"), ("sum", Add(), ("a", "b"))])
    with pytest.raises(UsageError, match="the scores come from sum, Add"):
        two.replace_head(2)
    with pytest.raises(UsageError, match=r"the scores come from pool, MaxPool2d"):
        Net([("pool", MaxPool2d(2)), ("relu", ReLU())]).replace_head(2)
    shared = Linear(4, 4)
    with pytest.raises(UsageError, match="second: another node shares its layer"):
        Net([("first", shared), ("second", shared)]).replace_head(2)
    with pytest.raises(UsageError, match="the scores come from conv, "):
        Net([("conv", Conv2d(4, 4, 1, groups=2))]).replace_head(2)


# convolutional -------------------------------------------------------------------------------------------------------


def test_every_position_is_the_nets_answer_for_one_part(backend):
    net = drawn(classifier())
    slid = net.convolutional()
    assert [node.name for node in slid.nodes] == [node.name for node in net.nodes if node.name != "flatten"]
    assert slid.meta == net.meta and slid.scores == "fc3"
    x = image(2, 3, 16, 18)
    found = slid(x)
    assert found.shape == (2, 5, 3, 4)
    for i in range(3):
        for j in range(4):
            part = np.ascontiguousarray(x[:, :, 2 * i : 2 * i + 12, 2 * j : 2 * j + 12])
            np.testing.assert_allclose(found[:, :, i, j], net(part), rtol=1e-5, atol=1e-6)


def test_weights_are_views():
    net = drawn(classifier())
    slid = net.convolutional()
    assert slid.state_dict().keys() == net.state_dict().keys()
    net.state_dict()["fc2.w"][3, 7] = 9
    assert slid.state_dict()["fc2.w"][3].ravel()[7] == 9 and slid.state_dict()["fc2.w"].shape == (6, 4, 5, 5)
    with pytest.raises(ValueError, match="read-only"):
        net.freeze().convolutional().state_dict()["fc3.w"][0] = 1


@pytest.mark.parametrize("name", ["lenet", "cifar10_quick", "alexnet"])
def test_nets_of_the_zoo_say_the_same_and_have_the_same_gradient(name):
    net = drawn(zoo.build(name))
    slid = net.convolutional()
    x = image(2, *net.meta.input_size)
    scores, tape = net.forward(x, until=net.scores)
    found, found_tape = slid.forward(x, until=slid.scores)
    assert found.shape == (*scores.shape, 1, 1)
    np.testing.assert_allclose(found[:, :, 0, 0], scores, rtol=0, atol=1e-5 * np.abs(scores).max())
    dscores = image(*scores.shape, seed=5)
    dx, grads = net.backward(dscores, tape)
    dfound, dgrads = slid.backward(dscores.reshape(found.shape), found_tape)
    np.testing.assert_allclose(dfound, dx, rtol=0, atol=1e-4 * np.abs(dx).max())
    for key, g in grads.items():
        np.testing.assert_allclose(dgrads[key].reshape(g.shape), g, rtol=0, atol=1e-4 * np.abs(g).max())


def test_a_convolutional_net_in_float64():
    slid = drawn(classifier(), dtype="float64").convolutional()
    assert slid(image(1, 3, 12, 12, dtype="float64")).dtype == "float64"
    assert minicnn.gradcheck(slid, (1, 3, 14, 16)).ok
    slid.backend = "numpy"
    assert slid.convolutional().backend == "numpy"


@pytest.mark.parametrize("name", zoo.names())
def test_every_net_of_the_zoo_slides(name):
    net = zoo.build(name)
    slid = net.convolutional()
    kinds = {type(node.layer) for node in slid.nodes}
    assert Linear not in kinds and Flatten not in kinds
    classes = net.summary().rows[-1].shape[1]
    assert slid.summary().rows[-1].shape == (1, classes, 1, 1)
    assert slid.summary().params == net.summary().params


def test_vgg_has_36_positions_on_384_pixels():
    slid = zoo.build("vgg16").convolutional()
    assert slid.summary((1, 3, 384, 384)).rows[-1].shape == (1, 1000, 6, 6)


def test_branches_of_vectors_slide():
    """Two vectors side by side, a sum, and the mean of a map beside another."""
    nodes = [
        ("left", Conv2d(2, 3, 3)),
        ("flat left", Flatten()),
        ("right", Conv2d(2, 2, 3), "data"),
        ("flat right", Flatten()),
        ("both", Concat(), ("flat left", "flat right")),
        ("fc1", Linear(5 * 4 * 4, 4)),
        ("mean", GlobalAvgPool(), "left"),
        ("flat mean", Flatten()),
        ("fc2", Linear(3, 4)),
        ("sum", Add(), ("fc1", "fc2")),
        ("again", Concat(), ("sum", "fc2")),
        ("prob", Softmax()),
    ]
    net = drawn(Net(nodes), dtype="float64")
    slid = net.convolutional((2, 6, 6))
    x = image(3, 2, 6, 6, dtype="float64")
    np.testing.assert_allclose(slid(x)[:, :, 0, 0], net(x), rtol=1e-12)
    assert slid["both"].inputs == ("left", "right")
    with pytest.raises(ShapeError, match="needs input_size"):
        net.convolutional()


def test_whatever_flattens_disappears():
    nodes = [
        ("conv", Conv2d(3, 4, 2)),
        ("reshape", Reshape((0, -1))),
        ("same", Flatten()),
        ("drop", Dropout()),
        ("fc1", Linear(16, 5)),
        ("bn", BatchNorm2d(5)),
        ("again", Reshape((0, 5))),
        ("fc2", Linear(5, 2)),
    ]
    net = drawn(Net(nodes))
    slid = net.convolutional((3, 3, 3))
    assert [node.name for node in slid.nodes] == ["conv", "drop", "fc1", "bn", "fc2"]
    x = image(2, 3, 3, 3)
    np.testing.assert_allclose(slid(x)[:, :, 0, 0], net(x), rtol=1e-5)
    assert slid(image(1, 3, 5, 4)).shape == (1, 2, 3, 2)


def test_a_linear_layer_used_twice_is_one_convolution():
    shared = Linear(8, 8)
    net = drawn(Net([("flat", Flatten()), ("a", Linear(12, 8)), ("b", shared), ("relu", ReLU()), ("c", shared)]))
    slid = net.convolutional((3, 2, 2))
    assert slid["b"].layer is slid["c"].layer and slid["a"].layer is not slid["b"].layer
    x = image(2, 3, 2, 2)
    np.testing.assert_allclose(slid(x)[:, :, 0, 0], net(x), rtol=1e-5)
    shared = Linear(8, 8)
    odd = Net([("flat", Flatten()), ("a", shared), ("b", shared)])
    with pytest.raises(ShapeError, match=r"b: its layer is used twice, on maps of \(2,2\) and \(1,1\)"):
        odd.convolutional((2, 2, 2))


class Vector(Layer):
    """A vector that does not come from Flatten: one channel's pixels."""

    def forward(self, x):
        return x[:, 0].reshape(len(x), -1), None

    def out_shape(self, shape):
        return shape[0], shape[2] * shape[3]


class LastAxis(Layer):
    """A factor for each index of the last axis: channels in a vector, columns in a map."""

    def __init__(self, size):
        super().__init__()
        self.param_shapes = {"w": (size,)}

    def forward(self, x):
        return x * self.array("w"), None

    def out_shape(self, shape):
        return shape


class Gate(Layer):
    """A map times the first value of a vector."""

    def forward(self, vector, x):
        return x * vector[:, :1, None, None], None

    def out_shape(self, vector, shape):
        return shape


def test_what_has_no_convolutional_form():
    with pytest.raises(UsageError, match=r"prob: Softmax\(\) does not do to maps what it does to vectors"):
        Net([("flat", Flatten()), ("prob", Softmax()), ("fc", Linear(12, 2))]).convolutional((3, 2, 2))
    with pytest.raises(UsageError, match=r"pick: Vector\(\) makes \(1,4\): neither a map nor all of one"):
        Net([("pick", Vector()), ("fc", Linear(4, 2))]).convolutional((3, 2, 2))
    with pytest.raises(UsageError, match=r"prob: Softmax\(axis 1 to the end\) does not do to maps"):
        Net([("flat", Flatten()), ("fc", Linear(12, 2)), ("prob", Softmax(to_end=True))]).convolutional((3, 2, 2))
    with pytest.raises(UsageError, match=r"scale: LastAxis\(\) does not do to maps"):
        Net([("flat", Flatten()), ("fc", Linear(12, 2)), ("scale", LastAxis(2))]).convolutional((3, 2, 2))
    with pytest.raises(UsageError, match=r"gate: Gate\(\) reads a vector beside a map"):
        Net([("flat", Flatten()), ("gate", Gate(), ("flat", "data"))]).convolutional((1, 2, 2))
    with pytest.raises(ShapeError):
        classifier().convolutional((3, 13, 20))


# fold_batchnorm ------------------------------------------------------------------------------------------------------


def test_folding_by_hand():
    conv, norm = Conv2d(1, 1, 1), BatchNorm2d(1, eps=0.25)
    net = Net([("conv", conv), ("bn", norm)]).init(0)
    conv.params = {"w": np.full((1, 1, 1, 1), 2, np.float32), "b": np.array([1], np.float32)}
    norm.params = {"w": np.array([3], np.float32), "b": np.array([7], np.float32)}
    norm.buffers = {"running_mean": np.array([5], np.float32), "running_var": np.array([3.75], np.float32)}
    # gamma / sqrt(var + eps) = 3 / 2: w' = 3, b' = (1 - 5) * 1.5 + 7 = 1
    folded = net.fold_batchnorm()
    assert [node.name for node in folded.nodes] == ["conv"]
    assert folded.state_dict()["conv.w"].item() == 3 and folded.state_dict()["conv.b"].item() == 1
    assert net.state_dict()["conv.w"].item() == 2 and len(net.nodes) == 2


def test_folding_into_a_linear_layer():
    net = drawn(Net([("fc", Linear(5, 3)), ("bn", BatchNorm2d(3))]), dtype="float64")
    norm = net["bn"].layer
    (gamma, beta), (mean, var) = norm.params.values(), norm.buffers.values()
    x = image(4, 5, dtype="float64")
    expected = gamma * (net(x, until="fc") - mean) / np.sqrt(var + 1e-5) + beta
    folded = net.fold_batchnorm()
    assert folded.nodes[-1].name == "fc"
    np.testing.assert_allclose(folded(x), expected, rtol=1e-12)


def branches():
    """Batch norms that can be folded, and some that cannot: after a sum, and after what another node reads too."""
    shared, norm = Conv2d(4, 4, 3, pad=1, bias=False), BatchNorm2d(4)
    nodes = [
        ("conv1", Conv2d(3, 4, 3, stride=2, bias=False)),
        ("bn1", BatchNorm2d(4, eps=1e-3)),
        ("relu1", ReLU()),
        ("conv2", Conv2d(4, 4, 3, pad=1, groups=2)),
        ("bn2", BatchNorm2d(4)),
        ("bn2 again", BatchNorm2d(4)),
        ("sum", Add(), ("bn2 again", "relu1")),
        ("bn3", BatchNorm2d(4)),
        ("conv4", Conv2d(4, 4, 1), "bn3"),
        ("bn4", BatchNorm2d(4)),
        ("both", Concat(), ("bn4", "conv4")),
        ("conv5", Conv2d(8, 4, 1)),
        ("bn5", BatchNorm2d(4)),
        ("a", shared),
        ("bn a", norm),
        ("b", shared),
        ("bn b", norm),
        ("c", shared),
        ("bn c", BatchNorm2d(4)),
        ("d", shared),
        ("pool", AvgPool2d(2)),
        ("flat", Flatten()),
        ("fc", Linear(36, 3)),
    ]
    return Net(nodes)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_folding_changes_no_number(dtype, tolerance, backend):
    net = drawn(branches(), dtype=dtype)
    before = {key: a.copy() for key, a in net.state_dict().items()}
    folded = net.fold_batchnorm()
    assert [n.name for n in folded.nodes if isinstance(n.layer, BatchNorm2d)] == ["bn3", "bn4"]
    assert folded["sum"].inputs == ("conv2", "relu1") and folded["both"].inputs == ("bn4", "conv4")
    x = image(2, 3, 14, 14, dtype=dtype)
    out, tape = net.forward(x)
    found, found_tape = folded.forward(x)
    np.testing.assert_allclose(found, out, rtol=0, atol=tolerance * np.abs(out).max())
    dx, _ = net.backward(out, tape)
    dfound, grads = folded.backward(out, found_tape)
    np.testing.assert_allclose(dfound, dx, rtol=0, atol=10 * tolerance * np.abs(dx).max())
    assert grads.keys() <= folded.state_dict().keys() and all(np.abs(g).max() > 0 for g in grads.values())
    for key, a in net.state_dict().items():
        np.testing.assert_array_equal(a, before[key])


@pytest.mark.parametrize(
    "name, size, left",
    [("resnet18", 64, 0), ("cifar_resnet20", 32, 0), ("googlenet_bn", 64, 0), ("densenet121", 64, 62)],
)
def test_folding_nets_of_the_zoo(name, size, left):
    """What is left in DenseNet reads what several layers made, or what other layers read too."""
    net = drawn(zoo.build(name))
    folded = net.fold_batchnorm()
    assert sum(isinstance(node.layer, BatchNorm2d) for node in folded.nodes) == left
    x = image(2, 3, size, size)
    scores = net(x, until=net.scores)
    np.testing.assert_allclose(folded(x, until=folded.scores), scores, rtol=0, atol=1e-5 * np.abs(scores).max())


def test_layers_used_twice_are_folded_use_by_use():
    net = drawn(branches())
    folded = net.fold_batchnorm()
    assert folded["a"].layer is folded["b"].layer is not net["a"].layer
    assert folded["c"].layer is not folded["a"].layer and folded["d"].layer is net["d"].layer
    assert folded["fc"].layer is net["fc"].layer and "b" in folded["conv1"].layer.param_shapes


def test_folding_keeps_dtype_freezing_and_meta():
    net = drawn(branches(), dtype="float64").freeze()
    net.meta = "meta"
    folded = net.to("numpy").fold_batchnorm()
    assert folded.frozen and folded.dtype == "float64" and folded.backend == "numpy" and folded.meta == "meta"
    assert {a.dtype.name for a in folded.state_dict().values()} == {"float64"}
    with pytest.raises(ValueError, match="read-only"):
        folded.state_dict()["conv1.b"][0] = 1


def test_nothing_to_fold():
    net = Net([("bn", BatchNorm2d(3)), ("conv", Conv2d(3, 2, 1)), ("relu", ReLU()), ("bn2", BatchNorm2d(2))]).init(0)
    folded = net.fold_batchnorm()
    assert [tuple(node) for node in folded.nodes] == [tuple(node) for node in net.nodes]


def test_folding_what_does_not_exist_or_fit():
    with pytest.raises(MinicnnError, match="has no w yet"):
        branches().fold_batchnorm()
    with pytest.raises(ShapeError, match=r"a batch norm's parameters \(3\) and the biases"):
        Net([("conv", Conv2d(1, 2, 1)), ("bn", BatchNorm2d(3))]).init(0).fold_batchnorm()


# All of them ---------------------------------------------------------------------------------------------------------

TRANSFORMED = {
    "upto": lambda net: net.upto("fc2"),
    "replace_head": lambda net: net.replace_head(4),
    "convolutional": lambda net: net.convolutional(),
    "fold_batchnorm": lambda net: net.fold_batchnorm(),
    "three": lambda net: net.fold_batchnorm().replace_head(4).convolutional().upto("fc3"),
}


def normed():
    net = classifier()
    nodes = [*net.nodes[:1], ("bn1", BatchNorm2d(4)), ("relu1", ReLU()), *net.nodes[2:]]
    return drawn(Net(nodes, meta=net.meta))


@pytest.mark.parametrize("how", TRANSFORMED)
def test_a_transformed_net_is_a_net(how, tmp_path):
    net = TRANSFORMED[how](normed())
    x = image(2, 3, 12, 12)
    out, tape = net.forward(x)
    assert net.summary().rows[-1].shape == (1, *out.shape[1:])
    guided, _ = net.backward(out, tape, rules={ReLU: relu_guided}, params=False)
    gradient, _ = net.backward(out, tape, params=False)
    assert guided.shape == x.shape and (guided != gradient).any()
    assert minicnn.gradcheck(net).ok
    minicnn.save(net, tmp_path / "net.safetensors")
    again = minicnn.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again(x), out)
    assert again.meta == net.meta


def test_transformed_nets_are_looked_into():
    net = normed()
    x = image(1, 3, 20, 18)
    maps = net.convolutional()
    for method in (vis.gradient, vis.deconvnet, vis.guided_backprop):
        assert method(maps, x, "bee").shape == x.shape and method(maps, x, "fc2:3:2,1").any()
        part = np.ascontiguousarray(x[:, :, :12, :12])
        for other in (net.upto("relu2"), net.fold_batchnorm()):
            found, expected = method(other, part, "fc2:3"), method(net, part, "fc2:3")
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
