"""Every backend is exactly the contract: the same names, the same parameters, nothing else in public."""

import inspect
import types

import cuda_cases
import pytest

from minicnn import kernels
from minicnn.kernels import contract, shapes

KERNELS = {name: f for name, f in vars(contract).items() if inspect.isfunction(f)}


@pytest.fixture(params=kernels.BACKENDS)
def module(request):
    """`cuda` on a card, or on the stand-in for one; only where there is a card the simulator is not to be had."""
    if request.param == "cuda-sim" and cuda_cases.ON_CARD:
        pytest.skip("this process's Numba compiles for the card")
    with cuda_cases.by_name():
        yield kernels.get(request.param)


def test_there_are_four_backends_and_24_functions():
    assert set(kernels.BACKENDS) == {"numpy", "numba", "cuda", "cuda-sim"}
    assert len(KERNELS) == 24


@pytest.mark.parametrize("kernel", KERNELS)
def test_parameters_are_the_contracts(module, kernel):
    parameters = inspect.signature(getattr(module, kernel)).parameters.values()
    assert [p.name for p in parameters] == list(inspect.signature(KERNELS[kernel]).parameters)
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters)


def test_no_other_function_is_public(module):
    public = {
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(shapes, name, None) is not value
    }
    assert public == set(KERNELS)


def test_xp_is_an_array_module(module):
    assert isinstance(module.xp, types.ModuleType)
    assert module.xp.zeros((2, 3)).shape == (2, 3)


def test_contract_holds_no_code():
    for name, f in KERNELS.items():
        assert f.__doc__, f"{name} has no meaning"
        assert inspect.signature(f).parameters, name
        assert f.__code__.co_code == KERNELS["matmul"].__code__.co_code, f"{name} does something"
