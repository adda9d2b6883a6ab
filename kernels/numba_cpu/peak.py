"""How fast the micro-kernel is when nothing is in its way: what every other figure is a part of."""

import numpy as np
from numba import prange

from . import threads
from .jit import parallel_jit
from .machine import ROWS, VECTORS
from .product import lanes
from .tiles import outer3

DEPTH = 64  # both operands stay in the first-level cache


def multiply_adds(repeats):
    """Multiply one tile of the matrix product `repeats` times in each thread; returns the number of multiply-adds."""
    width, T = VECTORS * lanes("float32"), threads.count()
    a, b, c = (np.ones((T, size), "float32") for size in (DEPTH * ROWS, DEPTH * width, ROWS * width))
    with threads.lock:
        _run(a, np.arange(DEPTH) * ROWS, b, np.arange(DEPTH) * width, width, repeats, c)
    return T * repeats * DEPTH * ROWS * width


@parallel_jit
def _run(a, a_offsets, b, b_offsets, width, repeats, c):
    for t in prange(len(a)):
        for _ in range(repeats):
            outer3(a[t], 0, 1, a_offsets, b[t], 0, b_offsets, 0, DEPTH, c[t], 0, width, False)
