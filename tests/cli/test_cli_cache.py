"""`minicnn cache`: what is kept on disk is shown, filled, and removed without touching anything else."""

import importlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from minicnn.cli import compiled
from minicnn.cli.main import main
from minicnn.kernels import cache_folder
from minicnn.kernels.cuda import compiler

jit = importlib.import_module("minicnn.kernels.numba_cpu.jit")
NOW, OLD, OLDER = "0123456789abcdef", "fedcba9876543210", "00000000000000aa"
NUMBAS = f"numba_cpu_{'5e' * 20}"


def fill(folder, age=0.0):
    """What Numba writes for one kernel: 30 bytes in two files; changed `age` seconds ago."""
    inner = folder / NUMBAS
    inner.mkdir(parents=True)
    (inner / "relu._forward-30.py311.nbi").write_bytes(b"i" * 10)
    (inner / "relu._forward-30.py311.1.nbc").write_bytes(b"c" * 20)
    for path in (*inner.iterdir(), inner, folder):
        os.utime(path, (time.time() - age,) * 2)


@pytest.fixture(autouse=True)
def users_cuda_folder(monkeypatch):
    """In a process that has tried CUDA C it is another."""
    monkeypatch.setattr(compiler, "folder", lambda: cache_folder.root("cuda"))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The root of three folders, the longest unchanged of them in use, beside weights."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path))
    root = tmp_path / "minicnn" / "numba"
    for name, age in ((NOW, 9000), (OLD, 3600), (OLDER, 7200)):
        fill(root / name, age)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "tiny.safetensors").write_bytes(b"w" * 7)
    monkeypatch.setattr(jit, "FOLDER", root / NOW)
    return root


@pytest.fixture
def run(capsys):
    """Runs a command line that is to end well; returns stdout."""

    def call(*argv):
        assert main([str(word) for word in argv]) == 0
        return capsys.readouterr().out

    return call


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_info(root, run, tmp_path):
    found = json.loads(run("cache", "info", "--json"))
    assert found["weights"] == {"folder": str(tmp_path / "weights"), "files": 1, "bytes": 7}
    kernels = found["kernels"]
    assert (kernels["folder"], kernels["kept"]) == (str(root), True)
    assert [(f["path"], f["current"], f["files"], f["bytes"]) for f in kernels["folders"]] == [
        (str(root / NOW), True, 2, 30),
        (str(root / OLD), False, 2, 30),
        (str(root / OLDER), False, 2, 30),
    ]
    lines = [line.split() for line in run("cache", "info").splitlines()]
    assert [NOW, "2", "0.0", "MB", "current"] in lines and [OLD, "2", "0.0", "MB", "old"] in lines


CUBIN, PTX = f"gemm-{'0a' * 12}.cubin", f"relu-{'b1' * 12}.ptx"


def test_compiled_cuda_is_counted_and_cleared_and_nothing_beside_it(root, run, tmp_path):
    cuda = tmp_path / "minicnn" / "cuda"
    cuda.mkdir()
    for name in (CUBIN, PTX, "tmpabc", "thesis.cubin"):
        (cuda / name).write_bytes(b"c" * 5)
    assert json.loads(run("cache", "info", "--json"))["cuda"] == {"folder": str(cuda), "files": 2, "bytes": 10}
    assert "2 files, 0.0 MB" in run("cache", "info").splitlines()
    assert run("cache", "clear", "--old").splitlines()[-1] == "removed 4 files, 0.0 MB"
    assert (cuda / CUBIN).is_file()
    assert run("cache", "clear").splitlines()[-1] == "removed 4 files, 0.0 MB"
    assert files_below(cuda) == ["thesis.cubin", "tmpabc"]


def test_clear_leaves_weights_and_the_current_folder(root, run, tmp_path):
    assert run("cache", "clear").splitlines()[-1] == "removed 6 files, 0.0 MB"
    assert files_below(tmp_path) == ["weights/tiny.safetensors"]
    # A process that is about to write has made sure of its folder: what is in use is emptied, never taken away.
    assert sorted(path.name for path in root.iterdir()) == [NOW] and (root / NOW / NUMBAS).is_dir()


def test_clear_old(root, run):
    assert run("cache", "clear", "--old").splitlines()[-1] == "removed 4 files, 0.0 MB"
    assert sorted(path.name for path in root.iterdir()) == [NOW]
    assert len(files_below(root)) == 2
    assert run("cache", "clear", "--old") == "removed 0 files, 0.0 MB\n"


def test_an_old_folder_that_was_lately_written_to_stays_empty(root, run):
    fill(root / ("ab" * 8), age=60)
    run("cache", "clear")
    assert sorted(path.name for path in root.iterdir()) == sorted([NOW, "ab" * 8])
    assert files_below(root) == []


def test_clear_touches_nothing_that_is_not_named_as_its_own(root, run):
    others = [
        root / "notes.txt",
        root / "0123456789abcdeg" / NUMBAS / "a.nbi",  # no hexadecimal digit
        root / f"{OLD}0" / NUMBAS / "a.nbi",
        root / OLD / "a.nbi",
        root / OLD / "elsewhere" / "a.nbi",
        root / OLD / NUMBAS / "thesis.pdf",
        root / OLD / NUMBAS / "a.nbi.tmp.0123456789abcdef",  # somebody is writing it
        root / OLD / NUMBAS / "deep.nbc" / "a.nbc",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    run("cache", "clear")
    assert files_below(root) == sorted(str(path.relative_to(root)) for path in others)


def test_clear_takes_what_an_interrupted_process_left(root, run):
    part = root / OLD / NUMBAS / "relu._forward-30.py311.nbi.tmp.0123456789abcdef"
    part.write_bytes(b"p")
    for path in (part, part.parent):
        os.utime(path, (time.time() - 3600,) * 2)
    run("cache", "clear")
    assert not (root / OLD).exists()


def test_clear_follows_no_link(root, run, tmp_path):
    fill(tmp_path / "elsewhere" / OLD)
    inner = tmp_path / "elsewhere" / OLD / NUMBAS
    (root / ("cd" * 8)).symlink_to(tmp_path / "elsewhere" / OLD)
    (root / OLD / f"linked_{'0' * 40}").symlink_to(inner)
    (root / OLD / NUMBAS / "linked.nbi").symlink_to(inner / "relu._forward-30.py311.nbi")
    run("cache", "clear")
    assert len(files_below(tmp_path / "elsewhere")) == 2
    assert (root / ("cd" * 8)).is_symlink() and (root / OLD / NUMBAS / "linked.nbi").is_symlink()


def test_a_root_that_is_not_there(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(jit, "FOLDER", None)
    assert "which cannot be written" in run("cache", "info").splitlines()[0]
    assert json.loads(run("cache", "info", "--json"))["kernels"]["folders"] == []
    assert run("cache", "clear") == "removed 0 files, 0.0 MB\n"
    assert "none: " in json.loads(run("doctor", "--json"))["compiled kernels"]["kept in"]


def test_warm_where_nothing_can_be_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jit, "FOLDER", None)
    assert main(["cache", "warm"]) == 4
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("minicnn: cannot keep compiled kernels: ")


def test_clear_while_another_writes(root):
    """Folders that come, fill and go meanwhile raise nothing, neither here nor there."""
    stop, troubles = threading.Event(), []

    def write():
        inner = root / NOW / NUMBAS
        while not stop.is_set():
            try:
                for k in range(20):
                    (inner / f"part.{k}").write_bytes(b"x")
                    os.replace(inner / f"part.{k}", inner / f"k{k}.nbc")
            except OSError as error:
                troubles.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            for folder in compiled.folders(root, root / NOW):
                compiled.clear(folder)
    finally:
        stop.set()
        writer.join()
    assert not troubles and (root / NOW / NUMBAS).is_dir()


def test_two_clear_at_once(root):
    for k in range(200):
        (root / OLD / NUMBAS / f"k{k}.nbc").write_bytes(b"x")
    troubles, start = [], threading.Barrier(4)

    def clear():
        start.wait()
        try:
            for folder in compiled.folders(root, root / NOW):
                compiled.clear(folder)
        except OSError as error:
            troubles.append(error)

    threads = [threading.Thread(target=clear) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles and files_below(root) == []


SECOND_PROCESS = """
import numpy as np
from numba.core.event import install_recorder
import minicnn
with install_recorder("numba:compile") as compiled:
    for name in ("squeezenet1_1", "alexnet", "resnet18"):
        net = minicnn.build(name, seed=0).freeze()
        _, tape = net.forward(np.ones((2, *net.meta.input_size), np.float32))
        net.backward(tape.out(net.scores), tape, start=net.scores, params=False)
print(len(compiled.buffer))
"""


def test_after_warm_other_nets_compile_nothing(run):
    """In the folder that all tests share; half a minute where nothing is compiled yet."""
    if jit.FOLDER is None:
        pytest.skip("nothing is kept here: no folder can be written")
    assert run("cache", "warm", "-q").startswith("ready in ")
    done = subprocess.run([sys.executable, "-c", SECOND_PROCESS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_doctor_says_how_kernels_run(run):
    from minicnn import kernels

    found = json.loads(run("doctor", "--json"))["compiled kernels"]
    threads, _, layer = found["threads"].split()
    assert int(threads) == kernels.threads() and layer in ("omp", "tbb", "workqueue")
    assert found["vectors"].split()[0] in ("16", "32", "64")


def test_doctor_ends_well_without_a_threading_layer():
    """Few machines have this one."""
    env = {**os.environ, "NUMBA_THREADING_LAYER": "tbb"}
    command = [sys.executable, "-m", "minicnn", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert "tbb" in json.loads(done.stdout)["compiled kernels"]["threads"].lower()


def test_without_numba():
    code = (
        "import sys\nsys.modules['numba'] = None\nfrom minicnn.cli.main import main\n"
        "print([main(['doctor', '-q']), main(['cache', 'info']), main(['cache', 'warm'])], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[0, 3, 3]"
