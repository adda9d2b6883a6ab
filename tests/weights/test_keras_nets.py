"""Whole models of Keras': what TensorFlow.js wrote, and what its definition says."""

import base64
import json
from pathlib import Path

import keras_naive as naive
import numpy as np
import pytest
import tfjs_files as files

from minicnn import Net
from minicnn.errors import FormatError
from minicnn.weights import formats, store, tfjs

RNG = np.random.default_rng(1)
WRITTEN = json.loads((Path(__file__).parent / "tfjs-written.json").read_text())


def draw(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def net_of(path):
    checkpoint = formats.read(path)
    assert checkpoint.format == "tensorflow.js"
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)
    return net


def compute(net, x):
    """x and what returns are as Keras has them."""
    out = net(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x)
    return out.transpose(0, 2, 3, 1) if out.ndim == 4 else out


def names(net):
    return [node.name for node in net.nodes]


def relu(name, *inputs):
    return files.layer("ReLU", name, list(inputs))


@pytest.mark.parametrize("name", WRITTEN)
def test_what_tensorflow_js_wrote_and_computed(name, tmp_path):
    written = WRITTEN[name]
    (tmp_path / "weights.bin").write_bytes(base64.b64decode(written["weights"]))
    (tmp_path / "model.json").write_text(json.dumps(written["model"]))
    x, y = (np.array(written[key]["values"], np.float32).reshape(written[key]["shape"]) for key in "xy")
    net = net_of(tmp_path / "model.json")
    np.testing.assert_allclose(compute(net, x), y, rtol=1e-5, atol=1e-6)
    store.save(net, tmp_path / "own.safetensors")
    assert (compute(store.load(tmp_path / "own.safetensors"), x) == compute(net, x)).all()


def test_a_small_net_by_its_definition(tmp_path):
    x = draw(2, 9, 7, 3)
    weights = {
        "conv/kernel": draw(3, 3, 3, 4), "conv/bias": draw(4), "norm/gamma": draw(4), "norm/beta": draw(4),
        "norm/moving_mean": draw(4), "norm/moving_variance": draw(4) ** 2 + 0.5,
        "fc/kernel": draw(3 * 2 * 4, 6), "fc/bias": draw(6), "scores/kernel": draw(6, 3),
    }  # fmt: skip
    model = files.sequential(
        files.image(9, 7, 3),
        files.layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same", activation="relu"),
        files.layer("BatchNormalization", "norm", axis=-1, epsilon=0.001),
        files.layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], padding="same"),
        files.layer("Flatten", "flatten"),
        files.layer("Dropout", "drop", rate=0.5),
        files.layer("Dense", "fc", units=6, activation="tanh"),
        files.layer("Dense", "scores", units=3, activation="softmax", use_bias=False),
    )
    net = net_of(files.write(tmp_path, model, weights, shards=3))
    h = np.maximum(naive.conv2d(x, weights["conv/kernel"], weights["conv/bias"], (2, 2), "same"), 0)
    norm = [weights[f"norm/{key}"] for key in ("gamma", "beta", "moving_mean", "moving_variance")]
    h = naive.batch_normalization(h, *norm, 1e-3)
    h = naive.flatten(naive.pool2d(h, np.max, (2, 2), (2, 2), "same"))
    h = naive.dense(np.tanh(naive.dense(h, weights["fc/kernel"], weights["fc/bias"])), weights["scores/kernel"])
    np.testing.assert_allclose(compute(net, x), naive.softmax(h), rtol=1e-5, atol=1e-6)
    assert " ".join(names(net)) == "conv conv/relu norm pool flatten drop fc fc/tanh scores scores/softmax"
    assert net.input == "image" and net.scores == "scores"
    assert sorted(net.state_dict()) == sorted(
        ["conv.w", "conv.b", "norm.w", "norm.b", "norm.running_mean", "norm.running_var", "fc.w", "fc.b", "scores.w"]
    )
    assert net["norm"].layer.momentum == 0.01  # Keras' 0.99 is what stays


def test_layers_out_of_order_and_used_twice(tmp_path):
    x, w, b = draw(3, 4), draw(4, 4), draw(4)
    model = files.functional(
        files.image(4),
        files.layer("Add", "sum", [("fc", 0), ("fc", 1)]),
        files.layer("Dense", "fc", [["image"], ["a"]], units=4, activation="tanh"),
        relu("a", "fc"),
        output="sum",
    )
    net = net_of(files.write(tmp_path, model, {"fc/kernel": w, "fc/bias": b}))
    once = np.tanh(naive.dense(x, w, b))
    twice = np.tanh(naive.dense(np.maximum(once, 0), w, b))
    np.testing.assert_allclose(compute(net, x), once + twice, rtol=1e-5, atol=1e-6)
    assert names(net) == ["fc", "fc/tanh", "a", "fc/2", "fc/tanh_2", "sum"] and len(net.state_dict()) == 2


def test_models_in_models(tmp_path):
    """A model's own making counts as its first call in some files, and not in others."""
    x, w = draw(2, 3, 3, 2), draw(1, 1, 2, 2)
    conv = files.layer("Conv2D", "conv", filters=2, kernel_size=1, use_bias=False, batch_input_shape=[None, 3, 3, 2])
    for call in (0, 1):
        inner = files.sequential(conv, name="inner") | {"name": "inner", "inbound_nodes": [[["image", 0, 0, {}]]]}
        middle = files.functional(files.image(3, 3, 2), inner, relu("out", ("inner", call)), output="out")
        net = net_of(files.write(tmp_path, files.sequential(middle), {"conv/kernel": w}))
        np.testing.assert_allclose(compute(net, x), np.maximum(naive.conv2d(x, w), 0), rtol=1e-5, atol=1e-6)
        assert names(net) == ["conv", "out"]


def test_the_first_output_is_the_last_node(tmp_path):
    layers = files.image(3), relu("a", "image"), files.layer("Activation", "b", ["image"], activation="tanh")
    net = net_of(files.write(tmp_path, files.functional(*layers, output="a"), {}))
    assert names(net) == ["b", "a"]
    net = net_of(files.write(tmp_path, files.functional(*layers, relu("c", "a"), output="a"), {}))
    assert names(net) == ["a", "b", "c", "a/output"]
    x = draw(2, 3)
    assert (compute(net, x) == np.maximum(x, 0)).all()
    net = net_of(files.write(tmp_path, files.functional(files.image(3), output="image"), {}))
    assert (compute(net, x) == x).all()


def test_open_sizes(tmp_path):
    conv = {"filters": 2, "kernel_size": 3, "padding": "same", "use_bias": False}
    layers = files.image(None, None, 2), files.layer("Conv2D", "c", **conv), files.layer("GlobalMaxPooling2D", "p")
    w = draw(3, 3, 2, 2)
    path = files.write(tmp_path, files.sequential(*layers), {"c/kernel": w})
    assert formats.read(path).graph.input_size is None
    x = draw(1, 4, 5, 2)
    got = compute(net_of(path), x)
    np.testing.assert_allclose(got, naive.conv2d(x, w, padding="same").max(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    for layer in (files.layer("Conv2D", "c", strides=2, **conv), files.layer("Flatten", "f")):
        with pytest.raises(FormatError, match="needs the image's size, which the file leaves open"):
            tfjs.read(files.write(tmp_path, files.sequential(layers[0], layer), {}))


def test_what_surrounds_the_model(tmp_path):
    """The whole of `model.save`, and a Sequential of Keras 2.1, whose config is a list."""
    old = {
        "class_name": "Sequential",
        "config": [relu("r") | {"config": {"name": "r", "batch_input_shape": [None, 3]}}],
    }
    old["config"][0].pop("inbound_nodes")
    path = files.write(tmp_path, {"keras_version": "2.1.6", "model_config": old}, {})
    assert names(net_of(path)) == ["r"] and formats.read(path).graph.input == "r_input"
