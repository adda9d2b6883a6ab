"""A block's tile of a product, SIDE x SIDE sums, in the registers of THREADS threads, EACH x EACH a thread.

Of DEPTH terms at a time both factors lie in shared memory, as left[term, row] and right[term, column]. A thread's rows
and columns stand ACROSS apart, so that its neighbours read the numbers beside its own, from other banks.
"""

from numba import cuda

SIDE, DEPTH, EACH = 32, 8, 4
ACROSS = SIDE // EACH
THREADS = ACROSS * ACROSS


@cuda.jit(device=True)
def clear(sums):
    """sums = 0"""
    for i in range(EACH):
        for j in range(EACH):
            sums[i, j] = 0


@cuda.jit(device=True)
def multiply(left, right, sums):
    """sums[i, j] += the DEPTH products of this thread's row i and column j: 8 loads for 16 of them"""
    down, across = cuda.threadIdx.x // ACROSS, cuda.threadIdx.x % ACROSS
    for k in range(DEPTH):
        for i in range(EACH):
            for j in range(EACH):
                sums[i, j] += left[k, down + ACROSS * i] * right[k, across + ACROSS * j]
