"""Which cell of which phase each tap of a window reads: in a convolution, and in its gradient to the input."""

import itertools
from functools import lru_cache

import numpy as np

from .correlate import Taps


@lru_cache(maxsize=1024)
def forward_taps(kernel, stride, pad, dilation):
    """Output pixel q reads the padded image at y = q*stride + i*dilation: phase y % stride, row y // stride there."""
    cells = [
        (i * kernel[1] + j, (i * dilation[0] % stride[0], j * dilation[1] % stride[1]),
         i * dilation[0] // stride[0], j * dilation[1] // stride[1])
        for i, j in itertools.product(range(kernel[0]), range(kernel[1]))
    ]  # fmt: skip
    return _taps(cells, stride, (-pad[0], -pad[2]))


@lru_cache(maxsize=1024)
def backward_taps(kernel, stride, pad, dilation, remainder):
    """The taps that reach the input pixels y with (y + top) % stride == remainder, those of one phase.

    y = q*stride + start was read through tap i by output row (y + top - i*dilation) / stride, where that is whole.
    Returns (taps or None where no tap reaches these pixels, start).
    """
    axes, start = [], []
    for a, top in ((0, pad[0]), (1, pad[2])):
        first = (remainder[a] - top) % stride[a]  # the first such y
        start.append(first)
        reach = [(i, (first + top - i * dilation[a])) for i in range(kernel[a])]
        axes.append([(i, distance // stride[a]) for i, distance in reach if distance % stride[a] == 0])
    if not all(axes):
        return None, tuple(start)
    low = tuple(min(row for _, row in axis) for axis in axes)
    cells = [
        (i * kernel[1] + j, (0, 0), row - low[0], column - low[1])
        for (i, row), (j, column) in itertools.product(*axes)
    ]  # fmt: skip
    return _taps(cells, (1, 1), low), tuple(start)


def _taps(cells, step, origin):
    phases = sorted({phase for _, phase, _, _ in cells})
    weight, phase, row, column = (np.array(values, np.intp) for values in (
        [w for w, _, _, _ in cells], [phases.index(p) for _, p, _, _ in cells],
        [r for _, _, r, _ in cells], [c for _, _, _, c in cells],
    ))  # fmt: skip
    return Taps(weight, phase, row, column, np.array(phases, np.intp), step, origin)
