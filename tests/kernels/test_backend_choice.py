"""Choosing a backend: by call, by block, by environment; what cannot be had is refused in words."""

import os
import subprocess
import sys
import threading

import pytest

from minicnn import kernels
from minicnn.kernels import BackendError, use


@pytest.fixture(autouse=True)
def plain_choice():
    """Each test begins with numpy as the process's backend and leaves things as they were."""
    before = kernels.current()
    use("numpy")
    yield
    use(before)


def chosen():
    return kernels.name_of(kernels.current())


def test_use_as_a_call_holds_for_the_process():
    use("numba")
    assert chosen() == "numba"
    seen = []
    thread = threading.Thread(target=lambda: seen.append(chosen()))
    thread.start()
    thread.join()
    assert seen == ["numba"]


def test_use_as_a_context_ends_with_its_block_even_by_an_error():
    with use("numba") as backend:
        assert chosen() == "numba"
        assert backend is kernels.current()
    assert chosen() == "numpy"
    with pytest.raises(ZeroDivisionError), use("numba"):
        _ = 1 / 0
    assert chosen() == "numpy"


def test_blocks_nest():
    with use("numba"):
        with use("numpy"):
            assert chosen() == "numpy"
        assert chosen() == "numba"


def test_a_call_inside_a_block_counts_after_it():
    with use("numpy"):
        use("numba")
        assert chosen() == "numpy"
    assert chosen() == "numba"


def test_a_block_is_invisible_to_other_threads():
    inside, looked = threading.Event(), threading.Event()
    seen = []

    def hold():
        with use("numba"):
            inside.set()
            looked.wait(10)
            seen.append(chosen())

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    assert chosen() == "numpy"
    looked.set()
    thread.join()
    assert seen == ["numba"]


def test_blocks_of_two_threads_that_begin_at_once_leave_the_process_alone():
    # The order that two threads can fall into: both make their `use`, then both enter.
    first, second = use("numba"), use("numba")
    with first, second:
        pass
    assert chosen() == "numpy"


def test_use_takes_a_module_too():
    from minicnn.kernels import reference

    with use("numba"), use(reference) as backend:
        assert backend is reference


@pytest.mark.parametrize("name", ["nupmy", "", "torch"])
def test_unknown_name_lists_the_known_and_changes_nothing(name):
    with pytest.raises(BackendError, match=r"unknown backend.*numpy, numba, cuda, cuda-sim and auto"):
        use(name)
    assert chosen() == "numpy"


def test_unavailable_backend_says_which_and_why_and_changes_nothing(monkeypatch):
    monkeypatch.setitem(kernels.BACKENDS, "cuda", ".no_such_module")
    with pytest.raises(BackendError, match=r"'cuda' is not available: .*does not contain it; use numba or numpy"):
        use("cuda")
    assert chosen() == "numpy"


def run(code, **environ):
    """What a fresh process prints."""
    env = {**os.environ, **environ}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)


PRINT_CHOICE = "from minicnn import kernels; print(kernels.name_of(kernels.current()))"


@pytest.mark.parametrize(("value", "expected"), [("numpy", "numpy"), ("numba", "numba"), ("", "numba")])
def test_environment_chooses(value, expected):
    assert run(PRINT_CHOICE, MINICNN_BACKEND=value).stdout.strip() == expected


def test_auto_runs_somewhere():
    assert run(PRINT_CHOICE, MINICNN_BACKEND="auto").stdout.strip() in kernels.BACKENDS


def test_environment_with_an_unknown_name_is_refused():
    assert "unknown backend 'fast'" in run(PRINT_CHOICE, MINICNN_BACKEND="fast").stderr


def test_a_call_beats_the_environment():
    code = "from minicnn import kernels; kernels.use('numpy'); print(kernels.name_of(kernels.current()))"
    assert run(code, MINICNN_BACKEND="fast").stdout.strip() == "numpy"


def test_numba_missing_is_said_in_words():
    code = "import sys; sys.modules['numba'] = None; from minicnn import kernels; kernels.use('numba')"
    assert "backend 'numba' is not available: it needs Numba (pip install numba)" in run(code).stderr


def test_import_of_minicnn_leaves_numba_alone():
    code = "import sys, minicnn, minicnn.kernels; print('numba' in sys.modules)"
    assert run(code).stdout.strip() == "False"
