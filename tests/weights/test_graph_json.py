"""Nets that go through a file of minicnn's own: any net, and nothing but nets."""

import json
import time
import tracemalloc
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest
from weight_files import safetensors_file

import minicnn
from minicnn import Net, layers, zoo
from minicnn.errors import FormatError, MinicnnError, OutputError
from minicnn.layers import Add, Concat, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Softmax
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.weights import graph_json

CASES = [
    case
    for m in iter_modules(layers.__path__)
    for case in getattr(import_module(f"minicnn.layers.{m.name}"), "CASES", [])
    if isinstance(case[0], layers.Layer)  # the losses are no layers
]


def bit_equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same(a, b):
    """The same nodes, made of equal layers, and the same arrays, to the bit."""
    assert (a.input, a.dtype, a.meta) == (b.input, b.dtype, b.meta)
    assert [(n.name, type(n.layer), n.inputs) for n in a.nodes] == [(n.name, type(n.layer), n.inputs) for n in b.nodes]
    assert [repr(n.layer) for n in a.nodes] == [repr(n.layer) for n in b.nodes]
    assert a.layers().keys() == b.layers().keys()  # the same ones are shared
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert bit_equal(ours[key], theirs[key]), key


def through(net, tmp_path):
    minicnn.save(net, tmp_path / "net.safetensors")
    return minicnn.load(tmp_path / "net.safetensors")


def by_hand(meta=None):
    conv = Conv2d(2, 2, 3, pad=(1, 1, 0, 2))
    return Net(
        [
            ("a", conv, "image"),
            ("a again", conv),
            ("pool/ü", MaxPool2d(2, stride=1, pad=1, ceil_mode=True), "a"),
            ("sum", Add(), ("a", "a again")),
            ("both", Concat(), ("sum", "a", "image")),
            ("drop", Dropout(p=0.25)),
            ("flat", Flatten()),
            ("fc", Linear(6 * 4 * 4, 3, bias=False)),
            ("prob", Softmax()),
        ],
        input="image",
        meta=meta,
    ).init(seed=1)


@pytest.mark.parametrize("name", ["googlenet", "squeezenet1_1", "lenet_relu"])
def test_nets_of_the_zoo(name, tmp_path):
    net = zoo.build(name, seed=0)
    assert_same(through(net, tmp_path), net)


def test_a_net_made_by_hand(tmp_path):
    net = by_hand()
    other = through(net, tmp_path)
    assert_same(other, net)
    assert other["a"].layer is other["a again"].layer and other.frozen and other.meta is None
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4), dtype=np.float32)
    np.testing.assert_array_equal(other(x), net(x))


def test_a_float64_net(tmp_path):
    net = by_hand().astype("float64")
    net["fc"].layer.params["w"][0, 0] = 1 / 3
    assert_same(through(net, tmp_path), net)


def test_meta_with_everything(tmp_path):
    image = MeanImage(np.random.default_rng(0).random((1, 2, 3)))
    meta = Meta(
        "mine", (1, 2, 3), "L", 1.0, (0.5,), (0.1,), "crop", 7, ("é", "b"), interpolation="bicubic", mean_image=image
    )
    net = Net([("flat", Flatten()), ("fc", Linear(6, 2))], meta=meta).init()
    assert_same(through(net, tmp_path), net)
    assert through(net, tmp_path).meta.mean_image == image


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0])[:60])
def test_every_layer_of_the_house(case, tmp_path):
    layer, *shapes = case
    net = Net([("layer", layer, tuple("data" for _ in shapes))]).init(seed=0)
    other = through(net, tmp_path)
    assert_same(other, net)
    assert graph_json.to_json(other) == graph_json.to_json(net)


def test_a_layer_of_somebody_else_has_no_file(tmp_path):
    class Mine(ReLU):
        pass

    class Conv2d(layers.Layer):  # the name of one of ours, and nothing else of it
        pass

    for layer in (Mine(), Conv2d()):
        with pytest.raises(MinicnnError, match=f"odd: {type(layer).__name__} is no layer of minicnn.layers"):
            minicnn.save(Net([("odd", layer)]), tmp_path / "net.safetensors")
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_read_is_not_written(tmp_path):
    for name in ("a" * 300, "line\nbreak", "\ud800"):
        with pytest.raises(MinicnnError, match="a node without a name"):
            minicnn.save(Net([(name, ReLU())]), tmp_path / "net.safetensors")
    with pytest.raises(MinicnnError, match="has no w yet"):
        minicnn.save(Net([("fc", Linear(2, 2))]), tmp_path / "net.safetensors")
    meta = Meta("mine", (1, 1, 2), "L", 1.0, (0.5,), (0.1,), "crop", 7, ("a", "b", "c"))
    with pytest.raises(MinicnnError, match=r"fc: 3 class names for an output of \(1,2\)"):
        minicnn.save(Net([("flat", Flatten()), ("fc", Linear(2, 2))], meta=meta).init(), tmp_path / "net.safetensors")
    assert not any(tmp_path.iterdir())


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        minicnn.save(by_hand(), tmp_path / "file" / "net.safetensors")


# Files that are not what we write


RELU = {"name": "relu", "layer": "ReLU", "config": {}, "inputs": ["data"]}


def load(tmp_path, *nodes, metadata=None, **graph):
    graph = {"input": "data", "dtype": "float32", "nodes": list(nodes), **graph}
    header = {"__metadata__": {"graph": json.dumps(graph), **(metadata or {})}}
    (tmp_path / "bad.safetensors").write_bytes(safetensors_file(json.dumps(header), b""))
    return minicnn.load(tmp_path / "bad.safetensors")


def test_the_good_one_is_good(tmp_path):
    assert load(tmp_path, RELU, {"name": "b", "same_as": "relu", "inputs": ["relu"]}).nodes[1].name == "b"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"layer": "os.system"}, "relu: no layer 'os.system' in minicnn"),
        ({"layer": "Layer"}, "relu: no layer 'Layer'"),
        ({"layer": "relu_forward"}, "relu: no layer 'relu_forward'"),
        ({"layer": "__builtins__"}, "relu: no layer"),
        ({"layer": ["ReLU"]}, "relu: no layer list"),
        ({"layer": None}, "relu: no layer None"),
        ({"config": None}, "relu: no arguments"),
        ({"config": {"slope": 1}}, "relu: ReLU: .*unexpected keyword argument"),
        ({"config": {"x": [[[[1]]]]}}, "relu: x is list, no argument"),
        ({"config": {"x": {"y": 1}}}, "relu: x is dict"),
        ({"config": {"x": 2**31}}, "relu: x is 2147483648"),
        ({"config": {"x": list(range(65))}}, "relu: x is list"),
        ({"config": {"x": "y" * 257}}, "relu: x is 'yyy"),
        ({"config": {"x": float("nan")}}, "relu: x is nan"),
        (
            {"layer": "Conv2d", "config": {"in_channels": 0, "out_channels": 1, "kernel": 1}},
            "relu: Conv2d: in_channels",
        ),
        ({"layer": "Conv2d", "config": {"in_channels": 1, "out_channels": 1, "kernel": {}}}, "relu: kernel is dict"),
        ({"layer": "Conv2d", "config": {"in_channels": "a", "out_channels": 1, "kernel": []}}, "relu: Conv2d: "),
        ({"layer": "Dropout", "config": {"p": 1e400}}, "relu: Dropout: p must be"),
        ({"name": ""}, "a node without a name"),
        ({"name": 5}, "a node without a name"),
        ({"name": "a:b"}, "a node without a name"),
        ({"name": "\ud800"}, "a node without a name"),
        ({"name": "\x1b[2J"}, "a node without a name"),
        ({"name": "data"}, "data: two nodes of this name"),
        ({"inputs": "data"}, "relu: inputs that are no names"),
        ({"inputs": [5]}, "relu: inputs that are no names"),
        ({"inputs": ["none"]}, "relu: reads 'none', which is not defined before it"),
        ({"inputs": ["relu"]}, "relu: reads 'relu', which is not defined before it"),
        ({"inputs": []}, "relu: ReLU with 0 inputs"),
        ({"inputs": ["data", "data"]}, "relu: ReLU with 2 inputs"),
        ({"layer": "Add", "inputs": []}, "relu: Add with 0 inputs"),
        ({"same_as": "relu"}, "relu: has the layer of 'relu', which has none"),
        ({"same_as": ["relu"]}, "relu: has the layer of list"),
    ],
)
def test_bad_nodes(change, reason, tmp_path):
    with pytest.raises(FormatError, match=f"bad.safetensors: graph: {reason}"):
        load(tmp_path, {**RELU, **change})


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"nodes": []}, "not a list of 1 to 10000 nodes"),
        ({"nodes": {}}, "not a list"),
        ({"nodes": [5]}, "a node without a name"),
        ({"nodes": [RELU] * 10_001}, "not a list of 1 to 10000 nodes"),
        ({"nodes": [RELU, RELU]}, "relu: two nodes of this name"),
        ({"input": None}, "its input is None"),
        ({"dtype": "float16"}, "dtype is 'float16', expected float32 or float64"),
        ({"dtype": ["float32"]}, "dtype is list"),
        ({"more": 1}, "not input, dtype and nodes"),
    ],
)
def test_bad_graphs(change, reason, tmp_path):
    with pytest.raises(FormatError, match=f"bad.safetensors: graph: {reason}"):
        load(tmp_path, **{"nodes": [RELU], **change})


def test_classes_of_another_number_than_the_scores(tmp_path):
    meta = Meta("mine", (1, 2, 2), "L", 1.0, (0.5,), (0.1,), "crop", 7, ("a", "b", "c"))
    with pytest.raises(FormatError, match=r"3 class names for an output of \(1,1,2,2\)"):
        load(tmp_path, RELU, metadata=meta.to_strings())


def test_a_net_that_does_not_take_its_own_images(tmp_path):
    meta = Meta("mine", (1, 2, 2), "L", 1.0, (0.5,), (0.1,), "crop", 7)
    pool = {"name": "p", "layer": "MaxPool2d", "config": {"kernel": 3}, "inputs": ["data"]}
    with pytest.raises(FormatError, match="a window 3x3 does not fit"):
        load(tmp_path, pool, metadata=meta.to_strings())


WITHOUT_CASES = {"MaxPoolIndices": {"kernel": 2}}  # no gradient to check, so it is in no CASES
LARGE = (2**31 - 1, -(2**31) + 1, -1, 0, 1e308, "x", None, (2**31 - 1,) * 64, ((2**31 - 1,) * 64,) * 4, True)


@pytest.mark.parametrize("type_", graph_json.layer_types())
def test_no_argument_makes_a_layer_large_or_slow(type_, tmp_path):
    """Each argument in turn has one of the values above, and the others those of a layer that works."""
    configs = [case[0].config for case in CASES if type(case[0]).__name__ == type_] or [WITHOUT_CASES.get(type_)]
    assert configs[0] is not None, f"layers/: {type_} is in no CASES"
    tracemalloc.start()
    start = time.process_time()
    try:
        for config in configs:
            for key in config:
                for value in LARGE:
                    node = {"name": "a", "layer": type_, "config": {**config, key: value}, "inputs": ["data"]}
                    try:
                        graph_json.from_json(json.dumps({"input": "data", "dtype": "float32", "nodes": [node]}), "bad")
                    except FormatError:
                        pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5 and peak < 5e6
