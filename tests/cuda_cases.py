"""The backend `cuda` for tests: on a card where there is one, else on the stand-in, its kernels run by g++ and Numba's
simulator. Importing this module decides which.
"""

import functools
import inspect
import shutil
import types
from contextlib import ExitStack, nullcontext

import numpy as np
import pytest
from cuda_shim import cupy_standin, host_compiler

from minicnn import kernels
from minicnn.kernels.cuda import compiler

compiler_folder = compiler.folder  # as it is for users
_open = ExitStack()
try:
    backend = kernels.get("cuda")
    ON_CARD = True
except kernels.BackendError:
    if shutil.which(host_compiler.COMPILER) is None:
        pytest.skip(f"without a card it takes {host_compiler.COMPILER} to run CUDA C", allow_module_level=True)
    with cupy_standin.installed():
        backend = kernels.get("cuda")
    _open.enter_context(cupy_standin.simulating())
    ON_CARD = False

from minicnn.kernels import contract  # noqa: E402
from minicnn.kernels.cuda.rungs import LADDERS, use  # noqa: E402

KERNELS = [name for name, f in vars(contract).items() if inspect.isfunction(f) and not name.startswith("to_")]

# Largest |got - expected| of rungs that round more than the operation's entry in tolerances.py allows.
LOOSER = {
    (operation, rung): 2e-5
    for operation in ("conv2d_forward", "conv2d_backward_input")
    for rung in ("winograd", "winograd_vectors")
}


def call(operation, *args, rung=None):
    """What the operation answers to NumPy's arrays, in NumPy's arrays; by a rung of that name, or by the default."""
    with use(**({operation: rung} if rung else {})):
        return to_host(getattr(backend, operation)(*map(to_device, args)))


def by_name():
    """Inside `with by_name():` the backend is there for whoever asks for `cuda`: `net.to("cuda")`."""
    return nullcontext() if ON_CARD else cupy_standin.installed()


@functools.cache
def hosted():
    """The backend as one that takes and returns NumPy's arrays: for tests that know nothing of cards."""
    module = types.ModuleType(backend.__name__)
    module.xp, module.to_device, module.to_host = np, np.asarray, lambda x: x
    for name in filter(vars(backend).get, KERNELS):
        function = getattr(backend, name)
        run = lambda *args, function=function: to_host(function(*map(to_device, args)))  # noqa: E731
        setattr(module, name, functools.wraps(function)(run))
    return module


def to_device(value):
    if isinstance(value, np.ndarray):
        return backend.to_device(value)
    return type(value)(map(to_device, value)) if isinstance(value, (tuple, list)) else value


def to_host(value):
    return tuple(map(to_host, value)) if isinstance(value, tuple) else backend.to_host(value)


def rungs(*operations, in_cuda_c=None):
    """(operation, name of a rung) of all rungs, or of those in CUDA C, or of those in Python."""
    return [
        (operation, rung.name)
        for operation in operations or LADDERS
        for rung in LADDERS[operation].rungs.values()
        if in_cuda_c in (None, rung.in_cuda_c)
    ]
