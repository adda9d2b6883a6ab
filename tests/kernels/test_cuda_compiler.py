"""How CUDA C becomes a card's machine code: by the card's kind, kept on disk, and with numbers however small."""

import types
from pathlib import Path

import cuda_cases
import numpy as np
import pytest
from cuda_shim import cupy_standin

from minicnn.kernels import BackendError
from minicnn.kernels.cuda import compiler, raw

DOUBLE = 'extern "C" __global__ void twice(float* out) { out[threadIdx.x] *= 2; }'


class Nvrtc:
    """CuPy's nvrtc that compiles nothing and keeps what it was asked for."""

    NVRTCError = cupy_standin.cuda.nvrtc.NVRTCError

    def __init__(self):
        self.asked = []

    def createProgram(self, source, name, headers, include_names):
        assert (headers, include_names) == ((), ())
        return source, name

    def compileProgram(self, program, options):
        self.asked.append((*program, options))

    getCUBIN = staticmethod(lambda program: b"machine code")
    getPTX = staticmethod(lambda program: "ptx")
    destroyProgram = staticmethod(lambda program: None)
    getVersion = staticmethod(lambda: (13, 5))
    getSupportedArchs = staticmethod(lambda: (75, 80, 90))


def card(capability, nvrtc):
    """An array module with one card, whose RawModule is the path that it was given."""
    device = types.SimpleNamespace(compute_capability=capability)
    cuda = types.SimpleNamespace(Device=lambda: device, nvrtc=nvrtc)
    return types.SimpleNamespace(cuda=cuda, RawModule=lambda path: path)


@pytest.fixture
def nvrtc(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "folder", lambda: tmp_path / "kept")
    return Nvrtc()


def test_what_was_compiled_is_kept_and_loaded_again(nvrtc):
    first = compiler.module(card("90", nvrtc), "relu", "text", ("-DREAL=float",))
    assert compiler.module(card("90", nvrtc), "relu", "text", ("-DREAL=float",)) == first
    assert nvrtc.asked == [("text", "relu.cu", ("-DREAL=float", "--gpu-architecture=sm_90"))]
    assert Path(first).read_bytes() == b"machine code" and first.endswith(".cubin")


def test_another_text_option_card_or_compiler_is_compiled_anew(nvrtc):
    paths = {compiler.module(card("90", nvrtc), "relu", *rest) for rest in (("a", ()), ("b", ()), ("a", ("-DX",)))}
    paths.add(compiler.module(card("80", nvrtc), "relu", "a", ()))
    nvrtc.getVersion = lambda: (13, 6)
    paths.add(compiler.module(card("90", nvrtc), "relu", "a", ()))
    assert len(paths) == 5 == len(nvrtc.asked)


def test_a_card_that_the_compiler_does_not_know_yet_gets_ptx(nvrtc):
    path = compiler.module(card("210", nvrtc), "relu", "text", ())
    assert nvrtc.asked[0][2] == ("--gpu-architecture=compute_90",)
    assert Path(path).read_bytes() == b"ptx" and path.endswith(".ptx")


def test_where_nothing_can_be_kept_it_still_computes(nvrtc, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compiler, "folder", lambda: tmp_path / "file" / "kept")
    path = compiler.module(card("90", nvrtc), "relu", "text", ())
    assert Path(path).read_bytes() == b"machine code"


def test_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("MINICNN_CACHE_DIR", raising=False)
    folder = cuda_cases.compiler_folder
    assert str(folder()) == "/x/minicnn/cuda"
    monkeypatch.setenv("MINICNN_CACHE_DIR", "/m")
    assert str(folder()) == "/m/minicnn/cuda"


def test_cuda_c_that_does_not_compile_is_an_error_with_the_compilers_words(nvrtc):
    with pytest.raises(BackendError, match=r"(?s)wrong.cu does not compile .*nothing_of_that_name"):
        compiler.compiled(cupy_standin.cuda.nvrtc, "wrong", "int x = nothing_of_that_name;", (), "cubin")


def test_cupys_own_compiler_takes_what_is_asked_of_it():
    """Real NVRTC, through CuPy, which needs no card; nothing in it takes small numbers for 0."""
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    options = (*raw.options(np.float32), "--gpu-architecture=sm_90")
    for name in sorted(path.stem for path in raw.FOLDER.glob("*.cu"))[:2]:
        made = compiler.compiled(cupy.cuda.nvrtc, name, raw.text(name), options, "cubin")
        assert made[:4] == b"\x7fELF"
    ptx = compiler.compiled(cupy.cuda.nvrtc, "relu", raw.text("relu"), options, "ptx")
    assert b"setp" in ptx and b".ftz" not in ptx


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("relu_forward", "relu_backward", "add"))
def test_the_smallest_numbers_are_numbers(operation, rung):
    x = np.array([1e-45, -1e-45, 1e-39, -1e-39, 0], np.float32)
    arguments = {"relu_forward": (x,), "relu_backward": (x[::-1].copy() + 1, x), "add": (x, x)}[operation]
    expected = {"relu_forward": [1e-45, 0, 1e-39, 0, 0], "relu_backward": [1, 0, 1, 0, 0], "add": 2 * x}[operation]
    found = cuda_cases.call(operation, *arguments, rung=rung)
    np.testing.assert_array_equal(found, np.array(expected, np.float32))
