"""What a layer says of its arguments makes an equal layer again, also after a file held it."""

import inspect
import json

import numpy as np
import pytest
from test_layer_contract import LAYERS

from minicnn import layers

CLASSES = [value for value in vars(layers).values() if isinstance(value, type) and value is not layers.Layer]
# In words that a file can hold, and with every argument given another value than its own.
BY_NAME = {
    "AvgPool2d": {"kernel": 3, "stride": [2, 1], "pad": [1, 0, 1, 0], "ceil_mode": True}
    | {"count_include_pad": False, "dilation": 2},
    "BatchNorm2d": {"channels": 3, "eps": 0.5, "momentum": 0.25},
    "Clip": {"low": -1, "high": 6},
    "Concat": {"axis": 2},
    "Constant": {"shape": [2, 3]},
    "Conv2d": {"in_channels": 4, "out_channels": 6, "kernel": [1, 2], "stride": 3, "pad": 1, "dilation": [2, 1]}
    | {"groups": 2, "bias": False},
    "ConvTranspose2d": {"in_channels": 4, "out_channels": 6, "kernel": [1, 2], "stride": 3, "pad": 1}
    | {"output_padding": [2, 0], "dilation": [2, 1], "groups": 2, "bias": False},
    "Dropout": {"p": 0.25},
    "ELU": {"alpha": 0.5},
    "Flatten": {"axis": -1},
    "LRN": {"size": 3, "alpha": 0.5, "beta": 0.25, "k": 2.0},
    "LeakyReLU": {"slope": 0.25},
    "Linear": {"in_features": 3, "out_features": 2, "bias": False},
    "LogSoftmax": {"axis": 2, "to_end": True},
    "MaxPool2d": {"kernel": [2, 3], "stride": 1, "pad": [0, 1], "dilation": 2, "ceil_mode": True},
    "MaxPoolIndices": {"kernel": [2, 3], "stride": 1, "pad": [0, 1], "dilation": 2, "ceil_mode": True}
    | {"order": "column"},
    "Mean": {"axes": [1, -1], "keepdims": False},
    "PReLU": {"shape": [3, 1, 1]},
    "Pad": {"pads": [[0, 0], [1, -2]], "mode": "edge", "value": 2.0},
    "Reshape": {"shape": [0, -1], "allow_zero": True},
    "Softmax": {"axis": -1, "to_end": True},
    "Squeeze": {"axes": [1]},
    "Transpose": {"axes": [1, 0]},
    "Unsqueeze": {"axes": [0, -1]},
}


def plain(layer):
    """All that a layer knows of itself, but for how its constructor was called."""
    return {key: value for key, value in vars(layer).items() if key != "_arguments"}


def from_file(layer):
    return type(layer)(**json.loads(json.dumps(layer.config)))


@pytest.mark.parametrize("layer", [case[0] for case in LAYERS], ids=str)
def test_every_case_is_made_again(layer):
    again = from_file(layer)
    assert plain(again) == plain(layer) and repr(again) == repr(layer)
    assert from_file(again).config == again.config


@pytest.mark.parametrize("type_", CLASSES, ids=lambda type_: type_.__name__)
def test_every_class_is_made_again_by_name(type_):
    config = BY_NAME.get(type_.__name__, {})
    layer = type_(**config)
    assert layer.config == config
    again = from_file(layer)
    assert plain(again) == plain(layer) and repr(again) == repr(layer)
    # Every argument counts: without it the layer is another one.
    parameters = inspect.signature(type_.__init__).parameters
    assert list(parameters) == ["self", *config]
    for name in config:
        if parameters[name].default is not inspect.Parameter.empty:
            rest = {key: value for key, value in config.items() if key != name}
            assert plain(type_(**rest)) != plain(layer), name


def test_copies_and_other_dtypes_keep_it():
    layer = layers.Linear(3, bias=False, out_features=2).init(0)
    assert layer.astype("float64").config == layer.config == {"in_features": 3, "out_features": 2, "bias": False}
    assert np.array_equal(layer.astype("float64").params["w"], layer.params["w"])
