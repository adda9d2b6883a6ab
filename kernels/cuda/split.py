"""Long sums shared among blocks: each block adds up its part, and one more kernel the parts, always in one order.

A product of few rows and columns has few tiles, and would leave most of a card idle however many terms its sums have.
No block adds to what another wrote, so two runs are equal to the bit. In how many parts, tiles.py says, which has the
same for CUDA C (`in_parts`): a rung in Python ends with a kernel in Python, for the simulator to run.
"""

from numba import cuda, types

from .device import empty
from .launch import covering, kernel


def workspace(count, out):
    """`count` arrays like out, to be added up; out itself where that is one."""
    return out.reshape(1, *out.shape) if count == 1 else empty((count, *out.shape), out.dtype)


def add_up(partial, out):
    """out = partial[0] + partial[1] + ..."""
    if len(partial) > 1:
        _add_up[covering(out.size)](partial.reshape(len(partial), -1), out.reshape(-1))


@kernel(lambda T: (T[:, ::1], T[::1]))
def _add_up(partial, out):
    i, total = cuda.grid(1), out.dtype.type(0)
    if i < out.size:
        for part in range(partial.shape[0]):
            total += partial[part, i]
        out[i] = total


def integers(count):
    """The type of a tuple of so many whole numbers, for a kernel's example."""
    return types.UniTuple(types.int64, count)
