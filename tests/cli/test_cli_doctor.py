"""What `minicnn doctor` says of CUDA: what is here, and what to install for this driver."""

import ctypes
import json
import sys
import types

import pytest

from minicnn.cli import cuda
from minicnn.cli.main import main

WHOLE = {"cupy-cuda13x": "14.2.0", "numba-cuda": "0.30.4", "nvidia-cuda-nvrtc": "13.5.37"}


def library(version, error=0):
    """A driver's library that answers cuDriverGetVersion with this number."""

    def answer(pointer):
        pointer._obj.value = version
        return error

    return types.SimpleNamespace(cuDriverGetVersion=answer)


@pytest.mark.parametrize(("number", "version"), [(13000, (13, 0)), (12040, (12, 4)), (11080, (11, 8))])
def test_the_drivers_version(monkeypatch, number, version):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library(number))
    assert cuda.driver_version() == version


def test_no_driver_and_a_driver_without_a_card(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library(0, error=100))
    assert cuda.driver_version() is None

    def missing(name):
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda.driver_version() is None


@pytest.mark.parametrize(
    ("driver", "installed", "said"),
    [
        (None, WHOLE, "an NVIDIA card and its driver (525 or newer"),
        ((11, 8), {}, "a newer driver: this one runs CUDA 11.8"),
        ((12, 4), {}, "pip install 'minicnn[cuda12]'"),
        ((13, 0), {}, "pip install 'minicnn[cuda13]'"),
        ((13, 1), {"cupy-cuda13x": "14.2.0"}, "pip install 'minicnn[cuda13]'"),
        ((12, 4), WHOLE, "pip uninstall cupy-cuda13x, pip install 'minicnn[cuda12]'"),
        ((13, 0), {**WHOLE, "cupy-cuda12x": "14.2.0"}, "one CuPy, not cupy-cuda12x and cupy-cuda13x: uninstall them"),
    ],
)
def test_what_to_install(driver, installed, said):
    assert said in cuda.to_install(driver, installed)


@pytest.mark.parametrize("driver", [(13, 0), (13, 2)])
def test_nothing_to_install_where_all_is_there(driver):
    assert cuda.to_install(driver, WHOLE) == ""
    assert cuda.to_install(driver, {"cupy-cuda12x": "14.2.0", "numba-cuda": "0.30.4"}) == ""


def test_the_report_of_a_machine_with_a_card(monkeypatch, capsys):
    properties = {"name": b"NVIDIA H200", "major": 9, "minor": 0, "totalGlobalMem": 150e9}
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, getDeviceProperties=lambda i: properties)
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime)))
    monkeypatch.setattr(cuda, "driver_version", lambda: (13, 0))
    monkeypatch.setattr(cuda, "packages", lambda: WHOLE)
    found = cuda.report()
    assert found.pop("driver").endswith("runs CUDA up to 13.0")
    assert found == {
        "card 0": "NVIDIA H200, compute capability 9.0, 150 GB",
        "toolkit": "nvrtc 13.5.37",
        "CuPy": "cupy-cuda13x 14.2.0",
        "numba-cuda": "numba-cuda 0.30.4",
    }


def test_doctor_prints_it(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "driver_version", lambda: None)
    monkeypatch.setattr(cuda, "packages", dict)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["CUDA"]
    assert [found[name] for name in ("driver", "toolkit", "CuPy", "numba-cuda")] == ["missing"] * 4
    assert "minicnn[cuda13]" in found["to do"]


def test_asking_for_a_card_without_one_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(sys.modules, "minicnn.kernels.cuda.card", raising=False)
    assert main(["gradcheck", "relu", "--backend", "cuda"]) == 3
    error = capsys.readouterr().err
    assert "backend 'cuda' is not available: it needs CuPy" in error and "minicnn[cuda13]" in error
