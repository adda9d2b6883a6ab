"""What the CUDA backends ask of the machine: why one cannot be had, memory and its limit, streams, copies."""

import os
import subprocess
import sys

import cuda_cases
import numpy as np
import pytest
from cuda_shim import cupy_standin

from minicnn.kernels import BackendError
from minicnn.kernels.cuda import device, launch
from minicnn.kernels.errors import OutOfMemoryError
from minicnn.kernels.halves import in_halves

standin_only = pytest.mark.skipif(cuda_cases.ON_CARD, reason="a real card's memory is left alone")
MB = 10**6


def run(code, **environ):
    """What a fresh process prints, or its last line of error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MINICNN", "NUMBA"))}
    done = subprocess.run([sys.executable, "-c", code], env={**env, **environ}, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


# Whether it can be had -------------------------------------------------------------------------------------------


def test_without_cupy_the_error_says_what_to_install():
    said = run("import sys; sys.modules['cupy'] = None; from minicnn import kernels; kernels.use('cuda')")
    assert "backend 'cuda' is not available: it needs CuPy" in said
    assert "minicnn[cuda13]" in said and "minicnn[cuda12]" in said


PRETEND = """
import sys, types
class CUDARuntimeError(RuntimeError): pass
def count():
    {count}
runtime = types.SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=count)
sys.modules["cupy"] = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))
from minicnn import kernels
kernels.use("cuda")
"""


@pytest.mark.parametrize(
    ("count", "message"),
    [
        ("raise CUDARuntimeError('driver too old')", "no NVIDIA driver that it can use (pip install"),
        ("return 0", "finds no card (CUDA_VISIBLE_DEVICES may hide it)"),
    ],
)
def test_without_a_driver_or_a_card_the_error_says_so(count, message):
    said = run(PRETEND.format(count=count))
    assert "backend 'cuda' is not available" in said and message in said


def test_auto_passes_over_a_card_that_is_not_there():
    code = "import sys; sys.modules['cupy'] = None; from minicnn import kernels; print(kernels.get('auto').__name__)"
    assert run(code) == "minicnn.kernels.numba_cpu"


SIMULATED = """
import numpy as np
from minicnn import kernels
print(kernels.name_of(kernels.current()), kernels.current().add(np.ones(2), np.ones(2)).tolist())
"""


def test_the_simulator_is_chosen_by_the_environment_and_no_child_process_sees_numbas_variable():
    code = SIMULATED + "import os; print('NUMBA_ENABLE_CUDASIM' in os.environ)"
    assert run(code, MINICNN_BACKEND="cuda-sim").split("\n") == ["cuda-sim [2.0, 2.0]", "False"]


def test_the_simulator_is_to_be_had_after_the_processors_kernels():
    assert (
        run("from minicnn import kernels; kernels.get('numba')" + SIMULATED, MINICNN_BACKEND="cuda-sim")[:8]
        == "cuda-sim"
    )


def test_the_simulator_is_refused_where_numba_compiles_for_a_card():
    said = run("from numba import cuda; from minicnn import kernels; kernels.use('cuda-sim')")
    assert "the simulator needs a process of its own" in said


def test_rungs_of_the_environment():
    code = "from minicnn import kernels; kernels.get('cuda-sim'); from minicnn.kernels.cuda import rungs;"
    code += "print(rungs.of_environment())"
    assert run(code, MINICNN_CUDA_RUNGS="add=one_each, relu_forward=vectors") == str(
        {"add": "one_each", "relu_forward": "vectors"}
    )
    assert "add has no rung 'two_each'" in run(code, MINICNN_CUDA_RUNGS="add=two_each")


# Arrays ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["cuda", "cuda-sim"])
def here(request):
    """A Device that operations compute on."""
    if request.param == "cuda-sim" and cuda_cases.ON_CARD:
        pytest.skip("this process's Numba compiles for the card")
    where = device.simulator() if request.param == "cuda-sim" else device.Device("cuda", cuda_cases.backend.xp, True)
    token = device._current.set(where)
    yield where
    device._current.reset(token)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_there_and_back(here, shape):
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    for before in (x, x.copy("F")):
        there = device.to_device(before)
        assert there.shape == shape and there.dtype == x.dtype
        np.testing.assert_array_equal(device.to_host(there), x)


def test_contiguous_copies_only_what_is_not(here):
    x = device.to_device(np.arange(24, dtype="float32").reshape(4, 6))
    assert device.contiguous(x) is x
    turned = device.contiguous(x.T)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(device.to_host(turned), device.to_host(x).T)
    odd = x.reshape(-1)[1:]  # in C order, but 4 bytes past what a vector load can begin at
    moved = device.contiguous(odd)
    assert here.xp is np or moved.data.ptr % 16 == 0
    np.testing.assert_array_equal(device.to_host(moved), np.arange(1, 24))


def test_an_array_of_another_device_is_refused():
    with pytest.raises(BackendError, match=r"cuda computes on .*ndarray, not on numpy.ndarray: see net.to and to_dev"):
        cuda_cases.backend.relu_forward(np.ones(3, "float32"))


def test_an_operation_of_an_array_that_begins_at_an_odd_place():
    x = cuda_cases.backend.to_device(np.arange(-4, 9, dtype="float32"))[1:]
    np.testing.assert_array_equal(cuda_cases.to_host(cuda_cases.backend.relu_forward(x)), [0, 0, 0, *range(9)])


# Memory ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def card():
    """The stand-in's card as the running operation's, with what memory it has left afterwards."""
    token = device._current.set(device.Device("cuda", cupy_standin, True))
    pool = cupy_standin.get_default_memory_pool()
    pool.free_all_blocks()
    yield pool
    pool.set_limit(size=0)
    device._current.reset(token)


def allow(pool, nbytes):
    pool.set_limit(size=pool.used_bytes() + nbytes)


@standin_only
def test_memory_that_cupy_keeps_for_later_is_given_back_where_it_is_needed(card):
    allow(card, 8 * MB)
    kept = device.empty((MB,), "float32")
    del kept
    assert card.total_bytes() >= 4 * MB
    assert device.empty((2 * MB - 1000,), "float32").size == 2 * MB - 1000


@standin_only
def test_an_array_too_large_says_what_was_needed_and_what_there_is(card):
    allow(card, MB)
    with pytest.raises(
        OutOfMemoryError, match=r"array \(3,250000\) of float64 needs 6\.0 MB; .*MEMORY allows [\d.]+ MB"
    ):
        device.empty((3, 250000), "float64")
    with pytest.raises(
        OutOfMemoryError, match=r"array \(500000\) of float32 needs 2\.0 MB; .* of 1,000\.0 MB are free"
    ):
        device.to_device(np.zeros(500000, "float32"))
    assert issubclass(OutOfMemoryError, BackendError) and issubclass(OutOfMemoryError, MemoryError)


@standin_only
def test_halves_are_tried_once(card):
    allow(card, 4 * MB)
    calls = []

    def images(numbers, doubled):
        calls.append(numbers)
        device.empty((len(numbers), 250000), "float32")
        return doubled

    first, second = [0, 1, 2, 3], [4, 5, 6]
    assert in_halves(images, first + second, range(0, 14, 2)) == [range(0, 8, 2), range(8, 14, 2)]
    assert calls == [first + second, first, second]
    calls.clear()
    assert in_halves(images, second, second) == [second]
    assert calls == [second]
    calls.clear()
    with pytest.raises(OutOfMemoryError, match=r"array \(5,250000\)"):
        in_halves(images, range(9), range(9))
    assert calls == [range(9), range(5)]


@standin_only
def test_a_batch_of_one_has_no_halves(card):
    allow(card, MB // 2)
    with pytest.raises(OutOfMemoryError):
        in_halves(lambda x: device.empty((len(x), 250000), "float32"), [7])


@standin_only
@pytest.mark.parametrize(
    ("limit", "nbytes"),
    [
        (5 * MB, 5 * MB),
        ("5e6", 5 * MB),
        ("5MB", 5 * MB),
        (" 2 GiB ", 2**31),
        ("0.5g", MB * 500),
        ("25%", 250 * MB),
        ("0", 0),
    ],
)
def test_the_limit_in_words(card, monkeypatch, limit, nbytes):
    monkeypatch.setitem(sys.modules, "cupy", cupy_standin)
    device.limit_memory(limit)
    assert card.get_limit() == nbytes


@standin_only
@pytest.mark.parametrize("limit", ["much", "-1", "8XB", "nan", "%", "inf", "101%"])
def test_a_limit_that_is_none_is_refused(card, monkeypatch, limit):
    monkeypatch.setitem(sys.modules, "cupy", cupy_standin)
    with pytest.raises(BackendError, match=f"like 8GB, 512MB, 80% or a number of bytes, not '{limit}'"):
        device.limit_memory(limit)


@standin_only
def test_the_limit_of_the_environment(card, monkeypatch):
    monkeypatch.setenv("MINICNN_CUDA_MEMORY", "3GB")
    with cupy_standin.installed():
        device.card()
    assert card.get_limit() == 3 * 10**9


# Streams ---------------------------------------------------------------------------------------------------------


@standin_only
def test_a_kernel_of_numbas_starts_on_cupys_current_stream(monkeypatch):
    started = []

    class Compiled:
        def __getitem__(self, geometry):
            return lambda *args: started.append((geometry, args))

    monkeypatch.setattr(device, "simulated", lambda: False)
    monkeypatch.setattr(launch, "_external", lambda pointer: f"the stream at {pointer}")
    kernel = launch.Kernel(len, Compiled(), None)
    token = device._current.set(device.Device("cuda", cupy_standin, True))
    try:
        with cupy_standin.cuda.Stream(non_blocking=True) as stream:
            kernel[(2,), (32,)](7)
        kernel[(3,), (64,)](8)
        kernel[(3, 0), (64,)](9)  # nothing to do, which a card's driver would refuse
    finally:
        device._current.reset(token)
    assert started == [
        (((2,), (32,), f"the stream at {stream.ptr}"), (7,)),
        (((3,), (64,), f"the stream at {cupy_standin.cuda.Stream.null.ptr}"), (8,)),
    ]


@pytest.mark.parametrize(
    ("count", "threads", "geometry"),
    [
        (1, 256, (1, 32)),
        (33, 256, (1, 64)),
        (256, 256, (1, 256)),
        (257, 256, (2, 256)),
        (0, 256, (0, 32)),
        (999, 64, (16, 64)),
    ],
)
def test_how_many_threads_cover_so_many_numbers(count, threads, geometry):
    (blocks,), (block,) = launch.covering(count, threads)
    assert (blocks, block) == geometry
    assert launch.striding(count, threads, blocks=2) == ((min(blocks, 2),), (block,))
