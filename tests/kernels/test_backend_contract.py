"""Every backend is exactly the contract: the same names, the same parameters, nothing else in public."""

import importlib.util
import inspect
import types

import pytest

from minicnn import kernels
from minicnn.kernels import contract, shapes

KERNELS = {name: f for name, f in vars(contract).items() if inspect.isfunction(f)}


def exists(name):
    return importlib.util.find_spec(kernels.BACKENDS[name], kernels.__name__) is not None


@pytest.fixture(params=[name for name in kernels.BACKENDS if exists(name)])
def module(request):
    try:
        return kernels.get(request.param)
    except kernels.BackendError as e:
        pytest.skip(str(e))


def test_there_are_at_least_the_reference_and_the_compiled_one():
    assert exists("numpy") and exists("numba")
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
