"""Makers of ONNX files, byte by byte from onnx.proto; nothing here uses minicnn or the onnx package."""

import numpy as np
from weight_files import field_bytes, field_int, varint

FLOAT, INT32, INT64, BOOL, FLOAT16, DOUBLE, BFLOAT16 = 1, 6, 7, 9, 10, 11, 16
_TYPES = {"float32": FLOAT, "int32": INT32, "int64": INT64, "bool": BOOL, "float16": FLOAT16, "float64": DOUBLE}


def field_float(number, value):
    return varint(number << 3 | 5) + np.array(value, "<f4").tobytes()


def dims(shape, packed=False):
    return field_bytes(1, b"".join(map(varint, shape))) if packed else b"".join(field_int(1, size) for size in shape)


def tensor(name, array, typed=False):
    """TensorProto; typed: in the list of its own type, packed, instead of as raw bytes."""
    array = np.asarray(array)
    kind = array.dtype.name
    head = dims(array.shape) + field_int(2, _TYPES[kind]) + field_bytes(8, name)
    if not typed:
        return head + field_bytes(9, array.astype(array.dtype.newbyteorder("<")).tobytes())
    if kind in ("float32", "float64"):
        return head + field_bytes(4 if kind == "float32" else 10, array.astype(f"<f{array.itemsize}").tobytes())
    numbers = array.view(np.uint16) if kind == "float16" else array
    return head + field_bytes(7 if kind == "int64" else 5, b"".join(varint(int(n)) for n in numbers.ravel()))


def attribute(name, value):
    """AttributeProto: an int, float, str, bytes (a TensorProto), or a list of ints or floats."""
    if isinstance(value, int):
        body = field_int(3, value) + field_int(20, 2)
    elif isinstance(value, float):
        body = field_float(2, value) + field_int(20, 1)
    elif isinstance(value, str):
        body = field_bytes(4, value) + field_int(20, 3)
    elif isinstance(value, bytes):
        body = field_bytes(5, value) + field_int(20, 4)
    elif any(isinstance(v, float) for v in value):
        body = b"".join(field_float(7, v) for v in value) + field_int(20, 6)
    else:
        body = b"".join(field_int(8, v) for v in value) + field_int(20, 7)
    return field_bytes(1, name) + body


def node(op, inputs, outputs, name="", domain="", **attributes):
    """NodeProto; inputs and outputs: names, separated by blanks, - for an absent one."""
    return (
        b"".join(field_bytes(1, "" if x == "-" else x) for x in inputs.split())
        + b"".join(field_bytes(2, "" if x == "-" else x) for x in outputs.split())
        + (field_bytes(3, name) if name else b"")
        + field_bytes(4, op)
        + (field_bytes(7, domain) if domain else b"")
        + b"".join(field_bytes(5, attribute(key, value)) for key, value in attributes.items())
    )


def value_info(name, shape, type_=FLOAT):
    """ValueInfoProto; shape: ints, names for what is open, None for an axis of which nothing is said; or None."""
    tensor_type = field_int(1, type_)
    if shape is not None:
        axes = [field_int(1, s) if isinstance(s, int) else field_bytes(2, s) if s else b"" for s in shape]
        tensor_type += field_bytes(2, b"".join(field_bytes(1, axis) for axis in axes))
    return field_bytes(1, name) + field_bytes(2, field_bytes(1, tensor_type))


def graph(nodes, constants=(), inputs=(("x", (1, 3, 6, 6)),), outputs=(("y", None),), more=b""):
    """GraphProto; constants: TensorProtos; inputs, outputs: (name, shape[, type])."""
    return (
        b"".join(field_bytes(1, n) for n in nodes)
        + field_bytes(2, "g")
        + b"".join(field_bytes(5, t) for t in constants)
        + b"".join(field_bytes(11, value_info(*i)) for i in inputs)
        + b"".join(field_bytes(12, value_info(*o)) for o in outputs)
        + more
    )


def model(nodes, constants=(), opset=13, more=b"", more_in_graph=b"", domain="", **of_graph):
    """ModelProto of a graph; more, more_in_graph: fields at the end of either."""
    opset_id = field_bytes(8, (field_bytes(1, domain) if domain else b"") + field_int(2, opset))
    body = field_bytes(7, graph(nodes, constants, more=more_in_graph, **of_graph))
    return field_int(1, 7) + field_bytes(2, "by hand") + body + opset_id + more


def good_model():
    """The bytes of a small net, (1, 3, 6, 6) to (1, 4), with most of the fields that a reader meets.

    Its types are mixed, which ONNX itself does not allow.
    """
    numbers = np.linspace(-1, 1, 64, dtype=np.float32)
    constants = [
        tensor("conv.w", numbers[:54].reshape(2, 3, 3, 3)),
        tensor("conv.b", numbers[:2], typed=True),
        tensor("bn", np.float32([1, 2])),
        tensor("shape", np.int64([1, -1]), typed=True),
        tensor("half", numbers.reshape(4, 16).astype(np.float16)),
        tensor("half_typed", numbers[:4].astype(np.float16), typed=True),
        tensor("double", numbers[:4].astype(np.float64), typed=True),
        field_int(1, 2) + field_int(2, BFLOAT16) + field_bytes(8, "brain") + field_bytes(9, b"\x80\x3f\0\0"),
        tensor("pads", np.int64([0, 0, 1, 1, 0, 0, 1, 1])),
        tensor("false", np.array(False), typed=True),
    ]
    nodes = [
        node("Constant", "", "zero", value=tensor("", np.float32(0))),
        node("Pad", "x pads zero", "padded", "pad", mode="constant"),
        node("Conv", "padded conv.w conv.b", "conv", "conv", kernel_shape=[3, 3], strides=[2, 2], group=1),
        node("BatchNormalization", "conv bn bn bn bn", "normed", "bn", epsilon=1e-3, momentum=0.8),
        node("Relu", "normed", "relu", "relu"),
        node("MaxPool", "relu", "pool", "pool", kernel_shape=[2, 2], ceil_mode=1, auto_pad="VALID"),
        node("AveragePool", "relu", "mean", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]),
        node("Mul", "mean brain_4d", "scaled"),
        node("Concat", "pool scaled", "both", axis=1),
        node("Dropout", "both - false", "dropped"),
        node("Reshape", "dropped shape", "flat"),
        node("Identity", "flat", "kept"),
        node("Gemm", "kept half half_typed", "scores", "fc", alpha=0.5, transB=1),
        node("Add", "scores double", "sum"),
        node("Softmax", "sum", "y", "prob", axis=-1),
    ]
    reshape = node("Reshape", "brain brain_shape", "brain_4d")
    constants.append(tensor("brain_shape", np.int64([1, 2, 1, 1])))
    kept = field_bytes(14, field_bytes(1, "k") + field_bytes(2, "v"))  # metadata_props
    return model([reshape, *nodes], constants, more=kept, outputs=[("y", (1, 4))])
