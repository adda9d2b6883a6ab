"""The functions of the contract that this folder's modules define; both backends of it offer them."""

import importlib
import inspect
import pkgutil

from .. import contract
from . import device

_KERNELS = {name for name, value in vars(contract).items() if inspect.isfunction(value)}
_FRONT = {"card", "sim", "operations"}


def on(where):
    """{name: function} of every operation, computing on a Device."""
    # A module defines kernels when it is imported, so Numba has to know by now for what it compiles.
    package = importlib.import_module(__package__)
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name not in _FRONT:
            module = importlib.import_module(f"{__package__}.{info.name}")
            for name in _KERNELS & set(vars(module)):
                if getattr(module, name).__module__ == module.__name__:
                    found[name] = device.on(where, getattr(module, name))
    from . import rungs

    rungs.of_environment()
    return found
