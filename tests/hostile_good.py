"""Good files of every format: small, and with most of what a reader meets."""

import json
import struct

import numpy as np
import onnx_files
import tfjs_files
from net_files import AVE, SUM, TEST, caffe_layer, caffe_model, caffe_text, convnetjs_layer, convnetjs_snapshot
from weight_files import (
    blob,
    caffemodel,
    layer_v1,
    layer_v2,
    legacy_blob,
    ordered_dict,
    pickled,
    safetensors_file,
    tensor,
    torch_legacy,
    torch_zip,
)

from minicnn import zoo
from minicnn.meta import Meta


def alone(wrap=bytes, name="file"):
    """A `write` of one file, whose bytes are wrap(bytes)."""

    def write(folder, data):
        (folder / name).write_bytes(wrap(data))
        return folder / name

    return write


X = np.linspace(-1, 1, 24, dtype=np.float32)

# Caffe

CAFFE = caffemodel(
    layer_v2("data", "Data"),
    layer_v2("conv", "Convolution", blob(X.reshape(2, 3, 2, 2)), blob(X[:2], packed=False)),
    layer_v2("fc", "InnerProduct", legacy_blob(X, (1, 1, 4, 6)), blob(X[:4], double=True)),
    layer_v1("old", 14, legacy_blob(X, (1, 1, 4, 6)), legacy_blob(X[:4], (1, 1, 1, 4))),
)
MEAN = legacy_blob(X, (1, 3, 2, 4))


def _caffe_layers(version):
    """(1, 2, 5, 5) to (1, 4); version 1 as it was trained, with data and a loss."""
    old = version == 1
    data = caffe_layer("data", "ImageData" if old else "Input", top=["data", "label"] if old else "data",
                       **{"image_data_param": {"crop_size": 5, "batch_size": 1}} if old else
                       {"input_param": {"shape": {"dim": [1, 2, 5, 5]}}})  # fmt: skip
    conv = {"num_output": 3, "kernel_h": 3, "kernel_w": 2, "stride": 2, "pad": 1}
    layers = [
        data,
        caffe_layer("conv", "Convolution", "data", blobs=[np.resize(X, (3, 2, 3, 2)), X[:3]], convolution_param=conv),
        caffe_layer("relu", "ReLU", "conv", top="conv"),
        caffe_layer("split", "Split", "conv", top=["one", "other"]),
        caffe_layer("pool", "Pooling", "one", pooling_param={"pool": AVE, "kernel_size": 3, "stride": 2, "pad": 1}),
        caffe_layer("lrn", "LRN", "pool", lrn_param={"local_size": 3, "alpha": 0.1}),
        caffe_layer("drop", "Dropout", "lrn", top="lrn", dropout_param={"dropout_ratio": 0.4}),
        caffe_layer(
            "more", "Pooling", "other", pooling_param={"kernel_size": 2, "stride": 2}, include=[{"phase": TEST}]
        ),
        caffe_layer("join", "Concat", ["lrn", "more"], concat_param={"concat_dim": 1}),
    ]
    if not old:
        once = {"operation": SUM, "coeff": [1.0, 1.0]}
        layers += [
            caffe_layer("norm", "BatchNorm", "join", blobs=[X[:6], X[:6] + 2, X[-1:]], batch_norm_param={"eps": 0.01}),
            caffe_layer("scale", "Scale", "norm", blobs=[X[:6], X[:6]], scale_param={"bias_term": True}),
            caffe_layer("sum", "Eltwise", ["norm", "scale"], "join", eltwise_param=once),
        ]  # fmt: skip
    fc = np.resize(X, (4, 24)), X[:4]
    layers.append(caffe_layer("fc", "InnerProduct", "join", blobs=fc, inner_product_param={"num_output": 4}))
    end = caffe_layer("loss", "SoftmaxWithLoss", ["fc", "label"]) if old else caffe_layer("prob", "Softmax", "fc")
    return [*layers, end]


CAFFE_NETS = {version: caffe_model(_caffe_layers(version), version) for version in (1, 2)}
PROTOTXT = caffe_text(_caffe_layers(2)).encode()


def prototxt(folder, data):
    """The caffemodel; the prototxt is beside it."""
    (folder / "net.prototxt").write_bytes(data)
    return alone(name="net.caffemodel")(folder, CAFFE_NETS[2])


# torch

STATE = ordered_dict(
    {
        "module.a": tensor("0", (2, 3), (1, 2), elements=24),
        "module.b": tensor("0", (24,)),
        "module.half": tensor("1", (4,), kind="Half"),
        "module.n": tensor("2", (), kind="Long"),
    }
)
PICKLE = pickled({"epoch": 3, "state_dict": STATE})
STORAGES = {"0": X.tobytes(), "1": X[:2].tobytes(), "2": bytes(8)}
ZIP = torch_zip(PICKLE, STORAGES)


def zip_of(pickle):
    return torch_zip(pickle, STORAGES)


NET = "cifar_resnet20"
_SHAPES = zoo.entry(NET).build().state_shapes()
_NAMES = zoo.entry(NET).sources["torch"](zoo.entry(NET).build())
NET_PICKLE = pickled(
    ordered_dict({_NAMES[key]: tensor(str(i), shape) for i, (key, shape) in enumerate(_SHAPES.items())})
)
NET_STORAGES = {str(i): bytes(4 * int(np.prod(shape))) for i, shape in enumerate(_SHAPES.values())}


def net_of(pickle):
    return torch_zip(pickle, NET_STORAGES)


LEGACY_STATE = {
    "a": tensor("0", (2, 3), (1, 2), elements=24, part=(None,)),
    "part": tensor("0", (4,), elements=24, part=(("view", 2, 6),)),
    "half": tensor("1", (4,), kind="Half", part=(None,)),
}
LEGACY = torch_legacy(ordered_dict(LEGACY_STATE), {"0": (24, X.tobytes()), "1": (4, X[:2].tobytes())})
LEGACY_START = LEGACY.index(pickled(ordered_dict(LEGACY_STATE)))
LEGACY_END = LEGACY_START + len(pickled(ordered_dict(LEGACY_STATE)))


def legacy_of(pickle):
    return LEGACY[:LEGACY_START] + pickle + LEGACY[LEGACY_END:]


# minicnn's own

META = Meta("tiny", (3, 8, 8), "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "crop", 8, ("a", "b"), "made up", "none", "f" * 64)


def _node(name, layer, *inputs, **config):
    return {"name": name, "layer": layer, "config": config, "inputs": list(inputs)}


GRAPH = {
    "input": "data",
    "dtype": "float32",
    "nodes": [
        _node("conv", "Conv2d", "data", in_channels=3, out_channels=2, kernel=[3, 2], stride=2, pad=[1, 0], groups=1),
        _node("norm", "BatchNorm2d", "conv", channels=2, eps=0.001),
        _node("pool", "MaxPool2d", "norm", kernel=2, ceil_mode=True),
        {"name": "again", "same_as": "pool", "inputs": ["pool"]},
        _node("lrn", "LRN", "again", size=5, alpha=1e-4),
        _node("sum", "Add", "lrn", "again"),
        _node("flat", "Flatten", "sum"),
        _node("fc", "Linear", "flat", in_features=2, out_features=2),
    ],
}
SHAPES = {
    "conv.w": [2, 3, 3, 2], "conv.b": [2], "norm.w": [2], "norm.b": [2], "norm.running_mean": [2],
    "norm.running_var": [2], "fc.w": [2, 2], "fc.b": [2],
}  # fmt: skip


def header(graph, **metadata):
    """The JSON of a safetensors file with the tensors of SHAPES."""
    entries, start = {}, 0
    for name, shape in SHAPES.items():
        end = start + 4 * int(np.prod(shape))
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        start = end
    return json.dumps({"__metadata__": {"graph": graph, **metadata}, **entries})


DATA = bytes(4 * sum(int(np.prod(shape)) for shape in SHAPES.values()))
HEADER = header(json.dumps(GRAPH), **META.to_strings())
NATIVE = safetensors_file(HEADER, DATA)


def header_of(text):
    return struct.pack("<Q", len(text)) + text + DATA


def graph_of(text):
    return safetensors_file(header(text.decode("utf-8", "replace")), DATA)


# TensorFlow.js

MODEL = tfjs_files.functional(
    tfjs_files.image(6, 5, 2),
    tfjs_files.layer("Conv2D", "conv", ["image"], filters=3, kernel_size=[3, 2], strides=[2, 2], padding="same",
                     data_format="channels_last", dilation_rate=[1, 1], activation="relu", use_bias=False),
    tfjs_files.layer("BatchNormalization", "norm", ["conv"], axis=[-1], center=False, scale=False),
    tfjs_files.sequential(tfjs_files.layer("MaxPooling2D", "pool", pool_size=2, padding="same"))
    | {"name": "inner", "inbound_nodes": [[["norm", 0, 0, {}]]]},
    tfjs_files.layer("Flatten", "rows", [("inner", 1)]),
    tfjs_files.layer("Dense", "fc", ["rows"], units=4, activation="elu"),
    tfjs_files.layer("Dense", "again", [["fc"], [("again", 0)]], units=4, use_bias=False),
    tfjs_files.layer("Add", "sum", ["fc", ("again", 1)]),
    tfjs_files.layer("Reshape", "image2", ["sum"], target_shape=[2, -1, 1]),
    tfjs_files.layer("Concatenate", "both", ["image2", "image2"], axis=1),
    output="both",
)  # fmt: skip
_WEIGHTS = {"conv/kernel": (3, 2, 2, 3), "norm/moving_mean": (3,), "norm/moving_variance": (3,), "fc/kernel": (12, 4),
           "fc/bias": (4,), "again/kernel": (4, 4)}  # fmt: skip
_QUANTIZED = {"quantization": {"dtype": "uint8", "scale": 0.01, "min": -1.0}}
_MANIFEST, SHARDS = tfjs_files.manifest(
    {name: np.ones(shape) for name, shape in _WEIGHTS.items()}, shards=2, **{"fc/kernel": _QUANTIZED}
)
MODEL_JSON = tfjs_files.model_json(MODEL, _MANIFEST).encode()


def tfjs_model(folder, data):
    for name, shard in SHARDS.items():
        (folder / name).write_bytes(shard)
    return alone(name="model.json")(folder, data)


def tfjs_shard(folder, data):
    path = tfjs_model(folder, MODEL_JSON)
    (folder / next(iter(SHARDS))).write_bytes(data)
    return path


ONNX = onnx_files.good_model()

# ConvNetJS

SNAPSHOT = convnetjs_snapshot(
    convnetjs_layer("input", (5, 4, 2)),
    convnetjs_layer(
        "conv",
        (3, 2, 3),
        filters=np.resize(X, (3, 3, 3, 2)),
        biases=X[:3],
        sx=3,
        sy=3,
        stride=2,
        pad=1,
        in_depth=2,
        l1_decay_mul=0,
        l2_decay_mul=1,
    ),
    convnetjs_layer("relu", (3, 2, 3)),
    convnetjs_layer("lrn", (3, 2, 3), k=1, n=3, alpha=0.1, beta=0.75),
    convnetjs_layer("pool", (1, 1, 3), sx=2, sy=2, stride=2, pad=0, in_depth=3),
    convnetjs_layer("fc", (1, 1, 4), indexed=True, filters=np.resize(X, (4, 1, 1, 3)), biases=X[:4], num_inputs=3),
    convnetjs_layer("dropout", (1, 1, 4), drop_prob=0.5),
    convnetjs_layer("softmax", (1, 1, 4), num_inputs=4),
)
