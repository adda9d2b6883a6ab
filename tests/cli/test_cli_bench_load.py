"""`minicnn bench load`: what it prints, and that what it times is checked; the processes are this one."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from minicnn import Net
from minicnn.benchmarks import load, machine
from minicnn.cli.main import main
from minicnn.errors import MinicnnError
from minicnn.layers import Linear, ReLU
from minicnn.weights import store


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A small file; the large net is as small, and the processes are this one."""

    @contextmanager
    def pool(size):
        yield SimpleNamespace(apply=lambda function, args: function(*args))

    def small():
        return Net([("fc", Linear(4, 3)), ("relu", ReLU())]).init(seed=0)

    processes = SimpleNamespace(get_context=lambda kind: SimpleNamespace(Pool=pool))
    monkeypatch.setattr(load, "multiprocessing", processes)
    monkeypatch.setattr(load, "build", lambda name, seed: small())
    monkeypatch.setattr(load, "interleaved", lambda functions, seconds: [0.25 for f in functions if f()])
    monkeypatch.setattr(machine, "peak_gflops", lambda: 100)
    monkeypatch.setattr(machine, "copy_gbytes", lambda: 10)
    store.save(small(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_rows(file, monkeypatch, capsys):
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    assert main(["bench", "load", "--file", str(file), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [(row["work"], row["net"], row["case"], row["ms"]) for row in rows] == [
        ("load", "net", "native", 250),
        ("load", "net", "native", 250),
        ("load", "resnet50", "native", 250),
    ]
    assert rows[0]["bytes"] == file.stat().st_size and rows[0]["gbytes"] == rows[0]["bytes"] / 250e6
    assert 0 < rows[0]["first_ms"] < 10_000
    assert main(["bench", "load", "--file", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["net", "form", "MB", "first", "ms", "ms", "GB/s"]


@pytest.mark.oracle
def test_the_last_row_is_pytorchs(file):
    pytest.importorskip("torch")
    results = load.measure_all(file)
    assert [r.case for r in results] == ["native", "native", "native", "torch.load"]


def test_other_arrays_are_noticed(file, monkeypatch):
    def loader(case):
        def other(path):
            return {name: array + np.float32(1) for name, array in store.load(path).state_dict().items()}

        return other

    monkeypatch.setattr(load, "_loader", loader)
    with pytest.raises(MinicnnError, match=r"net\.safetensors: native loads other arrays than were saved"):
        load.measure_all(file)


def test_the_file_of_the_data(file, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MINICNN_DATA", raising=False)
    assert main(["bench", "load"]) == 2
    assert "no file to load: say --file, or MINICNN_DATA" in capsys.readouterr().err
    monkeypatch.setenv("MINICNN_DATA", str(tmp_path))
    assert main(["bench", "load"]) == 4
    assert "bvlc_googlenet.caffemodel: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv, said",
    [
        (["load", "--net", "lenet"], "--net and --batch are for nets, not for load"),
        (["conv", "--file", "x"], "--file is for load"),
        (["load", "--out", "x"], "of load there are no pictures"),
    ],
)
def test_options_of_others(argv, said, capsys):
    assert main(["bench", *argv]) == 2
    assert said in capsys.readouterr().err
