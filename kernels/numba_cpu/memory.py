"""Memory of large arrays, used again: the system gives it away at 4 kB a page fault, each page filled with zeros.

A pass through a net needs the same arrays again and again. They lie in slabs, first the lowest place that is large
enough; when the last array that looks at a piece of memory is gone, the piece is free for the next one, together with
what is free beside it. So the backward pass has its gradients where activations were, and a net's memory is little more
than what it holds at one time. Whole slabs that nobody uses go back to the system where more than KEPT_BYTES are held.
"""

import os
import threading
from bisect import bisect

import numpy as np

# Smaller ones the C library keeps by itself.
LARGE_BYTES = 256 * 1024
SLAB_BYTES = 64 << 20
ALIGNMENT = 64  # a line of the cache


def _physical_bytes():
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return 8 << 30


KEPT_BYTES = _physical_bytes() // 8

_lock = threading.RLock()  # a lease may end, by the garbage collector, while its own thread is in here
_slabs = []


def empty(shape, dtype):
    """np.empty, of memory that was used before where there is some."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize
    for n in shape:
        size *= n
    if size < LARGE_BYTES:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(-(-size // ALIGNMENT) * ALIGNMENT, tuple(int(n) for n in shape), dtype))


class _Slab:
    """One piece of the system's memory; `free` are its unused ranges (start, end), in order, no two beside each other.

    Pages that were never touched cost nothing.
    """

    def __init__(self, size):
        self.size = size
        self.memory = np.empty(size + ALIGNMENT, np.uint8)
        address = self.memory.__array_interface__["data"][0]
        self.address = -(-address // ALIGNMENT) * ALIGNMENT
        self.free = [(0, size)]

    def take(self, size):
        """Where the first free range of that size begins, now in use; None if there is none."""
        for i, (start, end) in enumerate(self.free):
            if end - start >= size:
                self.free[i : i + 1] = [(start + size, end)] if end - start > size else []
                return start
        return None

    def give(self, start, end):
        i = bisect(self.free, (start, end))
        before, after = self.free[i - 1 : i], self.free[i : i + 1]
        first = i - 1 if before and before[0][1] == start else i
        last = i + 1 if after and after[0][0] == end else i
        if first < i:
            start = before[0][0]
        if last > i:
            end = after[0][1]
        self.free[first:last] = [(start, end)]

    @property
    def unused(self):
        return self.free == [(0, self.size)]


class _Lease:
    """Owns a range of a slab as long as any array looks at it; NumPy keeps it as their `base`."""

    def __init__(self, size, shape, dtype):
        self.size = size
        self.slab, self.start = _take(size)
        address = self.slab.address + self.start
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (address, False), "version": 3}

    def __del__(self):
        if hasattr(self, "slab"):  # else there was no memory
            _give(self.slab, self.start, self.start + self.size)


def _take(size):
    with _lock:
        for slab in _slabs:
            start = slab.take(size)
            if start is not None:
                return slab, start
        slab = _Slab(max(size, SLAB_BYTES))
        _slabs.append(slab)
        return slab, slab.take(size)


def _give(slab, start, end):
    with _lock:
        slab.give(start, end)
        if slab.unused and sum(slab.size for slab in _slabs) > KEPT_BYTES:
            _slabs.remove(slab)
