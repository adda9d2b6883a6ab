"""Sums and maxima over the threads of a block, for kernels that Numba compiles.

Two ways, in reading order. A tree in shared memory: half of the threads add the other half's numbers, then a quarter of
them, a barrier after each step. Or by warps: 32 threads exchange registers (shuffles), and only the warps' results meet
in shared memory. Either order of adding is fixed, so that the same numbers give the same sum every time.
Harris, Optimizing parallel reduction in CUDA, NVIDIA, 2007; Luitjens, Faster parallel reductions on Kepler, 2014
"""

import numpy as np
from numba import cuda

from .device import simulated

THREADS = 256  # of a block at most: a power of two, as the trees want it
WARP = 32
WARPS = THREADS // WARP


def one_block_each(count, length):
    """(grid, block): `count` blocks, each of a power of two of threads for `length` numbers."""
    threads = WARP
    while threads < min(length, THREADS):
        threads *= 2
    return (count,), (threads,)


# By a tree: scratch is shared memory of THREADS numbers, and every thread of the block calls --------------------------


@cuda.jit(device=True, inline="always")
def tree_sum(value, scratch):
    """The sum of all threads' values, for all of them."""
    t, half = cuda.threadIdx.x, cuda.blockDim.x // 2
    scratch[t] = value
    cuda.syncthreads()
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half //= 2
    total = scratch[0]
    cuda.syncthreads()  # before the scratch is used again
    return total


@cuda.jit(device=True, inline="always")
def tree_largest(value, scratch):
    """The largest of all threads' values, of which none is NaN."""
    t, half = cuda.threadIdx.x, cuda.blockDim.x // 2
    scratch[t] = value
    cuda.syncthreads()
    while half > 0:
        if t < half:
            scratch[t] = max(scratch[t], scratch[t + half])
        cuda.syncthreads()
        half //= 2
    largest = scratch[0]
    cuda.syncthreads()
    return largest


# By warps: every thread of the block calls ----------------------------------------------------------------------------

if simulated():

    @cuda.jit(device=True)
    def of_lane_across(value, mask):
        """Numba's simulator knows no shuffles: the block's threads lay their values down in shared memory."""
        slots = cuda.shared.array(1024, np.float64)
        t = cuda.threadIdx.x
        slots[t] = value
        cuda.syncthreads()
        found = slots[t ^ mask]
        cuda.syncthreads()
        return type(value)(found)

else:

    @cuda.jit(device=True, inline="always")
    def of_lane_across(value, mask):
        """The value of the thread of this warp whose number differs from this one's by the bits of mask."""
        return cuda.shfl_xor_sync(0xFFFFFFFF, value, mask)


@cuda.jit(device=True, inline="always")
def warp_sum(value):
    """The sum of the warp's values, for all its threads."""
    for shift in range(5):
        value += of_lane_across(value, 16 >> shift)
    return value


@cuda.jit(device=True, inline="always")
def block_sum(value, scratch):
    """The sum of all threads' values, for all of them; scratch is shared memory of WARPS numbers."""
    value = warp_sum(value)
    if cuda.threadIdx.x % WARP == 0:
        scratch[cuda.threadIdx.x // WARP] = value
    cuda.syncthreads()
    total = scratch[0]
    for warp in range(1, cuda.blockDim.x // WARP):
        total += scratch[warp]
    cuda.syncthreads()  # before the scratch is used again
    return total
