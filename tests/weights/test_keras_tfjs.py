"""TensorFlow.js' files: the weights that a manifest describes, and what is refused."""

import json
import os
import tracemalloc

import numpy as np
import pytest
import tfjs_files as files

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import formats, tfjs

RNG = np.random.default_rng(1)


def draw(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def relu(name, *inputs):
    return files.layer("ReLU", name, list(inputs))


@pytest.fixture
def fc(tmp_path):
    """Writes a dense layer's weights as an entry says, returns (the kernel read, the bias read), as Keras has them."""

    def fc(kernel, bias, shards=1, extra=None, **entries):
        model = files.sequential(files.image(len(kernel)), files.layer("Dense", "fc", units=len(bias)))
        weights = {"fc/bias": bias, "fc/kernel": kernel, **(extra or {})}
        got = formats.read(files.write(tmp_path, model, weights, shards, **entries)).tensors
        return got["fc.w"].T, got["fc.b"]

    return fc


@pytest.mark.parametrize("shards", [1, 2, 5, 13])
def test_weights_that_several_files_share(fc, shards):
    kernel, bias = draw(3, 5), draw(5)
    assert all((a == b).all() for a, b in zip(fc(kernel, bias, shards), (kernel, bias)))


def test_quantized_weights(fc):
    stored, bias, scale, least = RNG.integers(0, 256, (3, 5)), draw(5), 0.0123, -1.5
    for dtype, factor in (("uint8", 1), ("uint16", 250)):
        entry = {"quantization": {"dtype": dtype, "scale": scale, "min": least, "original_dtype": "float32"}}
        kernel, got = fc(stored * factor, bias, **{"fc/kernel": entry})
        assert kernel.dtype == np.float32 and (kernel == (stored * factor * scale + least).astype(np.float32)).all()
        assert (got == bias).all()
    half = draw(3, 5)
    kernel, _ = fc(half, bias, **{"fc/kernel": {"quantization": {"dtype": "float16"}}})
    assert (kernel == half.astype(np.float16)).all()
    entry = {"quantization": {"dtype": "uint8", "scale": 1, "min": 0}}  # one byte first: what follows is not aligned
    kernel, got = fc(half[:, :1], np.full(1, 7), **{"fc/bias": entry})
    assert got.tolist() == [7] and (kernel == half[:, :1]).all()


def test_weights_of_the_optimizer_are_passed_over(fc):
    kernel, bias = draw(3, 5), draw(5)
    steps = {"training/iter": {"dtype": "int32", "group": "optimizer"}}
    assert (fc(kernel, bias, extra={"training/iter": np.int32(5)}, **steps)[0] == kernel).all()


def test_names_with_a_cell(tmp_path):
    model = files.sequential(files.image(2), files.layer("Dense", "fc", units=1, use_bias=False))
    got = formats.read(files.write(tmp_path, model, {"fc/cell/kernel": draw(2, 1)}))
    assert list(got.tensors) == ["fc.w"]


def test_tensors_are_new(fc, tmp_path):
    """They outlive the file's bytes, which would otherwise stay."""
    fc(draw(3, 5), draw(5))
    for array in formats.read(tmp_path / "model.json").tensors.values():
        assert array.flags.owndata or array.base.flags.owndata
        assert array.flags.c_contiguous and array.flags.writeable


def test_peak_memory(tmp_path):
    layers = files.image(10, 10, 30), files.layer("Flatten", "f"), files.layer("Dense", "fc", units=900)
    kernel = np.zeros((3000, 900), np.float32)
    weights = {"fc/kernel": kernel, "fc/bias": np.zeros(900)}
    path = files.write(tmp_path, files.sequential(*layers), weights, shards=3)
    tracemalloc.start()
    try:
        formats.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.2 * kernel.nbytes


@pytest.fixture
def broken(tmp_path):
    """Writes a good file, lets a function change its JSON, and reads it."""
    model = files.functional(
        files.image(4), files.layer("Dense", "fc", ["image"], units=2), relu("r", "fc"), output="r"
    )
    path = files.write(tmp_path, model, {"fc/kernel": draw(4, 2), "fc/bias": draw(2)}, shards=2)

    def broken(change):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
        return tfjs.read(path)

    return broken


def config(document):
    return document["modelTopology"]["config"]


def group(document):
    return document["weightsManifest"][0]


def weight(document):
    return group(document)["weights"][0]


def inbound(document, calls):
    config(document)["layers"][2]["inbound_nodes"] = calls


OTHER = {"name": "fc/other", "shape": [0], "dtype": "float32"}
BROKEN = [
    ("'../model.json' is not in the same folder", lambda d: group(d)["paths"].append("../model.json")),
    ("is not in the same folder", lambda d: group(d)["paths"].append("/etc/hostname")),
    ("is not in the same folder", lambda d: group(d)["paths"].append("..\\model.json")),
    ("is not in the same folder", lambda d: group(d)["paths"].append("C:model.json")),
    ("'..' is not in the same folder", lambda d: group(d)["paths"].append("..")),
    ("is not in the same folder", lambda d: group(d)["paths"].append("a\x00b")),
    ("is not in the same folder", lambda d: group(d)["paths"].append("\ud800")),
    ("is not in the same folder", lambda d: group(d)["paths"].append(3)),
    ("stands twice in the manifest", lambda d: group(d)["paths"].append(group(d)["paths"][0])),
    ("its weights are missing: cannot read .*gone.bin", lambda d: group(d)["paths"].append("gone.bin")),
    ("its paths are no list", lambda d: group(d).update(paths="group1-shard1of2.bin")),
    ("its weightsManifest are no list", lambda d: d.pop("weightsManifest")),
    ("its weights take 48 bytes, .* 40", lambda d: weight(d).update(shape=[5, 2])),
    ("its weights take 8 bytes, .* 40", lambda d: group(d)["weights"].pop(0)),
    ("size -4 in a shape", lambda d: weight(d).update(shape=[-4, 2])),
    ("size True in a shape", lambda d: weight(d).update(shape=[True, 2])),
    ("more than 281474976710656 elements", lambda d: weight(d).update(shape=[1 << 40, 1 << 40])),
    ("shape None", lambda d: weight(d).update(shape=None)),
    ("two weights of this name", lambda d: group(d)["weights"].append(weight(d) | {"shape": [0]})),
    ("type 'string', which is not read", lambda d: weight(d).update(dtype="string")),
    ("type 'int32' where floating", lambda d: weight(d).update(dtype="int32")),
    ("quantized with scale None", lambda d: weight(d).update(quantization={"dtype": "uint8", "min": 0})),
    ("scale inf", lambda d: weight(d).update(quantization={"dtype": "uint8", "min": 0, "scale": float("inf")})),
    ("type 'int32', which is not read", lambda d: weight(d).update(quantization={"dtype": "int32"})),
    ("a weight whose name is 7", lambda d: weight(d).update(name=7)),
    (
        "1 weights that no layer reads, as fc/other",
        lambda d: group(d)["weights"].append(OTHER),
    ),
    ("a graph model of TensorFlow.js", lambda d: d.update(format="graph-model")),
    ("a layer without class_name or config", lambda d: d.pop("modelTopology")),
    ("not a model: expected Sequential", lambda d: d["modelTopology"].update(class_name="Dense")),
    ("has no list of layers", lambda d: config(d).pop("layers")),
    ("two layers are called 'r'", lambda d: config(d)["layers"].append(config(d)["layers"][2])),
    ("of the type 'ReLU' is called ''", lambda d: config(d)["layers"][2].update(name="")),
    ("has no output_layers", lambda d: config(d).update(output_layers=[])),
    ("2 inputs: a net has one image", lambda d: config(d)["input_layers"].append(["b", 0, 0])),
    ("its output 'x' is not among its layers", lambda d: config(d).update(output_layers=["x", 0, 0])),
    ("'r' reads 'x', which is not there", lambda d: inbound(d, [[["x", 0, 0, {}]]])),
    ("'r' reads 'fc', which is not there", lambda d: inbound(d, [[["fc", 1, 0, {}]]])),
    ("'r' reads what depends on it", lambda d: inbound(d, [[["r", 0, 0, {}]]])),
    ("reads 2 inputs, expected one", lambda d: inbound(d, [[["fc", 0, 0, {}], ["fc", 0, 0, {}]]])),
    (r"reads 'fc', not \[layer, 0, 0", lambda d: inbound(d, [[["fc", 0, 1, {}]]])),
    ("with options, which are not", lambda d: inbound(d, [[["fc", 0, 0, {"training": True}]]])),
    ("not written as Keras 2 does", lambda d: inbound(d, [{"args": [], "kwargs": {}}])),
    ("has no image|batch_input_shape is None", lambda d: config(d)["layers"][0]["config"].pop("batch_input_shape")),
    ("expected .null, H, W, C.", lambda d: config(d)["layers"][0]["config"].update(batch_input_shape=[None, 4, 3])),
]


@pytest.mark.parametrize("said, change", BROKEN)
def test_broken_files(broken, said, change):
    with pytest.raises(FormatError, match=said):
        broken(change)


def test_shared_layers_of_other_sizes_and_deep_models(tmp_path):
    conv = files.layer("Conv2D", "c", [["image"], ["p"]], filters=2, kernel_size=3, strides=2, padding="same")
    pool = files.layer("ZeroPadding2D", "p", ["c"], padding=[[0, 1], [0, 0]])
    model = files.functional(files.image(8, 8, 2), conv, pool, output="c")
    with pytest.raises(FormatError, match=r"'c' .Conv2D.: used twice, as .* and as .*, which share no weights"):
        tfjs.read(files.write(tmp_path, model, {"c/kernel": draw(3, 3, 2, 2), "c/bias": draw(2)}))
    for depth in range(12):
        model = files.sequential(model if depth else relu("r"), name=f"net{depth}")
    with pytest.raises(FormatError, match="models inside each other more than 8 deep"):
        tfjs.read(files.write(tmp_path, model, {}))


def test_not_json(tmp_path):
    path = tmp_path / "model.json"
    for text, said in {
        '{"modelTopology": {}, "modelTopology": {}}': "a name stands twice in one object",
        '{"modelTopology": ' + "[" * 100_000: "not JSON",
        '{"modelTopology": ' + "9" * 100 + "}": "a number of 100 digits",
        '{"modelTopology": 1': "not JSON",
        '["modelTopology"]': "not a model.json",
        '{"modelTopology": "' + "a" * (2 << 20) + '"}': "a description of .* bytes, at most",
    }.items():
        path.write_text(text)
        with pytest.raises(FormatError, match=said):
            tfjs.read(path)
    with pytest.raises(MissingFileError):
        tfjs.read(tmp_path / "gone.json")


def test_sniffing():
    assert tfjs.sniff(b'\n {"format": "layers-model", "generatedBy"') and tfjs.sniff(b'{"modelTopology":{')
    assert tfjs.sniff(b'{"weightsManifest": [') and tfjs.sniff(b'{"format":"graph-model"')
    assert not tfjs.sniff(b'{"layers":[{"out_depth":1') and not tfjs.sniff(b'"modelTopology"')


def test_a_file_of_weights_that_is_a_pipe_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    path = files.write(tmp_path, files.sequential(files.image(2), relu("r")), {})
    (tmp_path / "group1-shard1of1.bin").unlink()
    os.mkfifo(tmp_path / "group1-shard1of1.bin")
    with pytest.raises(FormatError, match="its weights are missing: cannot read"):
        tfjs.read(path)
