"""What constructors and losses refuse, in one clear line."""

from numbers import Integral, Real

from ..kernels import current
from ..kernels.errors import DTypeError, MinicnnError, ShapeError
from ..kernels.shapes import check_same, show


def check_sizes(**sizes):
    """Raises ShapeError unless all named values are ints >= 1."""
    for name, value in sizes.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ShapeError(f"{name} must be an int >= 1, not {value!r}")


def check_number(name, value, good, wanted):
    """Raises MinicnnError unless value is a number for which good(value) holds; NaN never is."""
    if not isinstance(value, Real) or isinstance(value, bool) or not good(value):
        raise MinicnnError(f"{name} must be {wanted}, not {value!r}")


def check_batch(scores):
    """Raises ShapeError for a batch of none: a mean over nothing is no number."""
    if scores.shape[:1] == (0,):
        raise ShapeError(f"a loss is a mean over the batch, and this one is empty (scores {show(scores.shape)})")


def as_labels(labels, N, classes):
    """labels as an integer array (N,) of the current backend, all in [0, classes).

    Raises DTypeError, ShapeError or MinicnnError that says which label is wrong.
    """
    labels = current().xp.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"labels are {labels.dtype}, expected integers from 0 to {classes - 1}")
    check_same("labels", labels.shape, "the batch", (N,))
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        n = int(outside.argmax())
        raise MinicnnError(f"labels[{n}] is {int(labels[n])}, expected 0 to {classes - 1}")
    return labels
