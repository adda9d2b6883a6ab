"""ConvNetJS snapshots, against the library's own definitions as loops over its Vols."""

import json

import numpy as np
import pytest
from convnetjs_naive import js_forward
from net_files import convnetjs_layer, convnetjs_snapshot

from minicnn.errors import FormatError, MissingFileError
from minicnn.net import Net
from minicnn.weights import convnetjs, formats


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


# What is read --------------------------------------------------------------------------------------------------------

INPUT = convnetjs_layer("input", (5, 6, 3))  # 5 high, 6 wide
BIASES = draw(4)


def conv(out, shape=(4, 3, 2, 3), indexed=False, **options):
    options = {"sx": shape[2], "sy": shape[1], "stride": 1, "pad": 0, "in_depth": shape[3], **options}
    return convnetjs_layer("conv", out, indexed, draw(*shape), BIASES[: shape[0]], **options)


def fc(F, D, seed=0, indexed=False):
    return convnetjs_layer("fc", (1, 1, F), indexed, draw(F, 1, 1, D, seed=seed), draw(F, seed=seed), num_inputs=D)


def pool(out, **options):
    return convnetjs_layer("pool", out, **{"sx": 2, "sy": 2, "stride": 2, "pad": 0, "in_depth": out[2], **options})


SOFTMAX = convnetjs_layer("softmax", (1, 1, 4), num_inputs=4)
CASES = {
    "conv": [INPUT, conv((3, 5, 4))],
    "conv with a stride and pads": [INPUT, conv((4, 5, 4), stride=2, pad=2)],
    "fc": [INPUT, fc(4, 90)],
    "fc twice": [INPUT, fc(7, 90), fc(4, 7, seed=1)],
    "indexed numbers": [INPUT, conv((3, 5, 4), indexed=True), fc(2, 60, indexed=True)],
    "pool": [INPUT, pool((2, 3, 3))],
    "pool with pads": [INPUT, pool((3, 3, 3), sx=3, sy=3, pad=1)],
    "pool of another shape": [INPUT, pool((2, 6, 3), sx=1, sy=3, stride=1) | {"out_sy": 3}],
    "activations": [INPUT, *(convnetjs_layer(t, (5, 6, 3)) for t in ("relu", "tanh", "sigmoid"))],
    "maxout": [INPUT, conv((3, 5, 4)), convnetjs_layer("maxout", (3, 5, 2), group_size=2)],
    "maxout with one left over": [INPUT, convnetjs_layer("maxout", (5, 6, 1), group_size=2)],
    "maxout of rows": [INPUT, fc(7, 90), convnetjs_layer("maxout", (1, 1, 2), group_size=3)],
    "dropout": [INPUT, convnetjs_layer("dropout", (5, 6, 3), drop_prob=0.3)],
    "dropout of nothing": [INPUT, convnetjs_layer("dropout", (5, 6, 3), drop_prob=0)],
    "lrn": [INPUT, convnetjs_layer("lrn", (5, 6, 3), n=3, k=2, alpha=0.5, beta=0.75)],
    "lrn of an even size": [INPUT, convnetjs_layer("lrn", (5, 6, 3), n=2, k=1, alpha=0.5, beta=0.75)],
    "softmax": [INPUT, fc(4, 90), SOFTMAX],
    "softmax of an image": [INPUT, convnetjs_layer("softmax", (1, 1, 90), num_inputs=90)],
    "svm": [INPUT, fc(4, 90), convnetjs_layer("svm", (1, 1, 4), num_inputs=4)],
    "regression of an image": [INPUT, pool((2, 3, 3)), convnetjs_layer("regression", (1, 1, 18), num_inputs=18)],
    "conv and lrn after fc": [
        *(INPUT, fc(3, 90), conv((1, 1, 4), shape=(4, 1, 1, 3))),
        convnetjs_layer("lrn", (1, 1, 4), n=3, k=1, alpha=1, beta=0.5),
    ],
    "points in the plane": [
        convnetjs_layer("input", (1, 1, 2)),
        fc(6, 2),
        convnetjs_layer("tanh", (1, 1, 6)),
        fc(2, 6),
    ],
    "all of it": [
        *(INPUT, conv((5, 6, 4), pad=1, shape=(4, 3, 3, 3)), convnetjs_layer("relu", (5, 6, 4)), pool((2, 3, 4))),
        *(fc(4, 24), convnetjs_layer("dropout", (1, 1, 4), drop_prob=0.5), fc(4, 4, seed=2), SOFTMAX),
    ],
}


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "net.json").write_bytes(data)
        return convnetjs.read(tmp_path / "net.json")

    return read


def loaded(checkpoint):
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)
    return net


@pytest.mark.parametrize("case", CASES)
def test_what_it_computes(read, case):
    snapshot = convnetjs_snapshot(*CASES[case])
    found = read(snapshot)
    assert found.format == "convnetjs" and found.graph.input == "data"
    assert all(array.dtype == np.float32 for array in found.tensors.values())
    x = draw(2, *found.graph.input_size, seed=5)
    out = loaded(found)(x)
    expected = np.stack([js_forward(snapshot, image) for image in x])
    assert found.graph.input_size == (CASES[case][0]["out_depth"], *((1, 1) if case[:6] == "points" else (5, 6)))
    np.testing.assert_allclose(out.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)
    assert out.shape in (expected.shape, (*expected.shape, 1, 1))


def test_names(read):
    names = [name for name, _, _ in read(convnetjs_snapshot(*CASES["all of it"])).graph.nodes]
    assert names == [
        *("conv1", "relu1", "pool1", "pool1/flatten", "fc1"),
        *("dropout1", "dropout1/keep", "dropout1/scaled", "fc2", "prob"),
    ]
    assert loaded(read(convnetjs_snapshot(*CASES["all of it"]))).scores == "fc2"


def test_dropout_in_training(read):
    """ConvNetJS leaves what it keeps as it is; so does dropout followed by 1 - p."""
    net = loaded(read(convnetjs_snapshot(*CASES["dropout"])))
    x = abs(draw(4, 3, 5, 6)) + 1
    out, _ = net.forward(x, train=True, rng=np.random.default_rng(0))
    kept = out != 0
    np.testing.assert_allclose(out[kept], x[kept], rtol=1e-6)
    assert 0.6 < kept.mean() < 0.8


def test_the_format_is_found_by_its_bytes(tmp_path):
    path = tmp_path / "net.txt"
    path.write_bytes(b"\n  " + json.dumps({"layers": CASES["fc"]}, indent=1).encode())
    assert formats.read(path).format == "convnetjs"
    assert not convnetjs.sniff(b'{"layers": [{"class_name": "Dense"}]}') and not convnetjs.sniff(b"")


def test_null_is_not_a_number(read):
    layer = fc(4, 90)
    layer["filters"][1]["w"][3] = None
    w = read(convnetjs_snapshot(INPUT, layer)).tensors["fc1.w"]
    assert np.isnan(w).sum() == 1 and np.isnan(w[1, 1])  # number 3 is (y 0, x 1, channel 0)


def without(layer, key):
    return {k: v for k, v in layer.items() if k != key}


def changed(layer, filter=None, **more):
    """The layer with something else in its first filter, or besides."""
    filters = [{**layer["filters"][0], **filter}, *layer["filters"][1:]] if filter else layer.get("filters")
    return {**layer, **({"filters": filters} if filters else {}), **more}


BAD = {
    "no net": (b"[1, 2]", "no list of 1 to 1000 layers"),
    "no layers": (b'{"layers": []}', "no list of 1 to 1000 layers"),
    "layers as numbers": (b'{"layers": [1, 2]}', "no list of 1 to 1000 layers"),
    "no type": (b'{"layers": [{"a": 1}]}', "layer 0 has no layer_type"),
    "another type": (
        [INPUT, convnetjs_layer("quadtransform", (5, 6, 9))],
        r"layer 1 \(quadtransform\): this layer",
    ),
    "no input": ([fc(4, 90)], r"layer 0 \(fc\): the first layer, and no other, is the input"),
    "two inputs": ([INPUT, INPUT], r"layer 1 \(input\): the first layer, and no other"),
    "only an input": ([INPUT], "no layers that compute anything"),
    "an input without a size": ([without(INPUT, "out_sx")], "out_sx is None, expected an int"),
    "an input too large": ([{**INPUT, "out_sx": 1 << 20}], "out_sx is 1048576, expected an int, 1 to 65536"),
    "true": ([INPUT, conv((3, 5, 4), stride=True)], "stride is True"),
    "no stride": ([INPUT, without(conv((3, 5, 4)), "stride")], "stride is None"),
    "a list": ([INPUT, conv((3, 5, 4), stride=[1, 2])], "stride is a ndarray"),
    "pad": ([INPUT, pool((3, 4, 3), pad=2)], "pad 2 is not smaller than the window 2x2"),
    "another output": ([INPUT, conv((3, 4, 4))], r"its output is \(4, 3, 5\), the file says \(4, 3, 4\)"),
    "an output of lists": ([INPUT, convnetjs_layer("relu", (5, [6, 6], 3))], r"the file says \(3, 5, None\)"),
    "a window too large": ([INPUT, conv((1, 1, 4), shape=(4, 9, 9, 3))], "does not fit"),
    "fewer filters": ([INPUT, changed(conv((3, 5, 4)), out_depth=5)], "it has not out_depth filters, 5"),
    "filters that are none": ([INPUT, changed(conv((3, 5, 4)), filters=7)], "it has not out_depth filters"),
    "a filter that is none": ([INPUT, changed(conv((3, 5, 4)), filters=[None] * 4)], "it has not out_depth|filter 0"),
    "fewer numbers": (
        [INPUT, changed(conv((3, 5, 4)), {"w": [1.0, 2.0]})],
        r"filter 0: \(3, 2, 3\) with 2 numbers, expected \(3, 2, 3\)",
    ),
    "a text": ([INPUT, changed(conv((3, 5, 4)), {"w": "1"})], "filter 0: .* with no list of numbers"),
    "another depth": ([INPUT, conv((3, 5, 4), shape=(4, 3, 2, 2))], r"filter 0: \(3, 2, 2\) with 12 numbers, expected"),
    "a size of lists": ([INPUT, changed(conv((3, 5, 4)), {"sx": [2, 2]})], r"filter 0: \(3, None, 3\)"),
    "no biases": (
        [INPUT, without(conv((3, 5, 4)), "biases")],
        r"biases: \(\) with no list of numbers, .* \(1, 1, 4\)",
    ),
    "other inputs": ([INPUT, fc(4, 91)], r"filter 0: \(1, 1, 91\) with 91 numbers, expected \(1, 1, 90\)"),
    "group": ([INPUT, convnetjs_layer("maxout", (5, 6, 0), group_size=4)], "group_size 4 for 3 channels"),
    "drop_prob": ([INPUT, convnetjs_layer("dropout", (5, 6, 3), drop_prob=1)], "p must be a probability"),
    "no drop_prob": ([INPUT, convnetjs_layer("dropout", (5, 6, 3))], "drop_prob is None, expected a number"),
    "lrn": ([INPUT, convnetjs_layer("lrn", (5, 6, 3), n=3, k=0, alpha=1, beta=1)], "k must be a number above 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_nets(read, case):
    made, reason = BAD[case]
    with pytest.raises(FormatError, match=reason):
        read(made if isinstance(made, bytes) else convnetjs_snapshot(*made))


def test_files(tmp_path):
    with pytest.raises(MissingFileError):
        convnetjs.read(tmp_path / "none.json")
    with (tmp_path / "net.json").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(FormatError, match="more than 33554432 bytes"):
        convnetjs.read(tmp_path / "net.json")
