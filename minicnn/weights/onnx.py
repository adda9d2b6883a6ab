"""ONNX: `.onnx`, a whole net. Field numbers: onnx.proto.

What the file's messages hold is read here; what its operators mean stands in onnx_operators and its neighbours.
Functions, subgraphs, sparse tensors and tensors in other files are refused.
"""

from typing import NamedTuple

from ..errors import FormatError
from ..files import read_whole
from . import onnx_graph, wire
from .onnx_tensor import Tensor

FORMAT = "onnx"
SUFFIXES = (".onnx",)

# AttributeProto: its fields, and the number of the type that a field's presence tells where the type is not said.
_ATTRIBUTE_TYPES = {2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 10: 9, 11: 10, 22: 11, 23: 12, 14: 13, 15: 14}


class Attribute(NamedTuple):
    """A node's attribute; type is AttributeProto's, and only what belongs to it counts."""

    type: int
    f: float
    i: int
    s: str
    t: Tensor | None
    floats: tuple
    ints: tuple


class Node(NamedTuple):
    """NodeProto: an operator; attributes {name: Attribute}."""

    name: str
    op: str
    domain: str
    inputs: tuple
    outputs: tuple
    attributes: dict


class Input(NamedTuple):
    """ValueInfoProto: type is a TensorProto's DataType, shape a tuple with None for what is open; both may be None."""

    name: str
    type: int | None
    shape: tuple | None


class Model(NamedTuple):
    """ModelProto and its GraphProto; constants {name: Tensor}, inputs without those that are constants."""

    file: str
    size: int  # of the file
    opset: int
    nodes: list
    constants: dict
    inputs: list
    outputs: list


def sniff(head):
    """The version of the format, field 1 and a small number; then any other field of a model."""
    if head[4:9] == b"\0\0\0\0{":  # safetensors, whose first byte is a length and may be anything
        return False
    # Fields 2 to 8, 14, 20 and 25 of ModelProto.
    others = (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"\x42", b"\x72", b"\xa2\x01", b"\xca\x01")
    return head[:1] == b"\x08" and b"\0" < head[1:2] < b"\x40" and head[2:].startswith(others)


def read(path):
    """Read an `.onnx` file: path -> Checkpoint with the graph, and the tensors named as its net's state_dict."""
    data = read_whole(path)
    return onnx_graph.to_checkpoint(FORMAT, _model(wire.Message(data, path), len(data)))


def _model(message, size):
    opset, graph = None, None
    for number, kind, value in message:
        if number == 7:
            if graph is not None:
                raise message.error("two graphs")
            graph = _graph(message.inner(kind, value))
        elif number == 8:
            domain, version = _opset(message.inner(kind, value))
            opset = version if domain in onnx_graph.DOMAINS else opset
        elif number == 25:
            raise FormatError(message.file, "the model has functions, which are not read")
    if graph is None:
        raise FormatError(message.file, "no graph in it: not an ONNX model, or a damaged one")
    return Model(message.file, size, 1 if opset is None else opset, *graph)


def _opset(message):
    domain, version = "", 0
    for number, kind, value in message:
        if number == 1:
            domain = message.text(kind, value)
        elif number == 2:
            version = message.integer(kind, value)
    return domain, version


def _graph(message):
    nodes, constants, inputs, outputs = [], {}, [], []
    for number, kind, value in message:
        if number == 1:
            nodes.append(_node(message.inner(kind, value)))
        elif number == 5:
            tensor = Tensor(message.inner(kind, value))
            if tensor.name in constants:
                raise FormatError(message.file, "stands twice among the initializers", tensor.name)
            constants[tensor.name] = tensor
        elif number == 11:
            inputs.append(_input(message.inner(kind, value)))
        elif number == 12:
            outputs.append(_input(message.inner(kind, value)).name)
        elif number == 15:
            raise FormatError(message.file, "sparse tensors, which are not read")
    # Before version 4 of the format every initializer is an input too.
    return nodes, constants, [i for i in inputs if i.name not in constants], outputs


def _node(message):
    texts = {3: "", 4: "", 7: ""}
    inputs, outputs, attributes = [], [], {}
    for number, kind, value in message:
        if number in texts:
            texts[number] = message.text(kind, value)
        elif number in (1, 2):
            (inputs if number == 1 else outputs).append(message.text(kind, value))
        elif number == 5:
            name, attribute = _attribute(message.inner(kind, value))
            if name in attributes:
                raise message.error(f"a node with two attributes {name!r}")
            attributes[name] = attribute
    return Node(texts[3], texts[4], texts[7], tuple(inputs), tuple(outputs), attributes)


def _attribute(message):
    name, type_, seen = "", 0, 0
    f, i, s, t, floats, ints = 0.0, 0, "", None, [], []
    for number, kind, value in message:
        seen = _ATTRIBUTE_TYPES.get(number, seen)
        if number == 1:
            name = message.text(kind, value)
        elif number == 20:
            type_ = message.integer(kind, value)
        elif number == 2:
            f = (message.floats(kind, value) or [0.0])[-1]
        elif number == 3:
            i = message.integer(kind, value)
        elif number == 4:
            s = message.text(kind, value)
        elif number == 5:
            t = Tensor(message.inner(kind, value))
        elif number == 7:
            floats += message.floats(kind, value)
        elif number == 8:
            ints += message.integers(kind, value)
    return name, Attribute(type_ or seen, f, i, s, t, tuple(floats), tuple(ints))


def _input(message):
    # ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1, and other fields for what is no tensor.
    name, type_, shape = "", None, None
    for number, kind, value in message:
        if number == 1:
            name = message.text(kind, value)
        elif number == 2:
            for field, *tensor in message.inner(kind, value):
                if field == 1:
                    type_, shape = _tensor_type(message.inner(*tensor))
    return Input(name, type_, shape)


def _tensor_type(message):
    # elem_type 1, shape 2; TensorShapeProto: dim 1; Dimension: dim_value 1, dim_param 2.
    type_, shape = None, None
    for number, kind, value in message:
        if number == 1:
            type_ = message.integer(kind, value)
        elif number == 2:
            dims = message.inner(kind, value)
            shape = tuple(_dim(dims.inner(*dim)) for field, *dim in dims if field == 1)
    return type_, shape


def _dim(message):
    # Some writers say 0 or -1 for what is open.
    sizes = [message.integer(kind, value) for number, kind, value in message if number == 1]
    return sizes[-1] if sizes and sizes[-1] > 0 else None
