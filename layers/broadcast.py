"""Broadcasting as NumPy does it: shapes are aligned at their last axes, and an axis of size 1 is repeated."""

from ..kernels.errors import ShapeError
from ..kernels.shapes import show


def broadcast_output(*shapes):
    """The shape of x0 + x1 + ...; raises ShapeError that names the two inputs and the axis where they differ.

    shapes  one an input, at least one
    """
    ndim = max(map(len, shapes))
    out, giver = [1] * ndim, [0] * ndim
    for i, shape in enumerate(shapes):
        for axis, size in enumerate(shape, ndim - len(shape)):
            if out[axis] == 1:
                out[axis], giver[axis] = size, i
            elif size not in (1, out[axis]):
                raise ShapeError(
                    f"x{i} {show(shape)} and x{giver[axis]} {show(shapes[giver[axis]])} do not broadcast: "
                    f"{size} and {out[axis]} on axis {axis}"
                )
    return tuple(out)


def sum_to(dout, shape):
    """The adjoint of broadcasting to dout's shape: dout summed, in float64, over the axes that were repeated.

    dout    what an array of `shape` was broadcast to
    out     (shape)
    """
    new = dout.ndim - len(shape)
    axes = tuple(a for a in range(dout.ndim) if a < new or (shape[a - new] == 1 and dout.shape[a] != 1))
    if not axes:
        return dout
    return dout.sum(axis=axes, dtype="float64").astype(dout.dtype).reshape(shape)
