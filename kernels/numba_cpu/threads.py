"""Threads and scratch memory: one pool, one caller at a time.

Parallel kernels split their work into `count()` fixed shares, so that a result does not depend on which thread was
faster. Whoever computes holds `lock`: one of Numba's threading layers aborts when two Python threads enter it
together, and the scratch memory is shared.
"""

import importlib
import math
import os
import threading

import numba
import numpy as np

from ..errors import BackendError

# Less work than this takes no longer than waking the other threads.
SMALL = 30_000

lock = threading.RLock()
_count = None
_scratch = {}
_forked = False


def count(work=SMALL):
    """How many threads a kernel uses: what `set_threads` said, else NUMBA_NUM_THREADS, else one a core.

    work  about how many numbers are to be read, or multiply-adds / 64 to be done; for few, one thread is the fastest
    """
    if _forked:
        raise BackendError("compiled kernels cannot run in a forked process: start it with the method spawn")
    T = 1 if work < SMALL else _count or numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(T)
    return T


def set_threads(n):
    """Use n threads from now on; raises BackendError unless 1 <= n <= NUMBA_NUM_THREADS, which is one a core."""
    global _count
    most = numba.config.NUMBA_NUM_THREADS
    if not isinstance(n, int) or not 1 <= n <= most:
        raise BackendError(f"cannot use {n!r} threads: expected 1 to {most} (for more set NUMBA_NUM_THREADS first)")
    _count = n


def shares(n, work):
    """(T + 1,): thread t works on items shares[t] to shares[t + 1] of n; work as in `count`."""
    T = count(work)
    return np.arange(T + 1) * n // T


def scratch(name, shape, dtype):
    """An array with earlier numbers in it, to be used while `lock` is held.

    Kept from call to call, because fresh memory costs a page fault every 4 kB. Zeros at first: tiles compute with what
    lies past the data, and a denormal number there takes the processor a hundred times as long as any other.
    """
    key, size = (name, np.dtype(dtype)), math.prod(shape)
    if key not in _scratch or _scratch[key].size < size:
        _scratch[key] = np.zeros(size, dtype)
    return _scratch[key][:size].reshape(shape)


def _load_openmp():
    """Load Numba's OpenMP layer, if it has one, so that its threads wait awake for a quarter of a millisecond.

    By default it is some milliseconds. Where the system puts a waiting thread on the core of a working one, it is in
    its way for just so long: a call of 2 microseconds takes 6000. But a thread that falls asleep at once is woken on
    the core of the one that wakes it, and the two take turns: between two layers of a net it must stay awake. The
    library reads its settings once, when it is loaded.
    """
    if os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        return  # somebody has decided
    os.environ["GOMP_SPINCOUNT"] = "10000"
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError:
        return  # there is none on this machine: Numba takes another layer
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def _after_fork():
    # OpenMP ends a forked child that calls it. An error is better.
    global _forked
    try:
        _forked = numba.threading_layer() == "omp"
    except ValueError:  # nothing parallel has run yet
        _forked = False


_load_openmp()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
