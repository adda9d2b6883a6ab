"""Which layers of a Caffe net stay, what reads what, and how large the image is."""

import numpy as np
import pytest
from net_files import AVE, TEST, TRAIN, caffe_layer, caffe_model, caffe_text

from minicnn.errors import FormatError, MissingFileError
from minicnn.net import Net
from minicnn.weights import caffe_graph

rng = np.random.default_rng(7)
W, B = rng.standard_normal((4, 3, 3, 3)).astype(np.float32), rng.standard_normal(4).astype(np.float32)
FC = rng.standard_normal((5, 4)).astype(np.float32)
CONV = caffe_layer("conv", "Convolution", "data", blobs=(W, B), convolution_param={"num_output": 4, "kernel_size": 3})
RELU = caffe_layer("relu", "ReLU", "conv", "conv")
POOL = caffe_layer("pool", "Pooling", "conv", pooling_param={"pool": AVE, "global_pooling": True})
FULL = caffe_layer("fc", "InnerProduct", "pool", blobs=(FC,), inner_product_param={"num_output": 5, "bias_term": False})
SOFTMAX = caffe_layer("prob", "Softmax", "fc")
LOSS = caffe_layer("loss", "SoftmaxWithLoss", ["fc", "label"], loss_weight=[1.0])
NODES = ["conv", "relu", "pool", "pool/flatten", "fc"]
INPUT = {"input": "data", "input_dim": (1, 3, 8, 8)}
DATA = caffe_layer("images", "Data", (), ["data", "label"], data_param={"source": "somewhere", "batch_size": 4})


def data(type="Data", phase=None, **params):
    rules = {} if phase is None else {"include": {"phase": phase}}
    return caffe_layer("images", type, (), ["data", "label"], **rules, **params)


@pytest.fixture
def read(tmp_path):
    """Reads a net from the form that is asked for: -> Checkpoint. described: the prototxt's layers if others."""

    def read(layers, form="caffemodel", function=caffe_graph.read, described=None, **net):
        (tmp_path / "net.caffemodel").write_bytes(caffe_model(layers, 1 if form == "version 1" else 2, **net))
        if form != "prototxt":
            return function(tmp_path / "net.caffemodel")
        (tmp_path / "net.prototxt").write_text(caffe_text(described or layers, **net))
        return function(tmp_path / "net.caffemodel", tmp_path / "net.prototxt")

    return read


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
    x = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
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


# The image -----------------------------------------------------------------------------------------------------------

INPUTS = {
    "input and input_dim": ({"input": "data", "input_dim": (10, 3, 8, 9)}, None),
    "input and input_shape": ({"input": "data", "input_shape": {"dim": (10, 3, 8, 9)}}, None),
    "Input": ({}, data("Input", input_param={"shape": {"dim": (10, 3, 8, 9)}})),
    "DummyData": ({}, data("DummyData", dummy_data_param={"shape": [{"dim": (1, 3, 8, 9)}, {"dim": (1,)}]})),
    "old DummyData": ({}, data("DummyData", dummy_data_param={"num": 1, "channels": 3, "height": 8, "width": 9})),
    "MemoryData": ({}, data("MemoryData", memory_data_param={"batch_size": 1, "channels": 3, "height": 8, "width": 9})),
}


@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
@pytest.mark.parametrize("case", INPUTS)
def test_the_images_size(read, form, case):
    net, layer = INPUTS[case]
    got = read([*([layer] if layer else []), CONV, POOL], form, **net)
    assert got.graph.input == "data" and got.graph.input_size == (3, 8, 9)


@forms
@pytest.mark.parametrize("old", [False, True])
def test_a_crop_and_the_channels_of_who_reads_it(read, form, old):
    layer = data("ImageData", image_data_param={"crop_size": 8}) if old else data(transform_param={"crop_size": 8})
    assert read([layer, CONV, POOL], form).graph.input_size == (3, 8, 8)


@forms
def test_the_tests_crop_counts(read, form):
    layers = [data(phase=phase, transform_param={"crop_size": size}) for phase, size in ((TEST, 8), (TRAIN, 7))]
    assert read([*layers, CONV, POOL], form).graph.input_size == (3, 8, 8)


def test_an_image_that_is_none(read):
    """A net of rows, and one whose size is open."""
    full = {**FULL, "bottom": ["data"]}
    got = read([full], input="data", input_shape={"dim": (9, 4)})
    assert names(got) == ["fc"] and got.graph.input_size is None
    got = read([full], input="data")
    assert names(got) == ["data/flatten", "fc"] and got.graph.input_size is None


def test_one_shape_is_for_all(read):
    layer = caffe_layer("images", "Input", (), ["label", "data"], input_param={"shape": {"dim": (10, 3, 8, 9)}})
    assert read([layer, CONV, POOL]).graph.input_size == (3, 8, 9)


def test_which_image(read):
    two = caffe_layer("sum", "Eltwise", ["data", "other"])
    with pytest.raises(FormatError, match="a net has one image, this one reads data and other"):
        read([two], input=["data", "other"])
    got = read([CONV, POOL], input=["other", "data"], input_dim=(1, 1, 4, 4, 1, 3, 8, 8))
    assert got.graph.input == "data" and got.graph.input_size == (3, 8, 8)


BAD_NETS = {
    "no layers": ([], INPUT, "no layers: it holds no net"),
    "only data": ([DATA], {}, "no layers: it holds no net"),
    "no size": ([CONV], {"input": "data", "input_dim": (1, 3, 0, 8)}, "the image 'data' has shape"),
    "too large": ([CONV], {"input": "data", "input_dim": (1, 3, 2**40, 8)}, "too large|expected an integer"),
    "too few dimensions": ([CONV], {"input": ["data", "x"], "input_dim": (1, 3, 8, 8)}, "2 inputs and the shapes of 1"),
    "a loss of the image": ([DATA, {**LOSS, "bottom": ["data", "label"]}], {}, "no layer makes what it reads"),
    "a loss of nothing": ([DATA, {**LOSS, "bottom": []}], {}, "no layer makes what it reads"),
    "a name of lines": ([{**CONV, "name": "a\nb"}], INPUT, "is no name of a node"),
    "a long name": ([{**CONV, "name": "a" * 257}], INPUT, "is no name of a node"),
}


@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
@pytest.mark.parametrize("case", BAD_NETS)
def test_no_net(read, form, case):
    layers, net, reason = BAD_NETS[case]
    with pytest.raises(FormatError, match=reason):
        read(layers, form, **net)


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


BAD_TEXTS = {
    "layer { nome: 'a' type: 'ReLU' }\nfoo: 1": "no net: it has foo",
    "layers { layer { name: 'a' type: 'conv' } }": "layers of version 0",
    "layers { type: CONV }": "line 1: type is 'CONV', expected a type of layer, as CONVOLUTION",
    "layer { type: RELU }": "line 1: type is 'RELU', expected a string",
    "layer {\n name: 'a'\n name: 'b' }": "line 3: name is there twice",
    "layer: 1": "layer is '1', expected a message in braces",
    "input: {}": "input is a message, expected a string",
    "input_dim: 3.5": "input_dim is '3.5', expected an integer",
    "input_dim: 99999999999": "expected an integer",
    "input_dim: 08": "expected an integer",
    "input_dim: true": "expected an integer",
    "layer { pooling_param { pool: MEAN } }": "pool is 'MEAN', expected MAX or AVE or STOCHASTIC",
    "layer { pooling_param { global_pooling: 2 } }": "global_pooling is '2', expected true or false",
    "layer { relu_param { negative_slope: 1x } }": "negative_slope is '1x', expected a number",
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_prototxts_that_are_none(tmp_path, text):
    (tmp_path / "net.caffemodel").write_bytes(caffe_model([CONV]))
    (tmp_path / "net.prototxt").write_text(text)
    with pytest.raises(FormatError, match=BAD_TEXTS[text]) as caught:
        caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "net.prototxt")
    assert caught.value.file == str(tmp_path / "net.prototxt")


def test_the_ways_to_write_a_value(tmp_path):
    (tmp_path / "net.caffemodel").write_bytes(caffe_model([CONV]))
    (tmp_path / "net.prototxt").write_text("""
        input: 'data' input_shape < dim: [0x1, 3, 010, 8] >
        layer { name: "conv" type: "Convolution" bottom: 'data' top: 'conv' convolution_param: {
            num_output: 4; kernel_size: [3], bias_term: t } }
        layer { name: "lrn" type: "LRN" bottom: 'conv' top: 'l' lrn_param { alpha: 1e-4f beta: .5 norm_region: 0 } }
        layer { name: "pool" type: "Pooling" bottom: 'l' top: 'pool' pooling_param { pool: 1 global_pooling: 1 } }
    """)
    graph = caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "net.prototxt").graph
    lrn, pool = (layer for name, layer, _ in graph.nodes if name in ("lrn", "pool"))
    assert graph.input_size == (3, 8, 8) and (lrn.alpha, lrn.beta) == (1e-4, 0.5)
    assert type(pool).__name__ == "GlobalAvgPool"


def test_missing_files(read, tmp_path):
    read([CONV], **INPUT)
    with pytest.raises(MissingFileError, match=r"none\.prototxt: no such file"):
        caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "none.prototxt")
    with pytest.raises(MissingFileError, match=r"none\.caffemodel: no such file"):
        caffe_graph.read(tmp_path / "none.caffemodel")


# The preprocessing ---------------------------------------------------------------------------------------------------

PREPROCESSING = {
    "nothing, for a net for use": ([CONV], INPUT, {"input_size": (3, 8, 8)}),
    "a data base": ([DATA, CONV], {}, {"range": 255.0, "mean": (0.0,) * 3, "std": (1.0,) * 3}),
    "mean colour": (
        [data("ImageData", transform_param={"crop_size": 8, "mean_value": [104.0, 117.0, 123.0]}), CONV],
        {},
        {
            **{"input_size": (3, 8, 8), "channel_order": "BGR", "range": 255.0, "mean": (104.0, 117.0, 123.0)},
            **{"std": (1.0,) * 3},
        },
    ),
    "one mean and a scale": (
        [data(transform_param={"mean_value": [128.0], "scale": 0.5}), CONV],
        {},
        {"range": 127.5, "mean": (64.0,) * 3, "std": (1.0,) * 3},
    ),
    "a mean image, in an old place": (
        [data(data_param={"mean_file": "mean.binaryproto", "scale": 0.25}), CONV],
        {},
        {"range": 63.75, "std": (1.0,) * 3, "mean_file": "mean.binaryproto"},
    ),
    "as many means as no image has channels": (
        [data(transform_param={"mean_value": [1.0, 2.0]}), CONV],
        {},
        {"range": 255.0, "std": (1.0,) * 3},
    ),
    "grey": (
        [data(transform_param={"scale": 0.00390625}), {**CONV, "blobs": (W[:, :1], B)}],
        {},
        {"channel_order": "L", "range": 0.99609375, "mean": (0.0,), "std": (1.0,)},
    ),
    "channels of no picture": ([DATA, {**CONV, "blobs": (W[:, :2], B)}], {}, {}),
    "the tests'": (
        [
            data(phase=TEST, transform_param={"mean_value": [5.0]}),
            data(phase=TRAIN, transform_param={"mean_value": [6.0]}),
            CONV,
        ],
        {},
        {"range": 255.0, "mean": (5.0,) * 3, "std": (1.0,) * 3},
    ),
    "numbers of other kinds": ([data("HDF5Data"), CONV], {}, {}),
}


@forms
@pytest.mark.parametrize("case", PREPROCESSING)
def test_what_is_known_of_the_preprocessing(read, form, case):
    layers, net, expected = PREPROCESSING[case]
    assert read([*layers, POOL], form, caffe_graph.preprocessing, **net) == expected
