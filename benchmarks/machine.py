"""This machine: what it is, and how fast its vector units multiply and add at most."""

import platform
import time
from importlib.metadata import PackageNotFoundError, version


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


def peak_gflops(seconds=0.3):
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


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
