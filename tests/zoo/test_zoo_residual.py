"""Residual nets, DenseNet and the GoogLeNet with batch normalisation: names, wiring, and the same nets in PyTorch."""

import hashlib
import re

import numpy as np
import pytest

from minicnn import zoo
from minicnn.errors import FormatError
from minicnn.vis.image import preprocess
from minicnn.weights import convert, formats

# The image's side for each; odd ones, where windows do not fit evenly.
SIZES = {
    "resnet18": 65,
    "resnet34": 64,
    "resnet50": 65,
    "resnet101": 33,
    "resnet152": 33,
    "densenet121": 66,
    "googlenet_bn": 75,
    "cifar_resnet20": 32,
    "cifar_resnet32": 32,
    "cifar_resnet44": 32,
    "cifar_resnet56": 32,
    "cifar_resnet110": 32,
}
DEEP = ("resnet101", "resnet152", "cifar_resnet110")  # in one dtype: they have no layer that the others have not

# sha256 of the lines "name (shape)", sorted, of torchvision's state_dicts (0.28.0; of GoogLeNet's without the auxiliary
# heads) and of the two files for CIFAR; without the counters of batches.
PUBLISHED_NAMES = {
    "resnet18": "2bb53b15765c4651",
    "resnet34": "b945021fb00b779b",
    "resnet50": "cf11dad974eadeaa",
    "resnet101": "d916ed2068e1af5d",
    "resnet152": "2fe195791c8ffb5f",
    "densenet121": "222a58d1fd8d2818",
    "googlenet_bn": "b2fadd85b321b7a9",
    "cifar_resnet20": "0568102414842bc6",
    "cifar_resnet56": "19075f64564218d1",
}


def digest(shapes):
    """shapes: {name: tuple}."""
    lines = sorted(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def theirs(name):
    """{the published name: shape}, as the zoo says."""
    net = zoo.build(name)
    shapes = {}
    for node, layer in net.layers().items():
        for key, shape in {**layer.param_shapes, **layer.buffer_shapes}.items():
            shapes[f"{node}.{key}"] = shape
    return {path: shapes[key] for key, path in zoo.entry(name).sources["torch"](net).items()}


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_the_published_names_and_shapes(name):
    assert digest(theirs(name)) == PUBLISHED_NAMES[name]


@pytest.mark.oracle
@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_the_twins_have_the_published_names_and_shapes(name):
    torch = pytest.importorskip("torch")
    import twins_residual

    with torch.device("meta"):
        state = twins_residual.make(name).state_dict()
    assert (
        digest({k: v.shape for k, v in state.items() if not k.endswith("num_batches_tracked")})
        == (PUBLISHED_NAMES[name])
    )


NAMES = {  # our parameter: the published one
    "resnet50": {
        "conv1.w": "conv1.weight",
        "bn_conv1.running_var": "bn1.running_var",
        "res2a_branch1.w": "layer1.0.downsample.0.weight",
        "bn5a_branch1.b": "layer4.0.downsample.1.bias",
        "res4f_branch2c.w": "layer3.5.conv3.weight",
        "bn3d_branch2b.w": "layer2.3.bn2.weight",
        "fc1000.b": "fc.bias",
    },
    "resnet34": {"res4f_branch2b.w": "layer3.5.conv2.weight"},
    "resnet101": {"res4b22_branch2a.w": "layer3.22.conv1.weight", "res2c_branch2a.w": "layer1.2.conv1.weight"},
    "resnet152": {"bn3b7_branch2c.b": "layer2.7.bn3.bias"},
    "cifar_resnet110": {"res4r_branch2b.w": "layer3.17.conv2.weight", "fc10.w": "linear.weight"},
    "densenet121": {
        "conv1/bn.running_mean": "features.norm0.running_mean",
        "conv2_1/x1.w": "features.denseblock1.denselayer1.conv1.weight",
        "conv5_16/x2/bn.w": "features.denseblock4.denselayer16.norm2.weight",
        "conv4_blk.w": "features.transition3.conv.weight",
        "conv4_blk/bn.b": "features.transition3.norm.bias",
        "conv5_blk/bn.b": "features.norm5.bias",
        "fc6.w": "classifier.weight",
    },
    "googlenet_bn": {
        "conv2/3x3/bn.w": "conv3.bn.weight",
        "inception_4e/5x5.w": "inception4e.branch3.1.conv.weight",
        "inception_3a/pool_proj/bn.b": "inception3a.branch4.1.bn.bias",
        "loss3/classifier.w": "fc.weight",
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_our_names(name):
    mapping = zoo.entry(name).sources["torch"](zoo.build(name))
    assert {key: mapping[key] for key in NAMES[name]} == NAMES[name]


def test_older_names_of_densenet():
    file = {name: object() for name in theirs("densenet121")}
    older = {re.sub(r"\.(norm|conv)([12])\.", r".\1.\2.", name): value for name, value in file.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in older and "features.norm5.weight" in older
    entry = zoo.entry("densenet121")
    assert len(file.keys() - older.keys()) == 58 * 10  # in every layer two norms of four tensors, and two convolutions
    assert entry.map_names("torch", older) == entry.map_names("torch", file)


def test_counters_and_auxiliary_heads_are_left_out():
    file = {name: object() for name in theirs("googlenet_bn")}
    more = ("aux1.conv.conv.weight", "aux2.fc2.bias", "conv1.bn.num_batches_tracked")
    entry = zoo.entry("googlenet_bn")
    assert entry.map_names("torch", file | dict.fromkeys(more)) == entry.map_names("torch", file)
    with pytest.raises(FormatError, match="is in the file, but not in the net") as caught:
        entry.map_names("torch", {**file, "conv1.bn.batches": None})
    assert caught.value.tensor == "conv1.bn.batches"


def test_the_stride_is_where_torchvision_has_it():
    net = zoo.build("resnet50")
    assert [net[f"res3a_branch{i}"].layer.stride[0] for i in ("1", "2a", "2b", "2c")] == [2, 1, 2, 1]
    assert net["res3a"].inputs == ("bn3a_branch1", "bn3a_branch2c") and net["res3b"].inputs[0] == "res3a_relu"


def test_batch_norms():
    for name, eps in (("resnet18", 1e-5), ("cifar_resnet20", 1e-5), ("densenet121", 1e-5), ("googlenet_bn", 1e-3)):
        layers = zoo.build(name).layers().values()
        norms = [layer for layer in layers if hasattr(layer, "momentum")]
        assert {layer.eps for layer in norms} == {eps} and {layer.momentum for layer in norms} == {0.1}
        # no other biases than theirs and the classifier's
        assert sum("b" in layer.param_shapes for layer in layers) == len(norms) + 1


def test_the_input_of_googlenet_is_what_torchvision_turns_its_own_into():
    """transform_input, channel by channel: x * (std / 0.5) + (mean - 0.5) / 0.5, of the usual input x."""
    photo = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    net = zoo.build("googlenet_bn")
    assert (net.meta.resize, net.meta.resize_to, net.meta.channel_order) == ("crop", 256, "RGB")
    found = preprocess(np.tile(photo, (2, 2, 1)), net.meta)
    usual = preprocess(np.tile(photo, (2, 2, 1)), zoo.build("resnet50").meta)
    for c, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        np.testing.assert_allclose(found[0, c], usual[0, c] * (std / 0.5) + (mean - 0.5) / 0.5, rtol=0, atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("name", SIZES)
def test_random_weights_under_the_published_names(name, tmp_path):
    torch = pytest.importorskip("torch")
    from compare_with_twin import GRADIENT, LOGITS, differ

    import twins_residual

    twin = twins_residual.randomise(twins_residual.make(name), SIZES[name], seed=1)
    path = tmp_path / "random.pth"
    torch.save(published(name, twin.state_dict()), path, _use_new_zipfile_serialization=not name.startswith("cifar"))
    native = convert.import_file(path, name, tmp_path)
    net = zoo.build(name)
    net.load_state_dict(formats.read(native).tensors)
    path.unlink()  # ResNet-152's have 240 MB each
    native.unlink()

    x = np.random.default_rng(4).standard_normal((1, 3, SIZES[name], SIZES[name])).astype(np.float32)
    for dtype in ("float64",) if name in DEEP else ("float32", "float64"):
        difference = differ(net.astype(dtype), twin.to(getattr(torch, dtype)), x.astype(dtype))
        assert difference.scores <= LOGITS[dtype]
        assert difference.gradient <= GRADIENT[dtype]
        assert difference.others <= (1e-5 * difference.sides if dtype == "float32" else 0)


def published(name, state):
    """The state as the published file has it."""
    if name.startswith("cifar"):
        old = {f"module.{key}": value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        return {"state_dict": old, "best_prec1": 91.5}
    if name == "densenet121":
        return {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): value for key, value in state.items()}
    if name == "googlenet_bn":
        return {**state, "aux1.fc1.bias": state["fc.bias"]}
    return state
