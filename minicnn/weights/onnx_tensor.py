"""ONNX's TensorProto: constants of a graph, decoded when they are first read. Field numbers: onnx.proto."""

from math import prod

import numpy as np

from ..errors import FormatError
from . import wire
from .checkpoint import bfloat16, count, to_float32

_DIMS, _TYPE, _SEGMENT, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 8, 9, 13, 14
_FLOATS, _INT32, _INT64, _DOUBLES = 4, 5, 7, 10
_DATA = (_FLOATS, _INT32, 6, _INT64, _RAW, _DOUBLES, 11)  # 6 strings, 11 uint64: read nowhere
MOST_INTEGERS = 64  # of a shape, axes or pads: twice as many as axes
MOST_INTEGER = 1 << 31  # of a size that can be computed
_MOST_WHOLE = 1 << 20

# DataType: its name, how raw_data holds it, the field that holds it otherwise
_TYPES = {
    1: ("FLOAT", "<f4", _FLOATS),
    6: ("INT32", "<i4", _INT32),
    7: ("INT64", "<i8", _INT64),
    9: ("BOOL", "u1", _INT32),
    10: ("FLOAT16", "<f2", _INT32),
    11: ("DOUBLE", "<f8", _DOUBLES),
    16: ("BFLOAT16", "<u2", _INT32),  # its bits
}
WHOLE = (6, 7, 9)
FLOATING = (1, 10, 11, 16)


class Constant:
    """An array that the graph holds: a weight, an operand, a shape.

    shape      tuple of ints, checked
    floats()   float32, of shape
    integers() list of ints, of at most one axis
    Raises FormatError where it is of the other kind.
    """

    def __init__(self, file, name, array):
        self.file, self.name, self.array, self.shape = file, name, array, array.shape

    def values(self):
        return self.array

    def floats(self):
        if (array := self.values()).dtype != np.float32:
            raise FormatError(self.file, "integers where a net computes with floating numbers", self.name)
        return array

    def integers(self):
        if len(self.shape) > 1 or prod(self.shape) > MOST_INTEGERS:
            raise FormatError(self.file, f"shape {self.shape} where a list of integers is expected", self.name)
        if (array := self.values()).dtype != np.int64:
            raise FormatError(self.file, "floating numbers where integers are expected", self.name)
        if not ((-MOST_INTEGER < array) & (array < MOST_INTEGER)).all():
            raise FormatError(self.file, "an integer too large for a size", self.name)
        return array.reshape(-1).tolist()


class Tensor(Constant):
    """A TensorProto; nothing is decoded before it is asked for, and then once."""

    def __init__(self, message):
        self.file, self.message, self.array = message.file, message, None
        self.name, self.type, dims, self.data = "", 0, [], {}
        for number, kind, value in message:
            if number == _DIMS:
                dims += message.integers(kind, value)
            elif number == _TYPE:
                self.type = message.integer(kind, value)
            elif number == _NAME:
                self.name = message.text(kind, value)
            elif number in _DATA:
                self.data.setdefault(number, []).append((kind, value))
            elif number == _EXTERNAL or (number == _LOCATION and message.integer(kind, value)):
                raise FormatError(self.file, "its values are in another file, which is not read", self.name)
            elif number == _SEGMENT:
                raise FormatError(self.file, "a tensor in segments", self.name)
        self.shape = tuple(dims)
        self.elements = count(self.file, self.name, self.shape)

    def values(self):
        if self.array is None:
            self.array = self._decoded().reshape(self.shape)
            self.data = None
        return self.array

    def _decoded(self):
        if self.type not in _TYPES:
            raise FormatError(self.file, f"type {self.type}, which minicnn does not compute with", self.name)
        name, code, field = _TYPES[self.type]
        if self.type in WHOLE and self.elements > _MOST_WHOLE:  # which take eight bytes each, and maybe one in the file
            raise FormatError(self.file, f"{self.elements} integers, at most {_MOST_WHOLE} are read", self.name)
        if len(self.data) > 1:
            raise FormatError(self.file, f"values in fields {' and '.join(map(str, self.data))} at once", self.name)
        if _RAW in self.data or field in (_FLOATS, _DOUBLES):
            return self._widened(self._fixed(name, code, _RAW if _RAW in self.data else field))
        return self._varints(name, np.dtype(code), field)

    def _widened(self, values):
        if self.type in WHOLE:
            return values.astype(np.int64)
        return bfloat16(values) if self.type == 16 else to_float32(values)

    def _fixed(self, name, code, field):
        # A list of numbers that is not packed comes in pieces.
        kinds = (wire.BYTES,) if field == _RAW else (wire.BYTES, wire.FIXED32 if field == _FLOATS else wire.FIXED64)
        pieces = self.data.get(field, [])
        for kind, _ in pieces:
            if kind not in kinds:
                raise FormatError(self.file, f"kind {kind} where numbers are expected", self.name)
        if field == _RAW:
            pieces = pieces[-1:]  # not a list: the last one counts
        needed, found = self.elements * np.dtype(code).itemsize, sum(len(value) for _, value in pieces)
        if needed != found:
            raise FormatError(self.file, f"{name} {self.shape} needs {needed} bytes, the file has {found}", self.name)
        data = pieces[0][1] if len(pieces) == 1 else b"".join(value for _, value in pieces)
        return np.frombuffer(data, code)

    def _varints(self, name, dtype, field):
        # int32_data holds the bits of a float16, int64_data the number itself.
        bits = np.dtype(f"<u{dtype.itemsize}") if dtype.kind == "f" else dtype
        info, pieces, found = np.iinfo(bits), self.data.get(field, []), 0
        if (held := sum(len(value) if kind == wire.BYTES else 1 for kind, value in pieces)) < self.elements:
            needs = f"{name} {self.shape} needs {self.elements} values, the file has {held} bytes of them"
            raise FormatError(self.file, needs, self.name)
        values = np.empty(self.elements, np.int64 if self.type in WHOLE else np.float32)
        for kind, value in pieces:
            for numbers in self.message.varints(kind, value):
                if not info.min <= numbers.min() <= numbers.max() <= info.max:
                    raise FormatError(self.file, f"a number that is no {name}", self.name)
                if found + len(numbers) > self.elements:
                    raise FormatError(self.file, f"more values than {name} {self.shape} holds", self.name)
                values[found : found + len(numbers)] = self._widened(numbers.astype(bits).view(dtype))
                found += len(numbers)
        if found < self.elements:
            needs = f"{name} {self.shape} needs {self.elements} values, the file has {found}"
            raise FormatError(self.file, needs, self.name)
        return values
