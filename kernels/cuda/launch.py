"""Starting kernels that Numba compiles, on CuPy's current stream; and how many threads a launch has."""

import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import cuda

from ..errors import BackendError
from . import device

KERNELS = []  # every Kernel, in the order of definition: a test compiles all of them for cards that are not here

# Blocks that a grid has at most in its second dimension, and in its third; the first has room for 2^31.
MOST_ROWS = 65535

# The simulator runs one kernel at a time, whoever calls.
_simulator = threading.Lock()


def covering(count, threads=256):
    """(grid, block): at least `count` threads in blocks of `threads`, of whole warps where so many are not needed."""
    threads = max(min(threads, -(-count // 32) * 32), 32)
    return (-(-count // threads),), (threads,)


def striding(count, threads=256, blocks=1024):
    """(grid, block) where each thread takes several numbers: no more than `blocks` blocks."""
    (grid,), block = covering(count, threads)
    return (min(grid, blocks),), block


class Kernel(NamedTuple):
    """A function that Numba compiles; `kernel[grid, block](x, out)` starts it."""

    function: object
    compiled: object
    example: object

    @property
    def name(self):
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    def signatures(self, *dtypes):
        """The tuples of Numba's types that a test compiles it for."""
        return [self.example(dtype) for dtype in dtypes]

    def __getitem__(self, geometry):
        grid, block = geometry
        return lambda *args: self._launch(grid, block, args)

    def _launch(self, grid, block, args):
        if 0 in grid:
            return
        if device.simulated():
            with _simulator, _switching_often():
                self.compiled[grid, block](*map(on_simulator, args))
        else:
            self.compiled[grid, block, _stream()](*map(on_card, args))


def kernel(example):
    """Decorates a kernel; every array is C-ordered, and what it writes stands last.

    example     (T) -> the tuple of its arguments' types, T being Numba's float32 or float64: for these tests compile it
    """

    def define(function):
        found = Kernel(function, cuda.jit(function), example)
        KERNELS.append(found)
        return found

    return define


@contextmanager
def _switching_often():
    """The simulator polls its threads; at Python's usual 5 ms a turn it keeps them from running for that long."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def on_card(argument):
    """An array as Numba's own kind: it would wait for the array's stream, but the launch is on that stream."""
    if hasattr(argument, "__cuda_array_interface__"):
        return cuda.as_cuda_array(argument, sync=False)
    return argument


def on_simulator(argument):
    """The simulator copies each array back when it is done, which it must not where the array is read-only."""
    if hasattr(argument, "__cuda_array_interface__"):
        raise BackendError("this process's Numba runs on its simulator, which cannot use arrays of a card")
    if isinstance(argument, np.ndarray) and not argument.flags.writeable:
        return cuda.In(argument)
    return argument


def _stream():
    return _external(device.current().xp.cuda.get_current_stream().ptr)


@cache
def _external(pointer):
    return cuda.external_stream(pointer) if pointer else 0
