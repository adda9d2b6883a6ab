"""A kernel that does nothing but multiply and add in registers: how fast a card can be, and how to keep it busy."""

import numpy as np

from ..kernels.cuda import compiler

# No unit waits for another's result: a thread has eight sums under way, a multiprocessor all the threads that it takes.
# The compiler cannot know that no total is -1.
_SOURCE = """
extern "C" __global__ void __launch_bounds__(256) multiply_adds(float* out, float factor, int rounds)
{
    float sums[8];
    for (int i = 0; i < 8; i++) sums[i] = threadIdx.x + i;
    #pragma unroll 16
    for (int k = 0; k < rounds; k++) {
        #pragma unroll
        for (int i = 0; i < 8; i++) sums[i] = fma(sums[i], factor, 1.0f);
    }
    float total = 0;
    for (int i = 0; i < 8; i++) total += sums[i];
    if (total == -1.0f) out[blockIdx.x] = total;
}
"""
_THREADS = 256
FLOP = 2 * 8 * _THREADS  # of a block's round


def busy(xp, blocks, rounds):
    """A function without arguments that keeps so many blocks multiplying and adding for so many rounds."""
    kernel = compiler.module(xp, "multiply_adds", _SOURCE, ("--std=c++17",)).get_function("multiply_adds")
    arguments = xp.empty(blocks, np.float32), np.float32(0.5), np.int32(rounds)
    return lambda: kernel((blocks,), (_THREADS,), arguments)
