"""What the zoo knows: names, random weights, preprocessing, and the names of tensors in other people's files."""

import numpy as np
import pytest

import minicnn
from minicnn import zoo
from minicnn.errors import FormatError, UnknownNameError
from minicnn.kernels.errors import MinicnnError

ALL = (
    "alexnet alexnet_caffe caffenet cifar10_quick cifar_resnet110 cifar_resnet20 cifar_resnet32 cifar_resnet44 "
    "cifar_resnet56 cifar_vgg densenet121 googlenet googlenet_bn lenet lenet_relu nin_imagenet resnet101 resnet152 "
    "resnet18 resnet34 resnet50 shapes_vgg squeezenet1_0 squeezenet1_1 vgg11 vgg13 vgg16 vgg19 zfnet"
)


def test_names():
    assert zoo.names() == ALL.split()


@pytest.mark.parametrize("name", ALL.split())
def test_every_entry_says_what_it_is_and_builds_with_preprocessing(name):
    entry = zoo.entry(name)
    assert entry.name == name and entry.about and entry.reference and entry.licence
    assert set(entry.sources) <= set(entry.preprocess)
    net = entry.build()
    assert net.meta.architecture == name
    assert net.nodes[-1].name == "prob" and net.scores != "prob"
    assert net.summary().rows[-1].shape == (1, 10 if name.startswith(("cifar", "lenet", "shapes")) else 1000)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no architecture 'vgg61'; did you mean .*vgg16"):
        zoo.build("vgg61", seed=0)
    with pytest.raises(UnknownNameError, match=r"did you mean .*googlenet"):
        zoo.entry("GoogLeNet")


def test_a_seed_draws_and_none_leaves_the_parameters_absent():
    assert "build" in minicnn.__all__ and minicnn.build is zoo.build
    first, again, other = (minicnn.build("lenet", seed=s) for s in (0, 0, 1))
    w = first.state_dict()["ip1.w"]
    assert np.array_equal(w, again.state_dict()["ip1.w"])
    assert not np.array_equal(w, other.state_dict()["ip1.w"])
    # He: the variance is 2 / fan-in, and ip1 reads 800 values; 400,000 draws know it to a third of a per cent.
    assert w.var() == pytest.approx(2 / 800, rel=0.02) and abs(w.mean()) < 3e-4
    with pytest.raises(MinicnnError, match=r"conv1: .* has no [wb] yet"):
        minicnn.build("lenet").forward(np.zeros((1, 1, 28, 28), np.float32))


def test_two_nets_share_nothing():
    first, second = zoo.build("lenet", seed=0), zoo.build("lenet", seed=0)
    first.state_dict()["conv1.w"][:] = 7
    assert second.state_dict()["conv1.w"].max() < 7


def test_number_of_classes():
    net = zoo.build("squeezenet1_1", seed=0, classes=7)
    assert net(np.zeros((2, 3, 64, 64), np.float32)).shape == (2, 7)
    assert zoo.build("lenet").meta.classes == tuple("0123456789")
    assert zoo.build("lenet", classes=3).meta.classes == ()


def test_preprocessing_is_the_publishers():
    googlenet = zoo.build("googlenet").meta
    assert (googlenet.input_size, googlenet.channel_order, googlenet.range) == ((3, 224, 224), "BGR", 255.0)
    assert googlenet.mean == (104, 117, 123) and googlenet.std == (1, 1, 1)
    torch = zoo.entry("squeezenet1_1").preprocess["torch"]
    assert (torch["channel_order"], torch["range"], torch["resize"], torch["resize_to"]) == ("RGB", 1.0, "crop", 256)
    assert torch["mean"] == (0.485, 0.456, 0.406) and torch["std"] == (0.229, 0.224, 0.225)
    assert zoo.entry("vgg16").preprocess["caffe"]["mean"] == (103.939, 116.779, 123.68)
    assert zoo.build("caffenet").meta.input_size == (3, 227, 227)
    lenet = zoo.build("lenet").meta
    assert lenet.channel_order == "L" and 255 / 255 * lenet.range == 255 / 256


# The numbers in torchvision's files (state_dict of torchvision.models.*).
TORCHVISION = {
    "alexnet": "features.0 features.3 features.6 features.8 features.10 classifier.1 classifier.4 classifier.6",
    "vgg11": "features.0 features.3 features.6 features.8 features.11 features.13 features.16 features.18 "
    "classifier.0 classifier.3 classifier.6",
    "vgg16": "features.0 features.2 features.5 features.7 features.10 features.12 features.14 features.17 features.19 "
    "features.21 features.24 features.26 features.28 classifier.0 classifier.3 classifier.6",
}
OURS = {
    "alexnet": "conv1 conv2 conv3 conv4 conv5 fc6 fc7 fc8",
    "vgg11": "conv1_1 conv2_1 conv3_1 conv3_2 conv4_1 conv4_2 conv5_1 conv5_2 fc6 fc7 fc8",
    "vgg16": "conv1_1 conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv4_1 conv4_2 conv4_3 conv5_1 conv5_2 conv5_3 "
    "fc6 fc7 fc8",
}
FIRES = {"squeezenet1_0": (3, 4, 5, 7, 8, 9, 10, 12), "squeezenet1_1": (3, 4, 6, 7, 9, 10, 11, 12)}


def _torchvision_names(name):
    """{our node: torchvision's module}."""
    if name in OURS:
        return dict(zip(OURS[name].split(), TORCHVISION[name].split(), strict=True))
    modules = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, i in zip(range(2, 10), FIRES[name], strict=True):
        for ours, theirs in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")):
            modules[f"fire{fire}/{ours}"] = f"features.{i}.{theirs}"
    return modules


@pytest.mark.parametrize("name", [*OURS, *FIRES])
def test_names_of_torchvision(name):
    file, expected = {}, {}
    for node, module in _torchvision_names(name).items():
        for ours, theirs in (("w", "weight"), ("b", "bias")):
            file[f"{module}.{theirs}"] = expected[f"{node}.{ours}"] = object()
    mapped = zoo.entry(name).map_names("torch", file)
    assert mapped == expected and mapped.keys() == _keys(name)


CAFFE = ["caffenet", "cifar10_quick", "googlenet", "lenet", "nin_imagenet", "squeezenet1_1", "vgg19", "zfnet"]


@pytest.mark.parametrize("name", CAFFE)
def test_names_of_caffe(name):
    mapped = zoo.entry(name).map_names("caffe", _caffe_file(name))
    assert mapped == {key: key for key in _keys(name)}


def _keys(name):
    return {f"{node}.{param}" for node, layer in zoo.build(name).layers().items() for param in layer.param_shapes}


def _caffe_file(name):
    """{tensor of the file: our key}."""
    return {key[:-1] + {"w": "0", "b": "1"}[key[-1]]: key for key in _keys(name)}


def test_auxiliary_heads_are_left_out():
    file = _caffe_file("googlenet")
    mapped = zoo.entry("googlenet").map_names("caffe", {**file, "loss1/classifier.0": 0, "loss2/fc.1": 0})
    assert len(mapped) == len(file)


@pytest.mark.parametrize("extra", ["loss3/fc.0", "conv9.0", "conv1/7x7_s2.2"])
def test_a_tensor_left_over_is_refused(extra):
    with pytest.raises(FormatError, match="caffe weights for googlenet") as caught:
        zoo.entry("googlenet").map_names("caffe", {**_caffe_file("googlenet"), extra: 0})
    assert caught.value.tensor == extra


def test_a_missing_tensor_is_named():
    file = _caffe_file("lenet")
    del file["conv2.1"]
    with pytest.raises(FormatError, match="is not in the file") as caught:
        zoo.entry("lenet").map_names("caffe", file)
    assert caught.value.tensor == "conv2.1"


def test_a_format_that_does_not_fit_is_refused():
    with pytest.raises(FormatError, match="caffe weights for squeezenet1_0: can be read from torch"):
        zoo.entry("squeezenet1_0").map_names("caffe", {})
    with pytest.raises(FormatError, match="the native form alone"):
        zoo.entry("lenet_relu").map_names("caffe", {})
