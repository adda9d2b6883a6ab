"""What every reader returns, and the checks that every reader makes."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from ..meta import Meta

MOST_AXES = 32  # what NumPy 1 can hold
_MOST_ELEMENTS = 2**48


class Graph(NamedTuple):
    """A whole net as a file describes it.

    nodes       as Net takes them, each with its inputs; the layers have no parameters yet
    input       the image's name
    input_size  (C, H, W), or None where the file leaves it open
    """

    nodes: list
    input: str
    input_size: tuple | None


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a weight file.

    format   whose names the tensors carry: "caffe", "torch", "native"
    tensors  name -> array; floating ones are float32 (of a native float64 net float64), and may be read-only
    types    Caffe only: layer name -> its type, as in "Convolution"
    meta     the native form only, and None there too if the file is somebody else's
    graph    where the file describes a whole net; the tensors are then named as its state_dict
    dtype    what that net computes in
    """

    format: str
    tensors: dict
    types: dict = field(default_factory=dict)
    meta: Meta | None = None
    graph: Graph | None = None
    dtype: str = "float32"


def count(file, tensor, shape):
    """The number of elements, as a Python integer; raises FormatError for a shape that no array can have."""
    elements = most = 1
    for size in shape:
        if type(size) is not int or size < 0:
            raise FormatError(file, f"size {str(size)[:40]} in a shape", tensor)
        elements *= size
        most *= max(size, 1)
        if most > _MOST_ELEMENTS:
            raise FormatError(file, f"a shape of more than {_MOST_ELEMENTS} elements", tensor)
    if len(shape) > MOST_AXES:
        raise FormatError(file, f"{len(shape)} axes, at most {MOST_AXES} can be read", tensor)
    return elements


def to_float32(array):
    """Floating arrays as native float32, without a copy if they are; a float64 too large becomes inf."""
    if array.dtype.kind == "f" and array.dtype != np.float32:
        with np.errstate(over="ignore", invalid="ignore"):
            return array.astype(np.float32)
    return np.require(array, array.dtype.newbyteorder("="), "A")


def bfloat16(bits):
    """float32 from the bits of bfloat16, its upper half: (...) uint16 -> (...) float32, exact."""
    wide = bits.astype(np.uint32)
    wide <<= 16  # in place: a file of one large tensor must not be held five times
    return wide.view(np.float32)


def require_finite(file, tensors):
    """Raises FormatError that names the first tensor with NaN or inf in it, and counts them."""
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not (good := np.isfinite(array)).all():
            raise FormatError(file, f"{array.size - int(good.sum())} of {array.size} values are NaN or infinite", name)
