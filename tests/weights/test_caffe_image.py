"""The image that a Caffe net reads: its size, and what the files tell of its preprocessing."""

from functools import partial

import pytest
from caffe_small import CONV, DATA, FULL, INPUT, LOSS, POOL, B, W, data, read_in
from net_files import TEST, TRAIN, caffe_layer

from minicnn.errors import FormatError
from minicnn.weights import caffe_graph


@pytest.fixture
def read(tmp_path):
    return partial(read_in, tmp_path)


forms = pytest.mark.parametrize("form", ["caffemodel", "prototxt", "version 1"])


def names(checkpoint):
    return [name for name, _, _ in checkpoint.graph.nodes]


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
