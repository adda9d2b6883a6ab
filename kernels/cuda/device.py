"""Where the kernels run: on a card, through CuPy, or on Numba's simulator, with NumPy's arrays.

An operation asks here for memory, and is the same on both. Numba decides once a process, when `numba.cuda` is first
imported, whether its kernels run on a card or on the simulator.
"""

import functools
import os
import sys
from contextvars import ContextVar
from types import ModuleType
from typing import NamedTuple

import numpy as np

INSTALL = 'pip install "minicnn[cuda13]" (driver 580 or newer) or "minicnn[cuda12]" (driver 525 or newer)'


class Device(NamedTuple):
    """What a backend of this folder computes on."""

    name: str  # of the backend
    xp: ModuleType  # whose arrays
    runs_cuda_c: bool


_current = ContextVar("minicnn_cuda_device")


def card():
    """The card as a Device; raises ImportError that says why there is none and what to install."""
    try:
        import cupy
    except ImportError as e:
        raise ImportError(f"it needs CuPy, {INSTALL}: {e}") from e
    try:
        cards = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as e:
        raise ImportError(f"CuPy finds no NVIDIA driver that it can use ({INSTALL}): {e}") from e
    if cards == 0:
        raise ImportError("the NVIDIA driver finds no card (CUDA_VISIBLE_DEVICES may hide it)")
    return Device("cuda", cupy, True)


def simulator():
    """Numba's simulator as a Device; raises ImportError where this process's Numba compiles for a card."""
    if "numba.cuda" not in sys.modules:
        _import_numba_with_simulator()
    if not simulated():
        raise ImportError(
            "this process has imported Numba for a card; the simulator needs a process of its own "
            "(MINICNN_BACKEND=cuda-sim or NUMBA_ENABLE_CUDASIM=1 from its start)"
        )
    return Device("cuda-sim", np, False)


def _import_numba_with_simulator():
    """Numba reads the variable when it is imported, numba-cuda when `numba.cuda` is; no child process shall see it."""
    before = os.environ.get("NUMBA_ENABLE_CUDASIM")
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    try:
        import numba

        numba.config.ENABLE_CUDASIM = 1
        import numba.cuda
    finally:
        if before is None:
            del os.environ["NUMBA_ENABLE_CUDASIM"]
        else:
            os.environ["NUMBA_ENABLE_CUDASIM"] = before


def simulated():
    """Whether this process's Numba runs kernels on its simulator."""
    from numba import cuda

    return cuda.jit.__module__.startswith("numba.cuda.simulator")


def current():
    """The Device that the running operation computes on."""
    return _current.get()


def on(device, function):
    """A function of an operation's file as a backend offers it: what it asks for here it gets of `device`."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        token = _current.set(device)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return call


# Arrays ----------------------------------------------------------------------------------------------------------


def empty(shape, dtype):
    """A new array, unfilled."""
    return current().xp.empty(shape, dtype)


def zeros(shape, dtype):
    """A new array of zeros."""
    return current().xp.zeros(shape, dtype)


def contiguous(x):
    """x in C order and, on a card, beginning where 16 bytes can be read at once; x itself where it is so already."""
    xp = current().xp
    if not x.flags.c_contiguous:
        return xp.ascontiguousarray(x)
    return x.copy() if xp is not np and x.data.ptr % 16 else x


def to_device(x):
    """A NumPy array as one of the device, in C order; the same array on the simulator."""
    xp = current().xp
    return np.asarray(x) if xp is np else xp.asarray(x, order="C")


def to_host(x):
    """An array of the device as a NumPy array."""
    xp = current().xp
    return x if xp is np else xp.asnumpy(x)
