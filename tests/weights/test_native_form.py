import hashlib
import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from weight_files import safetensors_file

from minicnn import Net
from minicnn.errors import FormatError, MissingFileError, OutputError
from minicnn.layers import Linear
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.weights import formats, native

META = Meta("tiny", (3, 8, 8), "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "crop", 8, ("a", "b"), "made up", "none", "f" * 64)
GRAPH = json.dumps(
    {
        "input": "data",
        "dtype": "float32",
        "nodes": [{"name": "relu", "layer": "ReLU", "config": {}, "inputs": ["data"]}],
    }
)


@pytest.fixture
def read(tmp_path):
    def read(header, data=b""):
        text = header if isinstance(header, str) else json.dumps(header)
        (tmp_path / "net.safetensors").write_bytes(safetensors_file(text, data))
        return native.read(tmp_path / "net.safetensors")

    return read


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def net():
    return Net([("fc", Linear(4, 3))], meta=META).init(seed=0)


def test_a_file_by_hand(read):
    header = {"a": entry("F32", [1, 2], 0, 8), "b": entry("BF16", [2], 8, 12), "__metadata__": {"format": "pt"}}
    got = read(json.dumps(header) + "   ", np.array([1, 2], "<f4").tobytes() + b"\x80\x3f\x20\xc0")
    assert got.meta is None
    assert got.tensors["a"].tolist() == [[1, 2]] and got.tensors["b"].tolist() == [1, -2.5]


def test_metadata_from_a_file(read):
    assert read({"__metadata__": {"graph": GRAPH, **META.to_strings()}}).meta == META
    got = read({"__metadata__": {"graph": GRAPH}})
    assert got.meta is None and [node.name for node in got.graph.nodes] == ["relu"] and got.graph.input == "data"
    foreign = read({"__metadata__": META.to_strings()})
    assert foreign.graph is None and foreign.meta is None
    with pytest.raises(FormatError, match=r"net.safetensors: metadata: range is -1, expected a number above 0"):
        read({"__metadata__": {"graph": GRAPH, **META.to_strings(), "range": "-1"}})
    with pytest.raises(FormatError, match=r"unknown field 'colour'"):
        read({"__metadata__": {"graph": GRAPH, "colour": "1"}})


def test_a_mean_image_is_a_tensor_of_the_file(read):
    header = {"__metadata__": {"graph": GRAPH, **META.to_strings()}, "meta:mean_image": entry("F32", [3, 8, 8], 0, 768)}
    values = np.arange(192, dtype="<f4")
    got = read(header, values.tobytes())
    assert got.tensors == {} and got.meta.mean_image == MeanImage(values.reshape(3, 8, 8))
    values[5] = np.nan
    with pytest.raises(FormatError, match="'meta:mean_image': has NaN"):
        read(header, values.tobytes())
    header["meta:mean_image"]["shape"] = [3, 64]
    with pytest.raises(FormatError, match=r"'meta:mean_image': has the shape \(3, 64\)"):
        read(header, values.tobytes())
    header["meta:mean_image"]["shape"] = [3, 16, 4]
    with pytest.raises(
        FormatError, match="mean_image is <mean image 3x16x4>, expected a mean image of the input's size"
    ):
        read(header, np.zeros(192, "<f4").tobytes())


@pytest.mark.parametrize(
    "header, data, reason",
    [
        ("{", b"", r"\(safetensors\)"),
        ("[]", b"", r"\(safetensors\)"),
        ('{"a": 5}', b"", r"\(safetensors\)"),
        ({"a": entry("F32", [2], 0, 8)}, bytes(7), r"\(safetensors\)"),
        ({"a": entry("F32", [2], 0, 8)}, bytes(9), r"\(safetensors\)"),
        ({"a": entry("F32", [3], 0, 8)}, bytes(8), r"\(safetensors\)"),
        ({"a": entry("F32", [-2], 0, 8)}, bytes(8), r"\(safetensors\)"),
        ({"a": entry("F32", [2**62, 2**62], 0, 8)}, bytes(8), r"\(safetensors\)"),
        ({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12), r"\(safetensors\)"),
        ({"a": entry("F32", [1], 4, 8)}, bytes(8), r"\(safetensors\)"),
        ({"a": entry("F32", [2], 8, 0)}, bytes(8), r"\(safetensors\)"),
        ({"__metadata__": {"a": 5}}, b"", r"\(safetensors\)"),
        ('{"a":' * 100_000, b"", r"\(safetensors\)"),
        ({"a": entry("F8_E4M3", [2], 0, 2)}, bytes(2), "'a': type F8_E4M3"),
        ('{"__metadata__":{"a":"1","a":"2"}}', b"", "stands twice"),
    ],
)
def test_bad_files(read, header, data, reason):
    with pytest.raises(FormatError, match=reason):
        read(header, data)


def test_a_name_that_stands_twice(read):
    one = '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    assert read("{" + one + "}", b"x").tensors["a"] == ord("x")
    with pytest.raises(FormatError, match="stands twice"):
        read("{" + one + "," + one + "}", b"x")


def test_headers_that_lie_about_their_length(tmp_path):
    path = tmp_path / "net.safetensors"
    for start, reason in (
        (b"\xff" * 8, "a header of 18446744073709551615 bytes"),
        (b"\xff\xff\0\0\0\0\0\0", r"\(safetensors\)"),
    ):
        path.write_bytes(start + b"{}")
        with pytest.raises(FormatError, match=reason):
            native.read(path)
    for short in (b"", b"\x02", b"\x02" + bytes(7), b"\x02" + bytes(7) + b"{"):
        path.write_bytes(short)
        with pytest.raises(FormatError):
            native.read(path)


def test_peak_memory_is_about_twice_the_file(tmp_path):
    path = tmp_path / "net.safetensors"
    native.save(path, Net([(f"fc{i}", Linear(1024, 1024, bias=False)) for i in range(4)]).init(seed=0))
    tracemalloc.start()
    try:
        native.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2.2 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_a_failed_save_leaves_the_old_file(net, tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    native.save(path, net)
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        native.save(path, net.init(seed=1))
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["net.safetensors"]


def test_a_flipped_bit_anywhere_is_found(net, tmp_path):
    path = tmp_path / "net.safetensors"
    native.save(path, net)
    good = path.read_bytes()
    assert native.content_is_whole(path)
    for at in range(len(good)):
        for bit in (at % 8, 5):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            path.write_bytes(bad)
            try:
                assert not native.content_is_whole(path), (at, bit)
            except FormatError:
                pass
    path.write_bytes(good + b"x")
    assert not native.content_is_whole(path)


def test_the_recorded_hash_by_hand(net, tmp_path):
    path = tmp_path / "net.safetensors"
    native.save(path, net)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    recorded = header["__metadata__"]["content"]
    assert hashlib.sha256(data.replace(recorded.encode(), b"0" * 64)).hexdigest() == recorded


def test_one_net_is_one_file_wherever_it_is_saved(tmp_path):
    script = "import sys, minicnn; minicnn.save(minicnn.load('mnist-lenet'), sys.argv[1])"
    files = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    for seed, file in enumerate(files):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", script, file], check=True, env=environment)
    assert len({file.read_bytes() for file in files}) == 1
    assert native.content_is_whole(files[0]) and native.read_meta(files[0]).architecture == "lenet_relu"


def test_somebody_elses_file_records_no_hash(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(safetensors_file("{}", b""))
    with pytest.raises(FormatError, match="records no hash of its content"):
        native.content_is_whole(path)


def test_other_peoples_files_are_told_from_each_other(tmp_path):
    cases = {
        b"": "empty or not a weight file that minicnn can read .*caffemodel.*pth.*safetensors",
        b"\n <!DOCTYPE html>": "web page",
        b"version https://git-lfs.github.com/spec/v1\noid": "Git LFS",
        b"name: 'LeNet'\nlayer {": "not a weight file",
        b"\x89PNG\r\n\x1a\n": "not a weight file",
    }
    for data, reason in cases.items():
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(FormatError, match=reason):
            formats.read(tmp_path / "file")
    with pytest.raises(MissingFileError, match="it is a folder"):
        formats.read(tmp_path)


@pytest.mark.parametrize("length", [0x0A, 0x12, 0x1A, 0x20])
def test_a_length_that_looks_like_a_caffemodel(tmp_path, length):
    (tmp_path / "file").write_bytes(safetensors_file("{}".ljust(length), b""))
    assert formats.read(tmp_path / "file").format == "native"


@pytest.mark.data
def test_a_real_file_of_somebody_else(data_dir):
    got = formats.read(data_dir / "weights" / "vgg16_conv1_1-conv3_3.safetensors")
    assert got.meta is None and got.tensors["conv3_3.weight"].shape == (256, 256, 3, 3)
    assert sum(a.size for a in got.tensors.values()) == 1_735_488
