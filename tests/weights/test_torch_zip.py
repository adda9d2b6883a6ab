import io
import struct
import zipfile

import numpy as np
import pytest
from weight_files import Raw, call, glob, opcodes, ordered_dict, pickled, tensor, torch_zip

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import formats
from minicnn.weights import torch_zip as reader

A = np.arange(6, dtype="<f4")


@pytest.fixture
def read(tmp_path):
    def read(state, storages=None, **more):
        data = (
            state
            if isinstance(state, bytes) and not isinstance(state, Raw)
            else torch_zip(pickled(state), storages, **more)
        )
        (tmp_path / "net.pth").write_bytes(data)
        return reader.read(tmp_path / "net.pth").tensors

    return read


def one(**how):
    return ordered_dict({"a": tensor("0", **how)})


def test_a_state_dict(read):
    state = ordered_dict({"b.w": tensor("0", (2, 3)), "a": tensor("1", (2,)), "n": tensor("2", (), kind="Long")})
    got = read(state, {"0": A.tobytes(), "1": A[:2].tobytes(), "2": struct.pack("<q", 5)})
    assert list(got) == ["b.w", "a", "n"]
    np.testing.assert_array_equal(got["b.w"], A.reshape(2, 3))
    assert got["b.w"].dtype == np.float32
    np.testing.assert_array_equal(got["a"], [0, 1])
    assert got["n"] == 5 and got["n"].dtype == np.int64 and got["n"].shape == ()


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: {"epoch": 3, "model": s, "lr": 0.1}])
def test_wrapped_and_with_the_prefix_of_data_parallel(read, wrap):
    got = read(wrap(ordered_dict({"module.a": tensor("0", (6,))})), {"0": A.tobytes()})
    np.testing.assert_array_equal(got["a"], A)


def test_wrapped_twice(read):
    got = read({"model": {"state_dict": one(shape=(6,))}}, {"0": A.tobytes()})
    np.testing.assert_array_equal(got["a"], A)


def test_plain_dict_old_rebuilder_and_parameter(read):
    parameter = call(glob("torch._utils", "_rebuild_parameter"), tensor("0", (6,)), True, ordered_dict({}))
    got = read({"p": parameter, "t": tensor("0", (3, 2), rebuild="_rebuild_tensor")}, {"0": A.tobytes()})
    np.testing.assert_array_equal(got["p"], A)
    np.testing.assert_array_equal(got["t"], [[0, 1], [2, 3], [4, 5]])


def test_strides_offsets_and_shared_storage(read):
    state = {
        "whole": tensor("0", (6,)),
        "transposed": tensor("0", (3, 2), (1, 3), elements=6),
        "corner": tensor("0", (2, 2), (3, 1), offset=1, elements=6),
        "size": tensor("0", call(glob("torch", "Size"), [6]), (1,), elements=6),
        "none": tensor("0", (0, 5), (5, 1), elements=6),
    }
    got = read(state, {"0": A.tobytes()})
    np.testing.assert_array_equal(got["transposed"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(got["corner"], [[1, 2], [4, 5]])
    np.testing.assert_array_equal(got["size"], A)
    assert got["none"].shape == (0, 5)
    assert np.shares_memory(got["whole"], got["transposed"])


@pytest.mark.parametrize(
    "kind, code, values, dtype",
    [
        ("Half", "<f2", [0.5, -65504, 6e-8], "f4"),
        ("Double", "<f8", [0.1, 1e30], "f4"),
        ("Long", "<i8", [-(2**60), 1], "i8"),
        ("Int", "<i4", [-5, 2**30], "i4"),
        ("Short", "<i2", [-5, 2**14], "i2"),
        ("Char", "i1", [-5, 100], "i1"),
        ("Byte", "u1", [5, 200], "u1"),
        ("Bool", "?", [True, False], "?"),
    ],
)
def test_types(read, kind, code, values, dtype):
    stored = np.array(values, code)
    got = read(one(shape=(len(values),), kind=kind), {"0": stored.tobytes()})["a"]
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, stored.astype(dtype))


def test_bfloat16(read):
    # 1.0 is 0x3f80, -2.5 is 0xc020
    assert read(one(shape=(2,), kind="BFloat16"), {"0": b"\x80\x3f\x20\xc0"})["a"].tolist() == [1.0, -2.5]


def untyped(dtype, elements, shape=(3,)):
    parts = [Raw(opcodes(("storage", glob("torch.storage", "UntypedStorage"), "0", "cpu", elements)) + b"Q")]
    return {
        "a": call(glob("torch._utils", "_rebuild_tensor_v3"), *parts, 0, shape, (1,), False, None, glob("torch", dtype))
    }


def test_untyped_storage(read):
    assert read(untyped("float16", 6), {"0": np.array([1, 2, 3], "<f2").tobytes()})["a"].tolist() == [1, 2, 3]
    with pytest.raises(FormatError, match="7 bytes for elements of 2"):
        read(untyped("float16", 7), {"0": bytes(7)})


def test_byte_order(read):
    assert read(one(shape=(2,)), {"0": np.array([1, 2], ">f4").tobytes()}, byteorder=b"big")["a"].tolist() == [1, 2]
    assert read(one(shape=(2,)), {"0": np.array([1, 2], "<f4").tobytes()}, byteorder=b"little")["a"].tolist() == [1, 2]
    with pytest.raises(FormatError, match="byte order b'middle'"):
        read(one(shape=(6,)), {"0": A.tobytes()}, byteorder=b"middle")


@pytest.mark.parametrize(
    "how, reason",
    [
        ({"shape": (7,), "elements": 6}, "leave 6 elements"),
        ({"shape": (6,), "offset": 1, "elements": 6}, "leave 6 elements"),
        ({"shape": (2,), "strides": (6,), "elements": 6}, "leave 6 elements"),
        ({"shape": (1000, 1000), "strides": (0, 0), "elements": 6}, "leave 6 elements"),
        ({"shape": (2**40,), "elements": 6}, "leave 6 elements"),
        ({"shape": (2**40, 2**40), "strides": (1, 1), "elements": 6}, "more than 281474976710656 elements"),
        ({"shape": (0, 2**62), "strides": (1, 1), "elements": 6}, "more than 281474976710656 elements"),
        ({"shape": (2, 3), "strides": (1,)}, r"strides \(1,\) for shape \(2, 3\)"),
        ({"shape": (-6,), "elements": 6}, "no sizes"),
        ({"shape": (6,), "strides": (-1,), "elements": 6}, "no sizes"),
        ({"shape": (6,), "offset": -1, "elements": 6}, "no sizes"),
        ({"shape": (6,), "offset": "0", "elements": 6}, "no sizes"),
        ({"shape": [6], "strides": (1,), "elements": 6}, "no sizes"),
        ({"shape": (True,), "strides": (1,), "elements": 6}, "no sizes"),
        ({"shape": (1,) * 33, "strides": (1,) * 33, "elements": 6}, "33 axes"),
        ({"shape": (6,), "elements": -6}, "without type, key or size"),
        ({"shape": (6,), "kind": "Complex"}, "it asks for 'torch.ComplexStorage'"),
        ({"shape": (6,), "kind": ("torch", "float32")}, "without type, key or size"),
        ({"shape": (6,), "kind": ("torch.storage", "UntypedStorage")}, "no storage"),
        ({"shape": (5,)}, "storage '0' holds 24 bytes, not 20"),
        ({"shape": (6,), "kind": "Double"}, "storage '0' holds 24 bytes, not 48"),
    ],
)
def test_lying_tensors(read, how, reason):
    with pytest.raises(FormatError, match=reason):
        read(one(**how), {"0": A.tobytes()})


@pytest.mark.parametrize(
    "state, reason",
    [
        ([], "holds a list, not a state dict"),
        ({}, "no tensors"),
        ({"a": 1}, "'a': a int, not a tensor"),
        ({"model": one(shape=(6,)), "state_dict": {"x": None}}, "'x': a NoneType, not a tensor"),
        ({"a": tensor("9", (6,))}, "storage '9' is missing"),
        ({"a": tensor("0", (6,)), "module.a": tensor("0", (6,))}, "same name without 'module.'"),
        ({"a": tensor("0", (6,)), "b": tensor("0", (6,), kind="Int")}, "storage '0' holds 6 Float and 6 Int elements"),
        ({"a": tensor("0", (6,)), "b": tensor("0", (9,))}, "storage '0' holds 6 Float and 9 Float elements"),
        ({"a": call(glob("torch._utils", "_rebuild_tensor_v2"), "0", 0, (6,), (1,))}, "no storage"),
        ({"a": call(glob("torch._utils", "_rebuild_tensor_v2"))}, "missing 4 required"),
        ({"a": call(glob("torch._utils", "_rebuild_parameter"), 5)}, "no tensor"),
        ({"a": call(glob("torch", "Size"), 5)}, "no sizes"),
        ({"a": call(glob("torch", "Size"), [1] * 33)}, "no sizes"),
        ({"a": Raw(opcodes(("module", None, "0", "cpu", 6)) + b"Q")}, "persistent id"),
        ({"a": Raw(opcodes("storage") + b"Q")}, "persistent id"),
        ({"model": Raw(b"}q\x00X\x05\x00\x00\x00modelh\x00s")}, "'model': a dict, not a tensor"),
    ],
)
def test_bad_states(read, state, reason):
    with pytest.raises(FormatError, match=reason):
        read(state, {"0": A.tobytes()})


def test_many_views_of_one_storage_take_the_memory_of_one(read):
    import tracemalloc

    state = {f"t{i}": tensor("0", (100_000,), kind="Half") for i in range(300)}
    tracemalloc.start()
    try:
        got = read(state, {"0": np.zeros(100_000, "<f2").tobytes()})
        assert len(got) == 300 and tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_code_is_not_run(read, tmp_path):
    canary = tmp_path / "canary"
    with pytest.raises(FormatError, match=r"it asks for 'os.system'"):
        read({"a": call(glob("os", "system"), f"touch {canary}")}, {})
    assert not canary.exists()


def repacked(*entries, **kwargs):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **kwargs) as z:
        for name, data in entries:
            z.writestr(name, data)
    return out.getvalue()


GOOD = torch_zip(pickled(one(shape=(6,))), {"0": A.tobytes()})
PICKLE = pickled(one(shape=(6,)))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "damaged or truncated zip"),
        (GOOD[:-30], "damaged or truncated zip"),
        (GOOD[: len(GOOD) // 2], "damaged or truncated zip"),
        (GOOD.replace(A.tobytes(), A[::-1].tobytes()), "truncated zip: .*CRC"),
        (repacked(("a.npy", b"")), "no data.pkl"),
        (repacked(("data.pkl", PICKLE)), "no data.pkl"),
        (repacked(("a/data.pkl", PICKLE), ("b/data.pkl", PICKLE)), "two nets"),
        (repacked(("a/data.pkl", PICKLE), ("a/constants.pkl", b"")), "TorchScript"),
        (repacked(("a/data.pkl", PICKLE * 9), compression=zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (repacked(*[(f"a/{i}", b"") for i in range(20_001)]), "more than 20000 records"),
    ],
)
def test_bad_zips(read, data, reason):
    with pytest.raises(FormatError, match=reason):
        read(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name(read):
    with pytest.raises(FormatError, match="two records 'a/data/0'"):
        read(repacked(("a/data.pkl", PICKLE), ("a/data/0", A.tobytes()), ("a/data/0", A.tobytes())))


def test_records_that_overlap(read):
    # two entries of the directory point at one record: a bomb, if each is read
    data = repacked(("a/data.pkl", PICKLE), ("a/data/0", bytes(10_000)), ("a/data/1", b""))
    bomb = bytearray(data)
    start = data.rindex(b"PK\x01\x02")
    size = struct.pack("<III", 0, 10_000, 10_000)
    bomb[start + 16 : start + 28] = size
    with pytest.raises(FormatError, match="records that overlap or"):
        read(bytes(bomb))


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        reader.read(tmp_path / "none.pth")


@pytest.mark.data
def test_both_squeezenets_are_the_same_net(data_dir):
    ours = formats.read(data_dir / "weights" / "squeezenet1_1.pth")
    caffe = formats.read(data_dir / "weights" / "squeezenet_v1.1.caffemodel")
    assert ours.format == "torch" and sum(a.size for a in ours.tensors.values()) == 1_235_496
    pairs = list(zip(ours.tensors.items(), caffe.tensors.items()))
    assert len(pairs) == 52 and all(a.shape == b.shape for (_, a), (_, b) in pairs)
    for (name, a), (_, b) in pairs[2:]:
        np.testing.assert_array_equal(a, b, err_msg=name)
    # conv1 was rewritten: BGR to RGB, and value = (pixel/255 - mean)/std, so w grows by 255 * std
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(pairs[0][0][1], pairs[0][1][1][:, ::-1] * 255 * std, rtol=1e-3, atol=1e-4)


@pytest.mark.data
@pytest.mark.oracle
def test_the_real_file_as_torch_reads_it(data_dir):
    torch = pytest.importorskip("torch")
    path = data_dir / "weights" / "squeezenet1_1.pth"
    expected = torch.load(path, weights_only=True)
    got = formats.read(path).tensors
    assert list(got) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name].numpy())


@pytest.mark.oracle
def test_what_torch_saves(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = net.state_dict()
    state["parameter"] = torch.nn.Parameter(torch.randn(3))
    state["transposed"] = torch.randn(4, 5).t()
    state["slice"] = torch.randn(10, 10)[2:7:2, 1::3]
    for name in ("float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "bool"):
        state[name] = (torch.randn(3, 4) * 9).to(getattr(torch, name))
    torch.save({"epoch": 1, "model": state}, tmp_path / "net.pth")
    got = formats.read(tmp_path / "net.pth").tensors
    assert list(got) == list(state)
    for name, value in state.items():
        value = value.detach()
        expected = value.float() if value.is_floating_point() else value
        np.testing.assert_array_equal(got[name], expected.numpy(), err_msg=name)
        assert got[name].dtype == expected.numpy().dtype
