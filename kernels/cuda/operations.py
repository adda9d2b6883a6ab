"""The functions of the contract that this folder's modules define; both backends of it offer them."""

import importlib
import inspect
import pkgutil

from .. import contract
from . import device, rungs

_KERNELS = {name for name, value in vars(contract).items() if inspect.isfunction(value)}
_FRONT = {"card", "sim", "operations"}


def modules():
    """This folder's modules but the backends. They define kernels, so Numba has to know by now for what it compiles."""
    package = importlib.import_module(__package__)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if info.name not in _FRONT]
    return [importlib.import_module(f"{__package__}.{name}") for name in names]


def on(where):
    """{name: function} of every operation, computing on a Device."""
    found = {}
    for module in modules():
        for name in _KERNELS & set(vars(module)):
            if getattr(module, name).__module__ == module.__name__:  # not one that it imports
                found[name] = device.on(where, getattr(module, name))
    rungs.of_environment()  # an unknown name is an error now, not in the middle of a pass
    return found
