"""Where the kernels run: on a card, through CuPy, or on Numba's simulator, with NumPy's arrays.

An operation asks here for memory, and is the same on both. Numba decides once a process, when `numba.cuda` is first
imported, whether its kernels run on a card or on the simulator.
"""

import functools
import math
import os
import sys
from contextvars import ContextVar
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ..errors import BackendError, OutOfMemoryError
from ..shapes import show
from . import blocks

INSTALL = 'pip install "minicnn[cuda13]" (driver 580 or newer) or "minicnn[cuda12]" (driver 525 or newer)'


class Device(NamedTuple):
    """What a backend of this folder computes on."""

    name: str  # of the backend
    xp: ModuleType  # whose arrays
    runs_cuda_c: bool


_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
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
    if os.environ.get("MINICNN_CUDA_MEMORY"):
        limit_memory(os.environ["MINICNN_CUDA_MEMORY"])
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
    blocks.install()
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


def to_device(x):
    """A NumPy array as one of the device, in C order; the same array on the simulator."""
    xp = current().xp
    return np.asarray(x) if xp is np else _on_card(xp, np.asarray(x))


def to_host(x):
    """An array of the device as a NumPy array."""
    xp = current().xp
    return x if xp is np else xp.asnumpy(x)


def empty(shape, dtype):
    """A new array, unfilled; raises OutOfMemoryError where it does not fit, what CuPy keeps for later given back."""
    return _allocated(current().xp.empty, shape, dtype)


def zeros(shape, dtype):
    """A new array of zeros, likewise."""
    return _allocated(current().xp.zeros, shape, dtype)


def contiguous(x):
    """x in C order and, on a card, beginning where 16 bytes can be read at once; x itself where it is so already.

    Raises BackendError for an array that is not of the device.
    """
    name, xp, _ = current()
    if not isinstance(x, xp.ndarray):
        kind = f"{type(x).__module__}.{type(x).__name__}"
        raise BackendError(f"{name} computes on {xp.__name__}.ndarray, not on {kind}: see net.to and to_device")
    if not x.flags.c_contiguous:
        return xp.ascontiguousarray(x)
    return x.copy() if xp is not np and x.data.ptr % 16 else x


# Memory of the card ----------------------------------------------------------------------------------------------


def limit_memory(limit):
    """Let CuPy take no more of the card's memory than `limit`: bytes, or a text as of MINICNN_CUDA_MEMORY.

    limit   8_000_000_000, "8e9", "8GB", "512MB", "80%" (of the card's), or "0" for no limit
    """
    import cupy

    if isinstance(limit, str) and limit.strip().endswith("%"):
        cupy.get_default_memory_pool().set_limit(fraction=_number(limit.strip()[:-1], limit, most=100) / 100)
    else:
        cupy.get_default_memory_pool().set_limit(size=_bytes(limit))


def _on_card(xp, x):
    return _allocated(lambda shape, dtype: xp.asarray(x, order="C"), x.shape, x.dtype)


def _allocated(make, shape, dtype):
    xp = current().xp
    if xp is np:
        return make(shape, dtype)
    try:
        return make(shape, dtype)
    except xp.cuda.memory.OutOfMemoryError:
        xp.get_default_memory_pool().free_all_blocks()
    try:
        return make(shape, dtype)
    except xp.cuda.memory.OutOfMemoryError as e:
        raise OutOfMemoryError(_shortage(xp, shape, dtype)) from e


def _shortage(xp, shape, dtype):
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    pool, (free, total) = xp.get_default_memory_pool(), xp.cuda.runtime.memGetInfo()
    limit = pool.get_limit()
    limited = f", MINICNN_CUDA_MEMORY allows {_megabytes(limit)}" if limit else ""
    return (
        f"the card's memory does not do: an array {show(shape)} of {np.dtype(dtype)} needs {_megabytes(needed)}; "
        f"arrays hold {_megabytes(pool.used_bytes())}, {_megabytes(free)} of {_megabytes(total)} are free{limited}; "
        "a smaller batch needs less"
    )


def _megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def _bytes(limit):
    if not isinstance(limit, str):
        return int(limit)
    text = limit.strip().upper().removesuffix("B")
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    return int(_number(text.removesuffix(unit), limit) * _UNITS.get(unit, 1))


def _number(text, whole, most=math.inf):
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most or number == math.inf:
        raise BackendError(f"MINICNN_CUDA_MEMORY must be like 8GB, 512MB, 80% or a number of bytes, not {whole!r}")
    return number
