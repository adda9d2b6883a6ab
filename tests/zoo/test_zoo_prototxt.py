"""Names, wiring and windows against the prototxt files that Caffe's weights came with."""

import re

import pytest

from minicnn import zoo

pytestmark = pytest.mark.data

TYPES = {
    "Convolution": "Conv2d",
    "InnerProduct": "Linear",
    "ReLU": "ReLU",
    "LRN": "LRN",
    "Dropout": "Dropout",
    "Concat": "Concat",
    "Softmax": "Softmax",
}
FILES = {
    "bvlc_googlenet": "googlenet",
    "squeezenet_v1.1": "squeezenet1_1",
    "lenet": "lenet",
    "cifar10_quick": "cifar10_quick",
}


@pytest.mark.parametrize("file", FILES)
def test_every_layer_is_a_node_that_reads_the_same(data_dir, file):
    layers = parse((data_dir / "weights" / f"{file}.prototxt").read_text())
    net = zoo.build(FILES[file])
    # Caffe's linear layers and softmax flatten by themselves.
    skip = {node.name: node.inputs[0] for node in net.nodes if type(node.layer).__name__ == "Flatten"}
    nodes = {node.name: node for node in net.nodes if node.name not in skip}
    assert list(nodes) == [name for name, _ in layers] and len(skip) == 1
    wrote = {"data": "data"}
    for name, text in layers:
        layer = nodes[name].layer
        assert type(layer).__name__ == _class(text)
        assert [skip.get(i, i) for i in nodes[name].inputs] == [wrote[blob] for blob in _all(text, "bottom")]
        # A layer may write the blob that it reads: who reads it next reads this layer.
        wrote[_all(text, "top")[0]] = name
        if hasattr(layer, "kernel"):
            kernel, stride, pad = (
                int(_one(text, key, d)) for key, d in (("kernel_size", 0), ("stride", 1), ("pad", 0))
            )
            assert (layer.kernel, layer.stride, layer.pad) == ((kernel,) * 2, (stride,) * 2, (pad,) * 4)
            assert getattr(layer, "ceil_mode", True)  # Caffe rounds the sizes of pools up
        if "w" in layer.param_shapes:
            assert layer.param_shapes["w"][0] == int(_one(text, "num_output"))
        if _class(text) == "LRN":
            found = layer.size, layer.alpha, layer.beta, layer.k
            assert found == (int(_one(text, "local_size")), float(_one(text, "alpha")), float(_one(text, "beta")), 1)
        if _class(text) == "Dropout":
            assert layer.p == float(_one(text, "dropout_ratio"))


def parse(text):
    """[(name, the layer's text)], without the input."""
    pieces = re.split(r"^layer \{", text, flags=re.MULTILINE)[1:]
    return [(_one(piece, "name"), piece) for piece in pieces if _one(piece, "type") != "Input"]


def _class(text):
    if _one(text, "type") != "Pooling":
        return TYPES[_one(text, "type")]
    if _one(text, "global_pooling", "") == "true":
        return "GlobalAvgPool"
    return {"MAX": "MaxPool2d", "AVE": "AvgPool2d"}[_one(text, "pool")]


def _all(text, key):
    return re.findall(rf'\b{key}: "?([^"\s]+)"?', text)


def _one(text, key, default=None):
    found = _all(text, key)
    assert found or default is not None, f"no {key} in {text}"
    return found[0] if found else default
