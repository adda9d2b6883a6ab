"""One operator of an ONNX graph while it is translated: its attributes by type, its errors by name."""

import math
from typing import NamedTuple

from ..errors import FormatError
from .onnx_tensor import MOST_INTEGER

# AttributeProto's types.
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7
_NEEDED = object()


class Data(NamedTuple):
    """What a node computes: its name, and the shape, with None for what the file leaves open."""

    node: str
    shape: tuple


class Unread(NamedTuple):
    """An output that is there, but that no layer may read."""

    node: str | None
    reason: str


class Operator:
    """A node that takes its attributes and inputs one by one; what is left in the end would be ignored: an error.

    name     ours: unique, without a colon
    op       the operator, as in "Conv"
    opset    the version that says what the operator means
    inputs   names of values, "" where an optional one is absent
    outputs  likewise, "" where nobody wants it
    read     which inputs were read
    """

    def __init__(self, file, name, node, opset):
        self.file, self.name, self.op, self.opset = file, name, node.op, opset
        self.inputs, self.outputs = node.inputs, node.outputs
        self.attributes, self.read = dict(node.attributes), set()

    def error(self, reason):
        return FormatError(self.file, f"node {self.name!r} ({self.op}): {reason[:500]}")

    def _take(self, name, default, type_):
        found = self.attributes.pop(name, None)
        if found is None and default is _NEEDED:
            raise self.error(f"has no {name}")
        if found is not None and found.type != type_:
            raise self.error(f"attribute {name} is of type {found.type}, expected {type_}")
        return found

    def int(self, name, default=_NEEDED):
        found = self._take(name, default, _INT)
        return default if found is None else self._small(name, found.i)

    def _small(self, name, value):
        if abs(value) >= MOST_INTEGER:
            raise self.error(f"{name} is {value}: too large")
        return value

    def flag(self, name, default):
        """An int that is 0 or 1, as a bool."""
        value = self.int(name, default)
        if value not in (0, 1):
            raise self.error(f"{name} is {value}, expected 0 or 1")
        return bool(value)

    def float(self, name, default=_NEEDED):
        """A number, or the default."""
        found = self._take(name, default, _FLOAT)
        if found is not None and math.isnan(found.f):
            raise self.error(f"{name} is {found.f}")
        return default if found is None else found.f

    def text(self, name, default=_NEEDED):
        found = self._take(name, default, _STRING)
        return default if found is None else found.s

    def ints(self, name, default=_NEEDED, length=None):
        found = self._take(name, default, _INTS)
        values = default if found is None else tuple(self._small(name, value) for value in found.ints)
        if length is not None and len(values) != length:
            raise self.error(f"{name} has {len(values)} numbers, expected {length}")
        return values

    def floats(self, name):
        return self._take(name, _NEEDED, _FLOATS).floats

    def tensor(self, name):
        """A Tensor; its own name is empty mostly, so it is called as the output."""
        tensor = self._take(name, _NEEDED, _TENSOR).t
        if tensor is None:
            raise self.error(f"{name} is empty")
        tensor.name = self.output
        return tensor

    def axis(self, axis, rank):
        """An axis counted from the front; raises where there is no such axis among `rank`."""
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} of {rank}")
        return axis % rank

    def axes(self, axes, rank):
        """Several axes, each once, from the front and in order."""
        found = sorted(self.axis(axis, rank) for axis in axes)
        if len(set(found)) < len(found):
            raise self.error(f"axes {tuple(axes)} name one twice")
        return tuple(found)

    def has(self, index):
        """Whether an input is there."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def wants(self, index):
        """Whether an output has a name."""
        return index < len(self.outputs) and self.outputs[index] != ""

    @property
    def output(self):
        """What its first output is called."""
        return self.outputs[0] if self.wants(0) else self.name

    def finish(self):
        """Raises where an attribute or an input was not taken."""
        if self.attributes:
            raise self.error(f"attribute {' and '.join(self.attributes)}, which opset {self.opset} does not have here")
        if any(self.has(index) and index not in self.read for index in range(len(self.inputs))):
            raise self.error(f"{len(self.inputs)} inputs, of which opset {self.opset} reads {len(self.read)}")
