"""Where windows and images overlap."""

from .jit import jit


@jit
def inside(start, step, size, count):
    """The range [first, last) of the o in [0, count) for which start + o*step is in [0, size)."""
    first = min(max(-(start // step), 0), count)
    last = min(max(-((start - size) // step), first), count)
    return first, last
