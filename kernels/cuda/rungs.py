"""The ladder of each operation, and which rung of it runs.

A ladder's rungs stand in reading order, from the definition to the fast kernel; the last one that can run and pays is
the default. Another is asked for by name, by `with rungs.use(relu_forward="grid_stride"):`, or for a whole process by
MINICNN_CUDA_RUNGS="relu_forward=grid_stride,add=vectors".
"""

import os
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from ..errors import BackendError
from . import device

LADDERS = {}  # {name of a function of the contract: its Ladder}; the operations' modules fill it

_asked = ContextVar("minicnn_cuda_rungs", default=MappingProxyType({}))


def _always(*args):
    return True


class Rung(NamedTuple):
    """One way to compute an operation."""

    name: str
    run: Callable  # takes what the ladder is called with, and fills the arrays that stand last
    fits: Callable  # whether it can take these arguments
    pays: Callable  # whether it is worth while for them; where it is not, it still can be asked for
    in_cuda_c: bool


class Ladder:
    """The rungs of one operation, `relu_forward` say; calling it runs one of them."""

    def __init__(self, operation):
        self.operation, self.rungs = operation, {}
        LADDERS[operation] = self

    def numba(self, name, fits=_always, pays=_always):
        """Decorates a rung that launches kernels which Numba compiles.

        fits, pays  (*args) -> bool: which arguments it takes, and for which of them it may be the default
        """
        return self._add(name, fits, pays, False)

    def cuda_c(self, name, fits=_always, pays=_always):
        """Decorates a rung that launches kernels in CUDA C, which the simulator cannot run."""
        return self._add(name, fits, pays, True)

    def _add(self, name, fits, pays, in_cuda_c):
        def add(function):
            self.rungs[name] = Rung(name, function, fits, pays, in_cuda_c)
            return function

        return add

    def __call__(self, *args):
        self.choose(*args).run(*args)

    def choose(self, *args):
        """The Rung for these arguments: the one that was asked for, or the last that can run and pays.

        Raises BackendError where the one that was asked for cannot, or none can.
        """
        here = device.current()
        name = {**of_environment(), **_asked.get()}.get(self.operation)
        if name is None:
            return self._default(here, args)
        rung = self.rungs[name]
        if rung.in_cuda_c and not here.runs_cuda_c:
            raise BackendError(f"rung {name!r} of {self.operation} is CUDA C, which {here.name} cannot run")
        if not rung.fits(*args):
            raise BackendError(f"rung {name!r} of {self.operation} does not take these arguments")
        return rung

    def _default(self, here, args):
        last = None
        for rung in reversed(self.rungs.values()):
            if (here.runs_cuda_c or not rung.in_cuda_c) and rung.fits(*args):
                if rung.pays(*args):
                    return rung
                last = last or rung
        if last is None:
            raise BackendError(f"no rung of {self.operation} takes these arguments on {here.name}")
        return last


@contextmanager
def use(**names):
    """Inside `with use(matmul="tiled"):` these rungs run, in this thread. Raises BackendError for an unknown name."""
    token = _asked.set({**_asked.get(), **_checked(names)})
    try:
        yield
    finally:
        _asked.reset(token)


@cache
def of_environment():
    """{operation: rung} of MINICNN_CUDA_RUNGS."""
    text = os.environ.get("MINICNN_CUDA_RUNGS", "")
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return _checked({operation.strip(): name.strip() for operation, _, name in pairs})


def _checked(names):
    for operation, name in names.items():
        if operation not in LADDERS:
            raise BackendError(f"no operation {operation!r} has rungs; there are {', '.join(sorted(LADDERS))}")
        if name not in LADDERS[operation].rungs:
            known = ", ".join(LADDERS[operation].rungs)
            raise BackendError(f"{operation} has no rung {name!r}; it has {known}")
    return names
