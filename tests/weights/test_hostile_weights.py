"""Bad files of every format: nothing but FormatError, no code run, little time and memory. `make hostile` has more.

Made of good ones by the makers in tests/hostile*.py, which are tried on readers that do what they must not.
"""

import os
import tracemalloc

import numpy as np
import pytest
from hostile_bombs import BOMBS, bomb
from hostile_cases import CASES, Case, load
from hostile_good import alone, zip_of
from hostile_guard import Broken, attack, check
from weight_files import Raw, blob, caffemodel, layer_v2, opcodes, pickled, tensor, torch_zip

from minicnn.errors import FormatError
from minicnn.weights import formats
from minicnn.weights import torch_legacy as legacy_reader
from minicnn.weights import torch_zip as zip_reader

COUNT = 20  # of mutations a case


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported(tmp_path_factory):
    for i, case in enumerate(CASES):
        check(case, tmp_path_factory.mktemp(f"good{i}"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.format}, {case.name}")
def test_mutations(case, tmp_path):
    report = attack(case, COUNT, 1, tmp_path)
    assert report.files == COUNT and report.refused > COUNT / 4  # the files are bad indeed


@pytest.mark.parametrize("format, name", [(format, name) for format in BOMBS for name in BOMBS[format]])
def test_bombs(format, name, tmp_path):
    attack(bomb(format, name, 100), 1, 1, tmp_path)


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
    path = tmp_path / "net.pth"
    for carrier in carriers:
        path.write_bytes(zip_of(pickled({"a": carrier})))
        with pytest.raises(FormatError, match="nothing in it was run"):
            zip_reader.read(path)
        for place in range(5):  # each of the legacy form's pickles
            start = [0x1950A86A20F9469CFC6C, 1001, {}, {"a": carrier}, []]
            path.write_bytes(b"".join(map(pickled, [*start[:place], carrier, *start[place + 1 :]])))
            with pytest.raises(FormatError):
                legacy_reader.read(path)
    assert not canary.exists()


@pytest.mark.data
@pytest.mark.parametrize(
    "file",
    [
        "lenet_iter_10000.caffemodel",
        "squeezenet1_1.pth",
        "vgg16_conv1_1-conv3_3.safetensors",
        "resnet20-12fca82f.th",
        "SqueezeNet_fp16.onnx",
    ],
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


# The guard itself ----------------------------------------------------------------------------------------------------


def refuse(path):
    raise FormatError(path, "it is bad")


def run_a_command(path):
    os.system("true")
    refuse(path)


def open_another_file(path):
    with open(os.devnull, "rb"):
        refuse(path)


def write_a_file(path):
    (path.parent / "other").write_bytes(b"")
    refuse(path)


def run_text(path):
    exec("1 + 1")
    refuse(path)


def take_memory(path):
    bytearray(60_000_000)
    refuse(path)


@pytest.mark.parametrize(
    "read, said",
    [
        (lambda path: {}["a"], "KeyError: 'a'"),
        (lambda path: refuse("another"), "or without the file"),
        (lambda path: refuse(path.parent / ("a" * 7000)), "a message of 7"),
        (run_a_command, "it did os.system"),
        (open_another_file, f"it did open {os.devnull}"),
        (write_a_file, "it did open .*other, w"),
        (run_text, "it did exec"),
        (take_memory, "60 MB of memory for 3 bytes"),
    ],
)
def test_what_a_reader_must_not_do(read, said, tmp_path):
    case = Case("made up", "case", b"bad", lambda good, count, seed: [good] * count, alone(), (read,))
    with pytest.raises(Broken, match=f"made up, case: mutation 0 of seed 1, .*file: .*{said}"):
        attack(case, 1, 1, tmp_path)


def test_what_a_reader_may_do(tmp_path):
    case = Case(
        "made up", "case", b"bad", lambda good, count, seed: [good] * count, alone(), (refuse, lambda path: None)
    )
    assert attack(case, 3, 1, tmp_path)[:3] == (3, 0, 3)
    assert attack(case._replace(reads=(refuse,)), 3, 1, tmp_path)[:3] == (3, 3, 0)


def test_the_makers_of_bad_files_repeat_themselves_and_are_bad(tmp_path):
    for case in CASES:
        made = [list(case.mutations(case.good, 8, seed)) for seed in (1, 1, 2)]
        assert made[0] == made[1] != made[2], case.name
        assert sum(bad != case.good for bad in made[0]) > 5, case.name
    assert {case.format for case in CASES} >= BOMBS.keys()
    assert load in CASES[-1].reads
