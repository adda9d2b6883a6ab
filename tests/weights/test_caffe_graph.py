"""Which layers of a Caffe net stay, and what reads what."""

from functools import partial

import numpy as np
import pytest
from caffe_small import CONV, FULL, INPUT, LOSS, NODES, POOL, RELU, SOFTMAX, B, W, data, read_in
from net_files import TEST, TRAIN, caffe_layer

from minicnn.errors import FormatError
from minicnn.net import Net


@pytest.fixture
def read(tmp_path):
    return partial(read_in, tmp_path)


forms = pytest.mark.parametrize("form", ["caffemodel", "prototxt", "version 1"])


def names(checkpoint):
    return [name for name, _, _ in checkpoint.graph.nodes]


def reads(checkpoint):
    return {name: inputs for name, _, inputs in checkpoint.graph.nodes}


def loaded(checkpoint):
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)
    return net


# The trained net -----------------------------------------------------------------------------------------------------


@forms
def test_a_net_for_use(read, form):
    got = read([CONV, RELU, POOL, FULL, SOFTMAX], form, **INPUT)
    assert names(got) == [*NODES, "prob"] and got.graph.input == "data" and got.graph.input_size == (3, 8, 8)
    assert reads(got) == dict(zip([*NODES, "prob"], [(n,) for n in ["data", *NODES]]))
    assert got.tensors.keys() == {"conv.w", "conv.b", "fc.w"} and got.format == "caffe"
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    assert loaded(got)(x).shape == (2, 5)


@forms
@pytest.mark.parametrize("phase", [None, TRAIN])
def test_a_training_net(read, form, phase):
    accuracy = caffe_layer("accuracy", "Accuracy", ["fc", "label"])
    got = read([data(phase=phase), CONV, RELU, POOL, FULL, accuracy, LOSS], form)
    assert names(got) == [*NODES, "prob"]  # the softmax that stood inside of the loss
    assert got.graph.input == "data" and got.graph.input_size is None
    assert loaded(got).scores == "fc"


@forms
@pytest.mark.parametrize("type", ["EuclideanLoss", "SigmoidCrossEntropyLoss", "HingeLoss"])
def test_other_losses_hold_no_softmax(read, form, type):
    if form == "version 1" and type != "EuclideanLoss":
        pytest.skip("a number that the maker does not know")
    assert names(read([data(), CONV, RELU, POOL, FULL, {**LOSS, "type": type}], form)) == NODES


@forms
def test_a_softmax_beside_the_loss(read, form):
    softmax = {**SOFTMAX, "name": "scores", "include": {"phase": TEST}}
    assert names(read([data(), CONV, RELU, POOL, FULL, LOSS, softmax], form)) == [*NODES, "scores"]


@forms
def test_scores_of_one_pixel_and_of_many(read, form):
    """Inner products make (N, C), and so does a softmax at the end of a net whose image is of an open size."""
    got = read([data(), CONV, POOL, {**LOSS, "bottom": ["pool", "label"]}], form)
    assert names(got) == ["conv", "pool", "pool/flatten", "prob"]
    got = read([CONV, POOL, {**SOFTMAX, "bottom": ["pool"]}], form, input="data")
    assert names(got) == ["conv", "pool", "pool/flatten", "prob"]
    got = read([data(), CONV, {**LOSS, "bottom": ["conv", "label"], "softmax_param": {"axis": 2}}], form)
    assert names(got) == ["conv", "prob"] and got.graph.nodes[-1][1].axis == 2


@forms
def test_the_tests_loss_counts(read, form):
    side = caffe_layer("side", "Sigmoid", "conv")
    layers = [
        {**LOSS, "bottom": [blob], "include": {"phase": phase}} for blob, phase in (("conv", TEST), ("side", TRAIN))
    ]
    assert names(read([data(), CONV, side, *layers], form)) == ["conv", "prob"]


@forms
def test_a_softmax_beside_another_loss_is_not_what_was_trained(read, form):
    assert names(read([data(), CONV, RELU, POOL, FULL, SOFTMAX, {**LOSS, "type": "EuclideanLoss"}], form)) == NODES


@forms
def test_losses_on_the_way_go_with_all_that_only_they_need(read, form):
    side = caffe_layer("side", "Mystery" if form != "version 1" else "Power", "conv")
    layers = [data(), CONV, RELU, side, {**LOSS, "name": "loss1", "bottom": ["side", "label"]}, POOL, FULL, LOSS]
    got = read(layers, form)
    assert names(got) == [*NODES, "prob"]
    assert got.tensors.keys() == {"conv.w", "conv.b", "fc.w"}


def test_without_a_loss_every_layer_stays(read):
    side = caffe_layer("side", "Sigmoid", "conv")
    assert names(read([CONV, RELU, side, POOL, FULL], **INPUT)) == ["conv", "relu", "side", *NODES[2:]]


@forms
def test_splits_and_silence(read, form):
    split = caffe_layer("split", "Split", "conv", ["conv_0", "conv_1"])
    layers = [CONV, RELU, split, {**POOL, "bottom": ["conv_1"]}, FULL, caffe_layer("s", "Silence", "conv_0", ())]
    got = read(layers, form, **INPUT)
    assert names(got) == NODES and reads(got)["pool"] == ("relu",)


def test_layers_that_write_what_they_read(read):
    twice = [CONV, RELU, caffe_layer("sig", "Sigmoid", "conv", "conv"), caffe_layer("sum", "Eltwise", ["conv"] * 2)]
    assert reads(read(twice, **INPUT)) == {
        "conv": ("data",),
        "relu": ("conv",),
        "sig": ("relu",),
        "sum": ("sig", "sig"),
    }


def test_blobs_have_names_of_their_own(read):
    layers = [
        {**CONV, "top": ["a"]},
        {**RELU, "bottom": ["a"], "top": ["b"]},
        {**POOL, "bottom": ["a"], "top": ["conv"]},
    ]
    assert reads(read(layers, **INPUT)) == {"conv": ("data",), "relu": ("conv",), "pool": ("conv",)}


# Phases --------------------------------------------------------------------------------------------------------------

RULES = {
    "test": ({"include": {"phase": TEST}}, True),
    "train": ({"include": {"phase": TRAIN}}, False),
    "either": ({"include": [{"phase": TRAIN}, {"phase": TEST}]}, True),
    "not in training": ({"exclude": {"phase": TRAIN}}, True),
    "not in tests": ({"exclude": {"phase": TEST}}, False),
    "a stage": ({"include": {"stage": "deploy"}}, False),
    "not in a stage": ({"exclude": {"stage": "deploy"}}, True),
    "no stage": ({"include": {"not_stage": "deploy"}}, True),
    "level 0": ({"include": {"min_level": 0, "max_level": 0}}, True),
    "level 1": ({"include": {"min_level": 1}}, False),
    "below": ({"include": {"max_level": -1}}, False),
}


@forms
@pytest.mark.parametrize("rule", RULES)
def test_layers_of_phases(read, form, rule):
    rules, stays = RULES[rule]
    layers = [CONV, {**RELU, **rules}, POOL]
    assert ("relu" in names(read(layers, form, **INPUT))) == stays


def test_one_layer_a_phase(read):
    other = {**CONV, "include": {"phase": TRAIN}, "convolution_param": {"num_output": 4, "kernel_size": 9}}
    mine = {**CONV, "include": {"phase": TEST}}
    got = read([CONV, POOL], "prototxt", described=[other, mine, POOL], **INPUT)
    assert names(got) == ["conv", "pool"] and got.graph.nodes[0][1].kernel == (3, 3)
    np.testing.assert_array_equal(got.tensors["conv.w"], W)


def test_weights_that_only_training_had(read):
    """Passing the layer over would change the scores, and nobody would notice."""
    norm = caffe_layer("bn", "BatchNorm", "conv", "conv", blobs=(B, B, [1]), include={"phase": TRAIN})
    with pytest.raises(FormatError, match=r"layer 'bn' .* it is in the training net alone, and has weights"):
        read([CONV, norm, POOL], **INPUT)
    assert "bn" in names(read([CONV, norm, {**norm, "include": {"phase": TEST}}, POOL], **INPUT))


def test_what_only_training_made(read):
    noise = caffe_layer("noise", "ReLU", "conv", include={"phase": TRAIN})
    with pytest.raises(FormatError, match=r"layer 'pool' .* it reads 'noise', which no layer before it makes"):
        read([CONV, noise, {**POOL, "bottom": ["noise"]}], **INPUT)


# Names, weights and files --------------------------------------------------------------------------------------------


def test_names_that_a_net_cannot_have_twice(read):
    layers = [{**CONV, "name": "data", "top": ["a"]}, caffe_layer("x:1", "ReLU", "a", "b")]
    layers += [caffe_layer("x_1", "ReLU", "b", "c"), caffe_layer("x:1", "Sigmoid", "c", "d")]
    assert names(read(layers, **INPUT)) == ["data_2", "x_1", "x_1_2", "x_1_3"]


def test_weights_come_by_the_layers_names(read):
    trained = [{**FULL, "name": "aux"}, {**CONV, "blobs": (W + 1, B)}, {**CONV, "name": "other"}]
    got = read(trained, "prototxt", described=[CONV, POOL], **INPUT)
    np.testing.assert_array_equal(got.tensors["conv.w"], W + 1)
    with pytest.raises(FormatError, match=r"net.prototxt: layer 'fc' .* it has 0 arrays of weights, expected 1"):
        read(trained, "prototxt", described=[CONV, POOL, FULL], **INPUT)
    with pytest.raises(FormatError, match=r"net\.caffemodel: two layers are called 'conv'"):
        read([CONV, CONV], "prototxt", described=[CONV, POOL], **INPUT)
