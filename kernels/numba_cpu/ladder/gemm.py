"""The matrix product, rung by rung:  out[i, j] = sum over k of a[i, k] * b[k, j].

a       (M, K) float32
b       (K, N)
out     (M, N)
"""

import numpy as np
from numba import prange

from .. import threads
from ..jit import index, jit, parallel_jit
from ..matmul import matmul
from ..memory import empty

# A block of b, DEPTH rows of WIDTH numbers, stays in the second-level cache; DEPTH rows of PANEL in the first.
DEPTH, WIDTH, PANEL = 128, 512, 64


def loops(a, b):
    """1. The definition, in Python: each number is an object, each step is looked up."""
    out = np.empty((len(a), b.shape[1]), a.dtype)
    for i in range(len(a)):
        for j in range(b.shape[1]):
            total = a.dtype.type(0)
            for k in range(len(b)):
                total += a[i, k] * b[k, j]
            out[i, j] = total
    return out


def compiled_loops(a, b):
    """2. The same loops compiled: numbers are in registers, but each is waited for, down a column of b."""
    return _by_rows(_compiled_loops, a, b)


def whole_rows(a, b):
    """3. The loops over j and k change places: the innermost one runs along rows, a vector of numbers at a time."""
    return _by_rows(_whole_rows, a, b)


def blocks(a, b):
    """4. The same for one block of b after the other: it is read from the cache for all rows of a but the first."""
    return _by_rows(_blocks, a, b)


def packed_panels(a, b):
    """5. Blocks copied side by side, and four rows of one at a time: a sum is loaded and stored once for four."""
    panels = np.empty((threads.count(), DEPTH * PANEL), a.dtype)
    return _by_rows(_packed_panels, a, b, panels)


def micro_kernel(a, b):
    """6. minicnn's own, in vector instructions: a tile of sums stays in registers, 24 multiply-adds for 11 loads."""
    return matmul(a, b)


RUNGS = (loops, compiled_loops, whole_rows, blocks, packed_panels, micro_kernel)


def _by_rows(kernel, a, b, *scratch):
    """out, of which each thread computes some rows."""
    out = empty((len(a), b.shape[1]), a.dtype)
    shares = threads.shares(len(a), out.size * len(b) // 64)
    with threads.lock:
        kernel(np.ascontiguousarray(a), np.ascontiguousarray(b), shares, *scratch, out)
    return out


@parallel_jit
def _compiled_loops(a, b, shares, out):
    for t in prange(len(shares) - 1):
        for i in range(shares[t], shares[t + 1]):
            _row(a[i], b, out[i])


@jit
def _row(a, b, out):
    for j in range(len(out)):
        total = a.dtype.type(0)
        for k in range(len(a)):
            total += a[k] * b[k, j]
        out[j] = total


@parallel_jit
def _whole_rows(a, b, shares, out):
    for t in prange(len(shares) - 1):
        for i in range(shares[t], shares[t + 1]):
            out[i] = 0
            for k in range(len(b)):
                _add(a[i, k], b[k], out[i])


@parallel_jit
def _blocks(a, b, shares, out):
    K, N = b.shape
    for t in prange(len(shares) - 1):
        for j in range(0, N, WIDTH):
            for k0 in range(0, K, DEPTH):
                for i in range(shares[t], shares[t + 1]):
                    if k0 == 0:
                        out[i, j : j + WIDTH] = 0
                    for k in range(k0, min(k0 + DEPTH, K)):
                        _add(a[i, k], b[k, j : j + WIDTH], out[i, j : j + WIDTH])


@jit
def _add(number, line, out):
    for j in range(len(out)):
        out[index(j)] += number * line[index(j)]


@parallel_jit
def _packed_panels(a, b, shares, panels, out):
    K, N = b.shape
    for t in prange(len(shares) - 1):
        for j in range(0, N, PANEL):
            for k in range(0, K, DEPTH):
                _pack(b, k, min(DEPTH, K - k), j, min(PANEL, N - j), panels[t])
                for i in range(shares[t], shares[t + 1]):
                    if k == 0:
                        out[i, j : j + PANEL] = 0
                    _add_product(a[i, k : k + DEPTH], panels[t], out[i, j : j + PANEL])


@jit
def _pack(b, k0, depth, j0, width, out):
    """out[k*PANEL + j] = b[k0 + k, j0 + j]"""
    for k in range(depth):
        line, row = b[k0 + k, j0 : j0 + width], out[k * PANEL :]
        for j in range(width):
            row[index(j)] = line[index(j)]


@jit
def _add_product(a, panel, out):
    """out[j] += sum over k of a[k] * panel[k*PANEL + j]"""
    whole = len(a) // 4 * 4
    for k in range(0, whole, 4):
        a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        b0, b1 = panel[k * PANEL :], panel[(k + 1) * PANEL :]
        b2, b3 = panel[(k + 2) * PANEL :], panel[(k + 3) * PANEL :]
        for j in range(len(out)):
            q = index(j)
            out[q] += (a0 * b0[q] + a1 * b1[q]) + (a2 * b2[q] + a3 * b3[q])
    for k in range(whole, len(a)):
        _add(a[k], panel[k * PANEL :], out)
