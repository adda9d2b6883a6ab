"""Caffe's messages as Fields, from either of their two forms: numbered (`.caffemodel`) or named (`.prototxt`)."""

import re

import numpy as np

from ..errors import FormatError
from ..files import read_whole
from . import caffe_schema, prototxt, wire
from .caffe_schema import BLOB, IGNORED, VERSION_0, Enum, Schema

_MOST_INT = 2**31
_INTEGER = re.compile(r"-?(0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19})")
_FLOAT = re.compile(r"-?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?f?|inf|infinity|nan)", re.IGNORECASE)
_EXPECTED = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}
_BOOLS = {"true": True, "t": True, "True": True, "1": True, "false": False, "f": False, "False": False, "0": False}


class Fields(dict):
    """{field: value} of one message; what the file does not give is not there.

    Values are int, bool, float, str (of an Enum the constant's name), Fields, a Message of the wire for a blob, and
    lists of these for what may be repeated.
    unknown  the fields that the schema does not have, as they are to be named in errors
    """

    def __init__(self):
        super().__init__()
        self.unknown = []


def from_wire(message, schema):
    """The Fields of a `wire.Message`; of a number that is given twice the last one counts."""
    fields = Fields()
    for number, kind, value in message:
        name, wanted = schema.by_number.get(number, (f"number {number}", None))
        if wanted is None:
            _note_unknown(fields, name)
        elif wanted == VERSION_0:
            raise _version_0(message.file)
        elif wanted != IGNORED:
            repeated = isinstance(wanted, list)
            found = _WireValue(message, name, kind, value).of(wanted[0] if repeated else wanted)
            if repeated:
                fields.setdefault(name, []).extend(found)
            elif found:
                if name in fields and isinstance(wanted, Schema):
                    raise message.error(f"{name} is there twice")
                fields[name] = found[-1]
    return fields


class _WireValue:
    """One field of a message of the wire as a list of values: numbers may be packed."""

    def __init__(self, message, name, kind, value):
        self.message, self.name, self.kind, self.value = message, name, kind, value

    def of(self, wanted):
        message, kind, value = self.message, self.kind, self.value
        if isinstance(wanted, Schema):
            return [from_wire(message.inner(kind, value), wanted)]
        if wanted == BLOB:
            return [message.inner(kind, value)]
        if wanted is str:
            return [message.text(kind, value)]
        if wanted is float:
            return [_as_float32(number) for number in message.floats(kind, value)]
        numbers = message.integers(kind, value)
        if wanted is bool:
            return [number != 0 for number in numbers]
        if isinstance(wanted, Enum):
            if not wanted.names.keys() >= set(numbers):
                raise message.error(f"{self.name} is {numbers}, expected {_listed(wanted)}")
            return [wanted.names[number] for number in numbers]
        if any(abs(number) >= _MOST_INT for number in numbers):
            raise message.error(f"{self.name} is {numbers}, too large")
        return numbers


def from_text(listed, schema, file):
    """The Fields of a message of a prototxt: what `prototxt.read` returns, or the value of one of its Fields."""
    fields = Fields()
    for name, value, line in listed:
        wanted = schema.by_name.get(name)
        if wanted is None:
            _note_unknown(fields, name)
        elif wanted == VERSION_0:
            raise _version_0(file)
        elif wanted not in (IGNORED, [BLOB]):
            repeated = isinstance(wanted, list)
            found = _TextValue(file, name, value, line).of(wanted[0] if repeated else wanted)
            if repeated:
                fields.setdefault(name, []).append(found)
            elif name in fields:
                raise FormatError(file, f"line {line}: {name} is there twice in one message")
            else:
                fields[name] = found
    return fields


class _TextValue:
    """The value of one field of a prototxt."""

    def __init__(self, file, name, value, line):
        self.file, self.name, self.value, self.line = file, name, value, line

    def error(self, expected):
        shown = "a message" if isinstance(self.value, list) else repr(self.value.text[:40])
        return FormatError(self.file, f"line {self.line}: {self.name} is {shown}, expected {expected}")

    def of(self, wanted):
        if isinstance(wanted, Schema):
            if not isinstance(self.value, list):
                raise self.error("a message in braces")
            return from_text(self.value, wanted, self.file)
        expected = _listed(wanted) if isinstance(wanted, Enum) else _EXPECTED[wanted]
        if isinstance(self.value, list) or self.value.is_string != (wanted is str):
            raise self.error(expected)
        text = self.value.text
        found = None
        if wanted is str:
            found = text
        elif isinstance(wanted, Enum):
            found = text if text in wanted.numbers else wanted.names.get(_integer(text))
        elif wanted is bool:
            found = _BOOLS.get(text)
        elif wanted is float and _FLOAT.fullmatch(text):
            found = _as_float32(float(text if "inf" in text.lower() else text.rstrip("fF")))
        elif wanted is int:
            found = _integer(text)
        if found is None:
            raise self.error(expected)
        return found


def _integer(text):
    """The int that a text is, or None."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.lstrip("-")
    octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    number = int(text, 8 if octal else 0)
    return number if abs(number) < _MOST_INT else None


def _as_float32(number):
    # Caffe's numbers are float32; the shortest text of such a one is what was meant: 0.1, not 0.10000000149.
    with np.errstate(over="ignore"):
        return float(str(np.float32(number)))


def _note_unknown(fields, name):
    if len(fields.unknown) < 8:
        fields.unknown.append(name[:40])


def _listed(enum):
    return " or ".join(enum.numbers) if len(enum.numbers) < 8 else "a type of layer, as CONVOLUTION"


def _version_0(file):
    return FormatError(file, "layers of version 0: upgrade it with Caffe's upgrade_net_proto_binary or _text")


class Layer:
    """One of Caffe's layers, of whichever version and form.

    type     as in version 2: "InnerProduct"
    bottoms, tops  the blobs that it reads and writes
    blobs    its arrays of weights, Messages of the wire
    fields   everything that the file says of it
    """

    def __init__(self, file, fields, version):
        self.file, self.fields = file, fields
        self.name, self.type = fields.get("name", ""), fields.get("type", "NONE" if version == 1 else "")
        if version == 1:
            self.type = caffe_schema.V1_TYPES[self.type][1]
        self.bottoms, self.tops = fields.get("bottom", []), fields.get("top", [])
        self.blobs = fields.get("blobs", [])

    def error(self, reason):
        return FormatError(self.file, f"layer {self.name[:80]!r} ({self.type[:80]}): {reason}")

    def param(self, name):
        """The Fields of what the layer is told, empty ones if nothing."""
        return self.fields.get(name, Fields())

    def unknown(self):
        """The fields that the schema does not have."""
        inner = [(name, value.unknown) for name, value in self.fields.items() if isinstance(value, Fields)]
        return self.fields.unknown + [f"{name}.{field}" for name, fields in inner for field in fields]


class Description:
    """A net as a file describes it.

    inputs  {blob: its shape, a list, or None}: those of the net itself, not of layers that read data
    layers  [Layer]
    """

    def __init__(self, file, fields):
        self.file = file
        if fields.unknown:
            raise FormatError(file, f"no net: it has {', '.join(fields.unknown)}")
        self.layers = [Layer(file, layer, 1) for layer in fields.get("layers", [])]
        self.layers += [Layer(file, layer, 2) for layer in fields.get("layer", [])]
        names, shapes = fields.get("input", []), [s.get("dim", []) for s in fields.get("input_shape", [])]
        dims = fields.get("input_dim", [])
        shapes = shapes or [dims[i : i + 4] for i in range(0, len(dims), 4)]
        if shapes and len(shapes) != len(names):
            raise FormatError(file, f"{len(names)} inputs and the shapes of {len(shapes)}")
        self.inputs = dict(zip(names, shapes or [None] * len(names)))


def read_caffemodel(path):
    """The Description in a `.caffemodel`."""
    return Description(path, from_wire(wire.Message(read_whole(path), path), caffe_schema.NET))


def read_prototxt(path):
    """The Description in a `.prototxt`."""
    return Description(path, from_text(prototxt.read(path), caffe_schema.NET, path))
