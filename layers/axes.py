"""Axes by number: negative ones count from the end."""

from numbers import Integral

from ..kernels.errors import ShapeError
from ..kernels.shapes import show


def check_axis(axis):
    """axis as an int; raises ShapeError for what is none."""
    if not isinstance(axis, Integral) or isinstance(axis, bool):
        raise ShapeError(f"axis must be an int, not {axis!r}")
    return int(axis)


def check_axes(axes):
    """axes as a tuple of ints; raises ShapeError for what is none."""
    if not isinstance(axes, (tuple, list)):
        raise ShapeError(f"axes must be a tuple of ints, not {axes!r}")
    return tuple(map(check_axis, axes))


def axis_of(axis, shape, ndim=None):
    """axis as 0, 1 ... of an array with x's shape; raises ShapeError where there is no such axis.

    ndim    how many axes there are, those of x unless given
    """
    ndim = len(shape) if ndim is None else ndim
    if not -ndim <= axis < ndim:
        raise ShapeError(f"there is no axis {axis} among {ndim} (x {show(shape)})")
    return axis % ndim


def axes_of(axes, shape, ndim=None):
    """Several axes at once, in the order given; raises ShapeError where one is named twice."""
    found = tuple(axis_of(axis, shape, ndim) for axis in axes)
    if len(set(found)) < len(found):
        raise ShapeError(f"axes {axes} name one axis twice (x {show(shape)})")
    return found


def axes_from(axis, to_end, shape):
    """(axis,), or all axes from it on."""
    first = axis_of(axis, shape)
    return tuple(range(first, len(shape))) if to_end else (first,)
