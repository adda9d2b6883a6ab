"""Memory of large arrays, used again: the system gives it away at 4 kB a page fault, each page filled with zeros.

A pass through a net needs the same arrays again and again. When the last array that looks at a piece of memory is gone,
the piece is kept here for the next one of the same size; the longest unused go where more than KEPT_BYTES are kept.
"""

import os
import threading
from collections import OrderedDict
from itertools import count

import numpy as np

# Smaller ones the C library keeps by itself.
LARGE_BYTES = 256 * 1024


def _physical_bytes():
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return 8 << 30


KEPT_BYTES = _physical_bytes() // 8

_lock = threading.RLock()  # a lease may end, by the garbage collector, while its own thread is in here
_number = count()
_kept = OrderedDict()  # {number: memory}, the longest unused first
_by_size = {}  # {bytes: [numbers]}
_bytes = 0


def empty(shape, dtype):
    """np.empty, of memory that was used before where there is some of that size."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize
    for n in shape:
        size *= n
    if size < LARGE_BYTES:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(_take(size), tuple(int(n) for n in shape), dtype))


class _Lease:
    """Owns a piece of memory as long as any array looks at it; NumPy keeps it as their `base`."""

    def __init__(self, memory, shape, dtype):
        self.memory = memory
        address = memory.__array_interface__["data"]
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": address, "version": 3}

    def __del__(self):
        _give(self.memory)


def _take(size):
    global _bytes
    with _lock:
        numbers = _by_size.get(size)
        if numbers:
            _bytes -= size
            return _kept.pop(numbers.pop())
    return np.empty(size, np.uint8)


def _give(memory):
    global _bytes
    with _lock:
        number = next(_number)
        _kept[number] = memory
        _by_size.setdefault(memory.size, []).append(number)
        _bytes += memory.size
        while _bytes > KEPT_BYTES:
            oldest, memory = _kept.popitem(last=False)
            _by_size[memory.size].remove(oldest)
            _bytes -= memory.size
