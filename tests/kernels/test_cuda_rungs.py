"""Every rung of every operation against the reference, on random cases; and how a rung is chosen."""

import os

import cuda_cases
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_cases import CASES, OWN_CASES
from tolerances import assert_close

from minicnn import kernels
from minicnn.kernels import BackendError, reference
from minicnn.kernels.cuda.rungs import LADDERS, use

# The simulator takes 20 ms for what a card does in 5 microseconds.
MANY = int(os.environ.get("MINICNN_TEST_EXAMPLES", 500))
EXAMPLES = {"in Python": MANY, "in CUDA C": MANY} if cuda_cases.ON_CARD else {"in Python": 6, "in CUDA C": 60}


def test_every_operation_has_rungs_in_python_and_one_in_cuda_c():
    assert set(LADDERS) == set(CASES)
    for operation, ladder in LADDERS.items():
        kinds = [rung.in_cuda_c for rung in ladder.rungs.values()]
        assert kinds == sorted(kinds) and False in kinds and True in kinds, operation


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs())
def test_rung_does_what_the_reference_does(operation, rung):
    kind = "in CUDA C" if LADDERS[operation].rungs[rung].in_cuda_c else "in Python"
    own = OWN_CASES.get((operation, rung))
    count = EXAMPLES[kind] if own is None or cuda_cases.ON_CARD else EXAMPLES[kind] // 3  # Winograd's has 36 products

    @settings(max_examples=count)
    @given(case=CASES[operation] if own is None else own)
    def check(case):
        try:
            got = cuda_cases.call(operation, *case, rung=rung)
        except BackendError:
            assume(False)  # the rung does not take this case
        assert_close(operation, got, getattr(reference, operation)(*case), cuda_cases.LOOSER.get((operation, rung)))

    check()


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="this process's Numba compiles for the card")
@pytest.mark.parametrize("operation", CASES)
@settings(max_examples=3)
@given(data=st.data())
def test_the_simulators_backend_does_what_the_reference_does_with_arrays_that_are_read_only(operation, data):
    case = data.draw(CASES[operation])
    for array in (a for value in case for a in (value if isinstance(value, (list, tuple)) else [value])):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    got = getattr(kernels.get("cuda-sim"), operation)(*case)
    assert_close(operation, got, getattr(reference, operation)(*case), cuda_cases.LOOSER.get((operation, "winograd")))


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs())
def test_rungs_are_numbered_as_they_stand(operation, rung):
    rungs = LADDERS[operation].rungs
    doc = rungs[rung].run.__doc__
    assert doc.startswith(f"{list(rungs).index(rung) + 1}. ") and "\n" not in doc


# Choosing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(monkeypatch):
    """The names of the rungs of `add` that ran."""
    names = []
    for name, rung in LADDERS["add"].rungs.items():
        run = lambda *args, name=name, run=rung.run: (names.append(name), run(*args))  # noqa: E731
        monkeypatch.setitem(LADDERS["add"].rungs, name, rung._replace(run=run))
    return names


def add():
    return cuda_cases.call("add", np.ones(3), np.ones(3))


def test_the_last_rung_that_can_run_is_the_default(ran, monkeypatch):
    add()
    x = np.ones(3)
    if not cuda_cases.ON_CARD:
        kernels.get("cuda-sim").add(x, x)
        assert ran.pop() == "grid_stride"  # the simulator takes no CUDA C
    vectors = LADDERS["add"].rungs["vectors"]
    monkeypatch.setitem(LADDERS["add"].rungs, "vectors", vectors._replace(fits=lambda *args: False))
    add()
    assert ran == ["vectors", "grid_stride"]


def test_a_rung_that_does_not_pay_is_the_default_only_where_none_does(ran, monkeypatch):
    never = {"pays": lambda *args: False}
    for name in ("vectors", "grid_stride", "one_each"):
        monkeypatch.setitem(LADDERS["add"].rungs, name, LADDERS["add"].rungs[name]._replace(**never))
        add()
    with use(add="grid_stride"):
        add()
    assert ran == ["grid_stride", "one_each", "vectors", "grid_stride"]


def test_a_rung_is_chosen_by_block_and_the_inner_block_counts(ran):
    with use(add="one_each"):
        add()
        with use(add="grid_stride", relu_forward="one_each"):
            add()
        add()
    add()
    assert ran == ["one_each", "grid_stride", "one_each", "vectors"]


def test_a_rung_that_does_not_take_the_arguments_is_refused_where_it_was_asked_for(monkeypatch):
    vectors = LADDERS["add"].rungs["vectors"]
    monkeypatch.setitem(LADDERS["add"].rungs, "vectors", vectors._replace(fits=lambda *args: False))
    with use(add="vectors"), pytest.raises(BackendError, match="'vectors' of add does not take these arguments"):
        add()


def test_arguments_that_no_rung_takes_are_refused(monkeypatch):
    for name, rung in LADDERS["add"].rungs.items():
        monkeypatch.setitem(LADDERS["add"].rungs, name, rung._replace(fits=lambda *args: False))
    with pytest.raises(BackendError, match="no rung of add takes these arguments on cuda"):
        add()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"sub": "one_each"}, "no operation 'sub' has rungs; there are add, "),
        ({"add": "fast"}, "add has no rung 'fast'; it has one_each, grid_stride, vectors"),
    ],
)
def test_unknown_names_list_the_known(names, message):
    with pytest.raises(BackendError, match=message), use(**names):
        pass


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="this process's Numba compiles for the card")
def test_the_simulator_refuses_cuda_c_where_it_is_asked_for():
    with use(add="vectors"), pytest.raises(BackendError, match="'vectors' of add is CUDA C, which cuda-sim cannot run"):
        kernels.get("cuda-sim").add(np.ones(3), np.ones(3))
