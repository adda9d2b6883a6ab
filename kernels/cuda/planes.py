"""What the operations on channels share: arrays as planes, and their channels' vectors."""

import math

from .device import contiguous


def planes(x):
    """x (N, C, ...) as (N, C, P), a view."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def wide(x):
    """Whether every plane of x (N, C, P) begins where 16 bytes can be read at once."""
    return x.shape[2] * x.itemsize % 16 == 0


def doubles(*vectors):
    """Vectors of the device in C order and float64."""
    return [contiguous(v.astype("float64", copy=False)) for v in vectors]
