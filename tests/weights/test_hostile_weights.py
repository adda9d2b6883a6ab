"""Bad files, in bulk: nothing but FormatError, no code run, little time and memory.

MINICNN_HOSTILE=3000 makes that many mutations of every file, and bombs ten times as large, instead of the few of a
normal run.
"""

import json
import os
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hostile import corpus
from weight_files import (
    Raw,
    blob,
    caffemodel,
    field_bytes,
    field_int,
    layer_v1,
    layer_v2,
    legacy_blob,
    opcodes,
    ordered_dict,
    pickled,
    safetensors_file,
    tensor,
    torch_zip,
)

from minicnn.errors import FormatError
from minicnn.meta import Meta
from minicnn.weights import caffe, formats, native
from minicnn.weights import torch_zip as torch_reader

COUNT = int(os.environ.get("MINICNN_HOSTILE", "300"))
SCALE = 10 if "MINICNN_HOSTILE" in os.environ else 1  # measuring memory is slow
X = np.linspace(-1, 1, 24, dtype=np.float32)

CAFFE = caffemodel(
    layer_v2("data", "Data"),
    layer_v2("conv", "Convolution", blob(X.reshape(2, 3, 2, 2)), blob(X[:2], packed=False)),
    layer_v2("fc", "InnerProduct", legacy_blob(X, (1, 1, 4, 6)), blob(X[:4], double=True)),
    layer_v1("old", 14, legacy_blob(X, (1, 1, 4, 6)), legacy_blob(X[:4], (1, 1, 1, 4))),
)
PICKLE = pickled(
    {
        "epoch": 3,
        "state_dict": ordered_dict(
            {
                "module.a": tensor("0", (2, 3), (1, 2), elements=24),
                "module.b": tensor("0", (24,)),
                "module.half": tensor("1", (4,), kind="Half"),
                "module.n": tensor("2", (), kind="Long"),
            }
        ),
    }
)
STORAGES = {"0": X.tobytes(), "1": X[:2].tobytes(), "2": bytes(8)}
META = Meta("tiny", (3, 8, 8), "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "crop", 8, ("a", "b"), "made up", "none", "f" * 64)
GRAPH = json.dumps(
    {
        "input": "data",
        "dtype": "float32",
        "nodes": [
            {"name": "a", "layer": "Linear", "config": {"in_features": 12, "out_features": 2}, "inputs": ["data"]},
            {"name": "c", "layer": "LRN", "config": {"size": 5, "alpha": 1e-4}, "inputs": ["a"]},
            {"name": "c2", "same_as": "c", "inputs": ["c"]},
        ],
    }
)
HEADER = json.dumps(
    {
        "__metadata__": {"graph": GRAPH, **META.to_strings()},
        "a": {"dtype": "F32", "shape": [2, 12], "data_offsets": [0, 96]},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [96, 104]},
    }
)
SAFETENSORS = safetensors_file(HEADER, bytes(104))
ZIP = torch_zip(PICKLE, STORAGES)
DIRECTORY = (ZIP.index(b"PK\x01\x02"), len(ZIP))


def zip_of(pickle):
    return torch_zip(pickle, STORAGES)


def header_of(text):
    return struct.pack("<Q", len(text)) + text + bytes(104)


def graph_of(text):
    return safetensors_file(json.dumps({"__metadata__": {"graph": text.decode("latin-1")}}), b"")


# name: (reader, good bytes, the spans that describe the file, how the bytes become a file)
CASES = {
    "caffemodel": (caffe.read, CAFFE, [], bytes),
    "binaryproto": (caffe.read_mean, legacy_blob(X, (1, 3, 2, 4)), [(0, 12)], bytes),
    "safetensors": (native.read, SAFETENSORS, [(0, 8), (8, 8 + len(HEADER))], bytes),
    "safetensors' header": (native.read, HEADER.encode(), [], header_of),
    "a graph": (native.read, GRAPH.encode(), [], graph_of),
    "torch zip": (torch_reader.read, ZIP, [DIRECTORY, (0, 60)], bytes),
    "torch pickle": (torch_reader.read, PICKLE, [], zip_of),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", CASES)
def test_mutations(case, tmp_path):
    reader, good, spans, wrap = CASES[case]
    path = tmp_path / "file"
    path.write_bytes(wrap(good))
    reader(path)  # the good one is good
    refused, slowest = 0, 0.0
    tracemalloc.start()
    try:
        for i, bad in enumerate(corpus(good, COUNT, seed=1, spans=spans)):
            path.write_bytes(wrap(bad))
            start = time.process_time()
            for read in (reader, formats.read):
                try:
                    read(path)
                except FormatError as error:
                    refused += 1
                    assert str(path) in str(error) and len(str(error)) < 6000, (i, str(error)[:200])
                except BaseException as error:
                    raise AssertionError(f"mutation {i} of {case}: {type(error).__name__}") from error
            slowest = max(slowest, time.process_time() - start)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused > COUNT / 2  # the corpus is bad indeed
    assert slowest < 5 and peak < 50e6


BOMBS = {
    "a caffemodel of empty fields": lambda n: caffemodel() + b"\x20\x00" * 40 * n,
    "of pairs of floats": lambda n: caffemodel(
        layer_v2("c", "InnerProduct", (b"\x2dabcd\x2dabcd" + field_int(9, 1)) * 10 * n)
    ),
    "of unpacked floats": lambda n: caffemodel(layer_v2("c", "InnerProduct", b"\x2dabcd" * 200 * n)),
    "of empty blobs": lambda n: caffemodel(layer_v2("c", "InnerProduct", *[b""] * 18 * n)),
    "of many sizes": lambda n: caffemodel(layer_v2("c", "x", field_bytes(7, field_bytes(1, b"\1" * 100 * n)))),
    "of many layers": lambda n: caffemodel(*[layer_v2(f"l{i}", "x", blob([1])) for i in range(3 * n)]),
    "a pickle of lists": lambda n: zip_of(b"\x80\x02" + b"]" * 40 * n),
    "of memo entries": lambda n: zip_of(
        b"\x80\x02]" + b"".join(b"r" + struct.pack("<I", i * 7919) for i in range(29 * n))
    ),
    "of nested tuples as a key": lambda n: zip_of(b"\x80\x02})" + b"q\x00h\x00\x86" * n + b"Ns."),
    "of a huge text": lambda n: zip_of(b"\x80\x02X" + struct.pack("<I", 1000 * n) + "é".encode() * 500 * n + b"."),
    "of many texts": lambda n: zip_of(pickled(["\U0001f600" + "a" * 4000] * (n * 39 // 100))),
    "of many views": lambda n: zip_of(pickled(ordered_dict({f"t{i}": tensor("0", (24,)) for i in range(n)}))),
    "of copied sizes": lambda n: zip_of(
        b"\x80\x02](" + b"K\x01" * 10 * n + b"eq\x00ctorch\nSize\nq\x01" + b"h\x01h\x00\x85R" * 4 * n + b"."
    ),
    "a zip of records": lambda n: torch_zip(PICKLE, {str(i): b"" for i in range(3 * n)}),
    "a header of nested lists": lambda n: header_of(b'{"a":' + b"[" * 100 * n),
    "of empty lists": lambda n: header_of(b'{"a":[' + b"[]," * 60 * n + b"[]]}"),
    "of a long integer": lambda n: header_of(b'{"a":' + b"9" * 190 * n + b"}"),
    "of many names": lambda n: header_of(
        b"{"
        + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(3 * n))
        + b',"all":{"dtype":"U8","shape":[104],"data_offsets":[0,104]}}'
    ),
    "a graph of nested lists": lambda n: graph_of(b"[" * 100 * n),
    "of a long number": lambda n: graph_of(b"9" * 190 * n),
    "of many nodes": lambda n: graph_of(
        b'{"input":"data","dtype":"float32","nodes":['
        + b",".join(b'{"name":"%d","layer":"ReLU","config":{},"inputs":["data"]}' % i for i in range(n * 2))
        + b"]}"
    ),
    "of many edges": lambda n: graph_of(
        b'{"input":"data","dtype":"float32","nodes":[{"name":"a","layer":"Add","config":{},"inputs":['
        + b",".join([b'"data"'] * 20 * n)
        + b"]}]}"
    ),
    "of a long name": lambda n: graph_of(
        b'{"input":"data","dtype":"float32","nodes":[{"name":"a","layer":"' + b"R" * 100 * n + b'","inputs":[]}]}'
    ),
    "of many arguments": lambda n: graph_of(
        b'{"input":"data","dtype":"float32","nodes":[{"name":"a","layer":"ReLU","inputs":["data"],"config":{'
        + b",".join(b'"%d":[[[[[1]]]]]' % i for i in range(10 * n))
        + b"}}]}"
    ),
    "of a lying length": lambda n: struct.pack("<Q", 99_000_000) + b"{" + bytes(100),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BOMBS[name](1000 * SCALE))

    def read():
        try:
            formats.read(path)
        except FormatError:
            pass

    start = time.process_time()
    read()
    seconds = time.process_time() - start
    tracemalloc.start()
    try:
        read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{name}: {path.stat().st_size} bytes, {seconds:.2f} s, peak {peak / 1e6:.1f} MB")
    assert seconds < 5 and peak < 3 * path.stat().st_size + 50e6


@pytest.mark.data
@pytest.mark.parametrize(
    "file", ["lenet_iter_10000.caffemodel", "squeezenet1_1.pth", "vgg16_conv1_1-conv3_3.safetensors"]
)
def test_real_files_cut_short(data_dir, file, tmp_path):
    good = (data_dir / "weights" / file).read_bytes()
    for part in (1, 9, 100, len(good) // 2, len(good) - 1):
        (tmp_path / file).write_bytes(good[:part])
        with pytest.raises(FormatError):
            formats.read(tmp_path / file)


def test_peak_memory_of_honest_files(tmp_path):
    values = np.zeros(4_000_000, np.float32)
    half = values.astype(np.float16).tobytes()
    files = {
        "packed": caffemodel(layer_v2("c", "InnerProduct", blob(values))),
        "double": caffemodel(layer_v2("c", "InnerProduct", blob(values, double=True))),
        "float": torch_zip(pickled({"a": tensor("0", (4_000_000,))}), {"0": values.tobytes()}),
        "half": torch_zip(pickled({"a": tensor("0", (4_000_000,), kind="Half")}), {"0": half}),
        "brain": torch_zip(pickled({"a": tensor("0", (4_000_000,), kind="BFloat16")}), {"0": half}),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        try:
            formats.read(tmp_path / name)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        print(name, peak / len(data))
        assert peak < 3.1 * len(data), name


def test_a_pickle_that_carries_code_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    command = f"touch {canary}"
    carriers = [
        Raw(b"cos\nsystem\n" + opcodes((command,)) + b"R"),
        Raw(b"cposix\nsystem\n" + opcodes((command,)) + b"R"),
        Raw(b"cbuiltins\nexec\n" + opcodes((f"open({str(canary)!r}, 'w')",)) + b"R"),
        Raw(b"c__builtin__\neval\n" + opcodes((f"open({str(canary)!r}, 'w')",)) + b"R"),
        Raw(b"(" + opcodes(command) + b"ios\nsystem\n"),
        Raw(b"(cos\nsystem\n" + opcodes(command) + b"o"),
        Raw(b"X\x02\0\0\0osX\x06\0\0\0system\x93" + opcodes((command,)) + b"R"),
        Raw(b"ctorch\nSize\n)\x81}(X\x09\0\0\0__class__cos\nsystem\nub"),
        Raw(b"ctorch.storage\n_load_from_bytes\n" + opcodes((command,)) + b"R"),
        Raw(b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n"),
    ]
    for carrier in carriers:
        (tmp_path / "net.pth").write_bytes(zip_of(pickled({"a": carrier})))
        with pytest.raises(FormatError, match="nothing in it was run"):
            torch_reader.read(tmp_path / "net.pth")
    assert not canary.exists()
