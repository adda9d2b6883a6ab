"""This machine: what it is, how fast its vector units multiply and add, and how fast its memory is, at most."""

import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version

import numpy as np

# Larger than most caches.
COPY_BYTES = 2**28


def describe():
    """{"processor", "threads", versions of "numpy", "numba" and "torch" (None if missing)}"""
    from .. import kernels

    found = {"processor": _processor(), "threads": kernels.threads()}
    for name in ("numpy", "numba", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def peak_gflops(seconds=1.0):
    """10^9 float32 multiplications and additions a second, all threads together, of a tile that stays in registers.

    The micro-kernel of the matrix product on operands that fit the first-level cache: nothing can be faster here.
    """
    from ..kernels.numba_cpu.peak import multiply_adds

    multiply_adds(1)
    count, best = 2000, 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        done = multiply_adds(count)
        best = max(best, 2 * done / (time.perf_counter() - start) / 1e9)
    return best


def copy_gbytes(seconds=0.5):
    """10^9 bytes a second, read and written together, when all threads copy arrays of COPY_BYTES."""
    from .. import kernels

    T = kernels.threads()
    sources, copies = (np.ones((T, COPY_BYTES // T // 4), np.float32) for _ in range(2))
    best = 0.0
    with ThreadPoolExecutor(T) as pool:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            list(pool.map(np.copyto, copies, sources))
            best = max(best, 2 * sources.nbytes / (time.perf_counter() - start) / 1e9)
    return best


def numpy_blas():
    """What NumPy multiplies matrices with: "NumPy, OpenBLAS"; only "NumPy" where it does not say."""
    config = getattr(np.__config__, "CONFIG", {})  # since NumPy 1.25
    name = config.get("Build Dependencies", {}).get("blas", {}).get("name")
    return f"NumPy, {name}" if name else "NumPy"


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
