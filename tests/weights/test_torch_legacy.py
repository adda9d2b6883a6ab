import io
import struct
import tarfile
import time
import tracemalloc

import numpy as np
import pytest
from hostile import corpus
from weight_files import MACHINE, Raw, call, glob, opcodes, ordered_dict, storage, tensor, torch_legacy

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import formats
from minicnn.weights import torch_legacy as reader

A = np.arange(6, dtype="<f4")
SIX = {"7": (6, A.tobytes())}


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "net.th").write_bytes(data)
        checkpoint = formats.read(tmp_path / "net.th")
        assert checkpoint.format == "torch"
        return checkpoint.tensors

    return read


def six(shape=(6,), **how):
    return tensor("7", shape, elements=6, part=how.pop("part", (None,)), **how)


def test_a_state_dict(read):
    state = ordered_dict({"b.w": tensor("94", (2, 3), part=(None,)), "n": tensor("93", (), kind="Long", part=(None,))})
    got = read(torch_legacy(state, {"94": (6, A.tobytes()), "93": (1, struct.pack("<q", 5))}))
    assert list(got) == ["b.w", "n"]
    np.testing.assert_array_equal(got["b.w"], A.reshape(2, 3))
    assert got["b.w"].dtype == np.float32 and got["n"] == 5 and got["n"].dtype == np.int64


def test_wrapped_old_rebuilder_and_the_prefix_of_data_parallel(read):
    state = {"best_prec1": 91.78, "state_dict": ordered_dict({"module.a": six((3, 2), rebuild="_rebuild_tensor")})}
    np.testing.assert_array_equal(read(torch_legacy(state, SIX))["a"], A.reshape(3, 2))


def test_other_storages_than_those_of_the_weights_are_passed_over(read):
    momentum = {"state": {0: {"momentum_buffer": tensor("1", (2,), kind="Double", part=(None,))}}}
    state = {"optimizer": momentum, "state_dict": ordered_dict({"a": six()})}
    np.testing.assert_array_equal(read(torch_legacy(state, {"1": (2, bytes(16)), **SIX}))["a"], A)


def test_strides_offsets_and_shared_storage(read):
    views = {"whole": six(), "turned": six((3, 2), strides=(1, 3)), "corner": six((2, 2), strides=(3, 1), offset=1)}
    got = read(torch_legacy(views, SIX))
    np.testing.assert_array_equal(got["turned"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(got["corner"], [[1, 2], [4, 5]])
    assert np.shares_memory(got["whole"], got["turned"])


def test_parts_of_a_storage(read):
    got = read(torch_legacy({"a": six(), "b": six((3,), part=(("v", 2, 4),), offset=1)}, SIX))
    np.testing.assert_array_equal(got["b"], [3, 4, 5])
    assert np.shares_memory(got["a"], got["b"])


@pytest.mark.parametrize(
    "part, reason",
    [
        (("v", 2, 3), "leave 3 elements"),
        (("v", 2, 5), "5 elements from 2 of 6"),
        (("v", -1, 5), "without beginning or size"),
        (("v", 1), "without beginning or size"),
        ("v", "without beginning or size"),
    ],
)
def test_bad_parts(read, part, reason):
    with pytest.raises(FormatError, match=reason):
        read(torch_legacy({"a": six((4,), part=(part,))}, SIX))


@pytest.mark.parametrize(
    "kind, code, values, dtype",
    [
        ("Half", "<f2", [0.5, -65504, 6e-8], "f4"),
        ("Double", "<f8", [0.1, 1e30], "f4"),
        ("Int", "<i4", [-5, 2**30], "i4"),
        ("Short", "<i2", [-5, 2**14], "i2"),
        ("Char", "i1", [-5, 100], "i1"),
        ("Byte", "u1", [5, 200], "u1"),
        ("Bool", "?", [True, False], "?"),
    ],
)
def test_types(read, kind, code, values, dtype):
    stored = np.array(values, code)
    state = {"a": tensor("0", (len(values),), kind=kind, part=(None,))}
    got = read(torch_legacy(state, {"0": (len(values), stored.tobytes())}))["a"]
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, stored.astype(dtype))


def test_bfloat16(read):
    # 1.0 is 0x3f80, -2.5 is 0xc020
    state = {"a": tensor("0", (2,), kind="BFloat16", part=(None,))}
    assert read(torch_legacy(state, {"0": (2, b"\x80\x3f\x20\xc0")}))["a"].tolist() == [1.0, -2.5]


def test_what_python_2_wrote(read):
    # It pickled texts as bytes, and an OrderedDict as a call with a list of pairs.
    key = Raw(b"U\x07conv1.w")
    state = call(glob("collections", "OrderedDict"), [[key, six()]])
    np.testing.assert_array_equal(read(torch_legacy(state, SIX))["conv1.w"], A)


GOOD = torch_legacy({"a": six()}, SIX)
TWO = {"0": (6, A.tobytes()), "7": (6, A.tobytes())}


@pytest.mark.parametrize(
    "data, reason",
    [
        (torch_legacy({"a": six()}, SIX, version=1000), "another version"),
        (torch_legacy({"a": six()}, SIX, machine=[MACHINE]), "another description of the writer's machine"),
        (torch_legacy([six()], SIX), "holds a list, not a state dict"),
        (torch_legacy({"a": 1}, {}), "'a': a int, not a tensor"),
        (torch_legacy({"a": six()}, SIX, keys=["8"]), "lists 1 storages, its tensors are views of 1, or of others"),
        (torch_legacy({"a": six()}, SIX, keys=[]), "lists 0 storages, its tensors are views of 1"),
        (torch_legacy({"a": six()}, TWO), "lists 2 storages, its tensors are views of 1"),
        (torch_legacy({"a": six()}, TWO, keys=["7", "7"]), "lists 2 storages"),
        (torch_legacy({"a": six()}, SIX, keys={"7": 6}), "no list of storages"),
        (torch_legacy({"a": six()}, SIX, keys=[7]), "no list of storages"),
        (torch_legacy({"a": six()}, {"7": (5, A.tobytes())}), "has 5 elements, its tensors say 6"),
        (torch_legacy({"a": six()}, {"7": (-1, A.tobytes())}), "has -1 elements, its tensors say 6"),
        (torch_legacy({"a": six(kind="Double")}, SIX), "32 bytes left of 56"),
        (torch_legacy({"a": tensor("7", (6,), elements=2**62, part=(None,))}, SIX), "32 bytes left of 1844674"),
        (torch_legacy({"a": six(), "b": six(kind="Int")}, SIX), "storage '7' is declared twice, and not alike"),
        (torch_legacy({"a": six(), "b": tensor("7", (6,), elements=7)}, SIX), "declared twice, and not alike"),
        (torch_legacy({"a": Raw(b"".join(storage("Int", str(i), 1) for i in range(20_001)))}, {}), "than 20000 stora"),
        (torch_legacy(storage("Float", "7", 6, None), SIX), "holds a Storage, not a state dict"),
        (torch_legacy(six(), SIX, keys=six()), "a state dict|its tensors"),
        (torch_legacy({"a": six()}, SIX, keys=Raw(opcodes(("storage",)) + b"Q")), "persistent id where no tensor is"),
        (torch_legacy({"a": six()}, SIX, machine=Raw(b"ctorch\nFloatStorage\n")), "it asks for 'torch.FloatStorage'"),
        (GOOD + b"\0", "1 bytes behind the last storage"),
        (GOOD[:-1], "31 bytes left of 32: truncated"),
        (GOOD[:-25], "truncated"),
        (GOOD[:-40], "truncated or damaged"),
        (GOOD[:20], "truncated or damaged"),
        (GOOD[:15].replace(b"\x02", b"\x04") + GOOD[15:], "protocol 4; torch writes 2"),
    ],
)
def test_bad_files(read, data, reason):
    with pytest.raises(FormatError, match=reason):
        read(data)


def test_another_magic_number_is_another_format(read, tmp_path):
    with pytest.raises(FormatError, match="not a weight file that minicnn can read"):
        read(torch_legacy({"a": six()}, SIX, magic=5))
    with pytest.raises(FormatError, match="another magic number"):
        reader.read(tmp_path / "net.th")
    with pytest.raises(MissingFileError, match="no such file"):
        reader.read(tmp_path / "none.th")


def test_a_whole_module_is_refused_in_words(read):
    names = opcodes("module") + b"q\x05" + glob("nets", "ResNet") + opcodes("nets.py") + opcodes("its source")
    with pytest.raises(FormatError, match=r"whole module, which is code: load it .* save its state_dict\(\) again"):
        read(torch_legacy(Raw(b"(" + names + b"tQ)\x81"), {}))


def test_code_is_not_run(read, tmp_path):
    evil = call(glob("os", "system"), f"touch {tmp_path}/canary")
    for data in (torch_legacy({"a": evil}, {}), torch_legacy({"a": six()}, SIX, keys=evil)):
        with pytest.raises(FormatError, match=r"it asks for 'os.system'.*nothing in it was run"):
            read(data)
    assert not (tmp_path / "canary").exists()


def test_the_first_form_a_tar_is_refused_in_words(read):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            info = tarfile.TarInfo(name)
            info.mtime = 1.5  # a time of its own comes first, as torch's had
            tar.addfile(info)
    with pytest.raises(FormatError, match=r"a tar archive; .* load it with PyTorch and save its state_dict\(\) again"):
        read(out.getvalue())


SPAN = (21, GOOD.index(A.tobytes()))  # all but the magic number, without which it is no such file
PREFIXED = torch_legacy({"state_dict": ordered_dict({"module.a": six(), "module.b": six(part=(("v", 0, 6),))})}, SIX)


def test_mutations(read):
    refused = 0
    tracemalloc.start()
    start = time.process_time()
    try:
        for i, bad in enumerate(corpus(PREFIXED, 1000, seed=2, spans=[SPAN])):
            try:
                read(bad)
            except FormatError as error:
                refused += 1
                assert len(str(error)) < 6000, i
            except BaseException as error:
                raise AssertionError(f"mutation {i}: {type(error).__name__}") from error
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused > 500 and time.process_time() - start < 20 and peak < 50e6


BOMBS = {
    "keys": lambda: torch_legacy({"a": six()}, SIX, keys=["\U0001f600" + "a" * 4000] * 240),
    "texts": lambda: torch_legacy(["\U0001f600" + "a" * 4000] * 3900, {}),
    "one list as many dicts": lambda: torch_legacy(
        Raw(
            opcodes([[f"k{i}", i] for i in range(20_000)])
            + b"q\x00ccollections\nOrderedDict\nq\x01"
            + b"h\x01h\x00\x85R" * 30_000
        ),
        {},
    ),
    "a huge storage": lambda: torch_legacy({"a": tensor("7", (1,), elements=2**60)}, SIX),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name, read):
    data = BOMBS[name]()
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data) + 50e6 and time.process_time() - start < 20


def test_peak_memory_of_honest_files(read):
    values = np.zeros(4_000_000, np.float32)
    for kind, stored in (("Float", values), ("Half", values.astype("<f2")), ("BFloat16", values.astype("<u2"))):
        state = {"a": tensor("0", (4_000_000,), kind=kind, part=(None,))}
        data = torch_legacy(state, {"0": (4_000_000, stored.tobytes())})
        tracemalloc.start()
        try:
            read(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 3.1 * len(data), kind


@pytest.mark.oracle
def test_what_torch_saves(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = net.state_dict()
    whole = torch.randn(10, 10)
    state["parameter"] = torch.nn.Parameter(torch.randn(3))
    state["whole"], state["turned"], state["slice"] = whole, whole.t(), whole[2:7:2, 1::3]
    state["none"], state["one"] = torch.zeros(0, 5), torch.tensor(2.5)
    for name in ("float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"):
        state[name] = (torch.randn(3, 4) * 9).to(getattr(torch, name))
        state[f"{name} turned"] = state[name].t()[1:]
    for wrapped in (state, {"epoch": 1, "optimizer": {"x": torch.randn(2)}, "model": state}):
        torch.save(wrapped, tmp_path / "net.pth", _use_new_zipfile_serialization=False)
        got = formats.read(tmp_path / "net.pth").tensors
        assert list(got) == list(state)
        for name, value in state.items():
            expected = value.detach().float() if value.is_floating_point() else value
            np.testing.assert_array_equal(got[name], expected.numpy(), err_msg=name)
            assert got[name].dtype == expected.numpy().dtype
        assert np.shares_memory(got["whole"], got["slice"])


@pytest.mark.oracle
def test_a_whole_module_that_torch_saves_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 3), tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(FormatError, match="whole module, which is code"):
        formats.read(tmp_path / "net.pth")


@pytest.mark.data
@pytest.mark.parametrize("file, tensors", [("resnet20-12fca82f.th", 97), ("resnet56-4bfd9763.th", 277)])
def test_real_files_whole_and_cut_short(data_dir, file, tensors, tmp_path):
    path = data_dir / "weights" / file
    got = formats.read(path).tensors
    assert len(got) == tensors and all(np.isfinite(a).all() for a in got.values())
    assert got["conv1.weight"].shape == (16, 3, 3, 3) and got["linear.weight"].shape == (10, 64)
    good = path.read_bytes()
    for part in (1, 9, 100, 12_000, len(good) // 2, len(good) - 1):
        (tmp_path / file).write_bytes(good[:part])
        with pytest.raises(FormatError):
            formats.read(tmp_path / file)


@pytest.mark.data
@pytest.mark.oracle
@pytest.mark.parametrize("file", ["resnet20-12fca82f.th", "resnet56-4bfd9763.th"])
def test_the_real_files_as_torch_reads_them(data_dir, file):
    torch = pytest.importorskip("torch")
    expected = torch.load(data_dir / "weights" / file, map_location="cpu", weights_only=True)["state_dict"]
    got = formats.read(data_dir / "weights" / file).tensors
    assert [f"module.{name}" for name in got] == list(expected)
    for name in got:
        np.testing.assert_array_equal(got[name], expected[f"module.{name}"].numpy())
