"""Caffe: `.caffemodel` (layers of version 1 and 2) and `.binaryproto` (a mean image). Field numbers: caffe.proto.

Tensors are called "layer.0" (weights) and "layer.1" (bias), as float32; convolutions (out, in/group, kh, kw), inner
products (out, in). Layers without weights, as data, loss and ReLU, are left out.
"""

import numpy as np

from ..errors import FormatError
from ..files import read_whole
from . import wire
from .checkpoint import Checkpoint, count, to_float32

FORMAT = "caffe"
SUFFIXES = (".caffemodel",)

# NetParameter: name 1, layers 2 (V1LayerParameter), layer 100 (LayerParameter).
_NAME, _LAYERS_V1, _LAYERS_V2 = 1, 2, 100
# Inside a layer: (name, type, blobs). A V1 layer that has field 1 wraps a V0 layer.
_FIELDS = {_LAYERS_V1: (4, 5, 6), _LAYERS_V2: (1, 2, 7)}
_V1_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}  # the ones of version 1 that have weights


def sniff(head):
    """A net's name, then layers or inputs; protobuf has no mark of its own."""
    if head[4:9] == b"\0\0\0\0{":  # safetensors, whose first byte is a length and may be anything
        return False
    if head[:1] == b"\n" and len(head) > 1 and head[1] < 128:  # field 1, the net's name
        head = head[2 + head[1] :]
    # Fields 2 to 8 of NetParameter, then 100.
    return head[:1] in tuple(bytes([b]) for b in b'\x12\x1a\x20"\x28\x32\x38\x42') or head[:2] == b"\xa2\x06"


def read(path):
    """Read a `.caffemodel`: path -> Checkpoint with tensors "layer.0", "layer.1" and the layers' types."""
    net = wire.Message(read_whole(path), path)
    tensors, types = {}, {}
    for number, kind, value in net:
        if number not in _FIELDS:
            continue
        name, type_, blobs = _layer(net.inner(kind, value), version=number)
        if not blobs:
            continue
        if name in types:
            raise FormatError(path, f"two layers are called {name!r}")
        types[name] = type_
        for i, blob in enumerate(blobs):
            tensor = f"{name}.{i}"
            array, legacy = blob_array(blob, tensor)
            tensors[tensor] = _without_ones(array, path, tensor, type_, i) if legacy else array
    if not tensors:
        raise FormatError(path, "no layer with weights in it: not a caffemodel, or one of a net that was never trained")
    return Checkpoint(FORMAT, tensors, types)


def read_mean(path):
    """Read a `.binaryproto`, a mean image: path -> (C, H, W) float32, BGR, 0-255 as the net that it belongs to."""
    array, _ = blob_array(wire.Message(read_whole(path), path), "mean")
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise FormatError(path, f"a mean image has shape (C, H, W), this one {array.shape}", "mean")
    return array


def _layer(layer, version):
    name_field, type_field, blobs_field = _FIELDS[version]
    name, type_, blobs = "", "", []
    for number, kind, value in layer:
        if number == name_field:
            name = layer.text(kind, value)
        elif number == type_field and version == _LAYERS_V1:
            code = layer.integers(kind, value)[-1:]
            type_ = _V1_TYPES.get(*code, f"type {code[0]}") if code else ""
        elif number == type_field:
            type_ = layer.text(kind, value)
        elif number == blobs_field:
            blobs.append(layer.inner(kind, value))
        elif number == 1 and version == _LAYERS_V1:
            raise FormatError(layer.file, "layers of version 0: upgrade it with Caffe's upgrade_net_proto_binary")
    return name, type_, blobs


def blob_array(blob, tensor):
    """An array of a BlobProto: a Message -> (float32 array, whether its shape is the legacy one of four axes).

    tensor  what errors call it
    """
    # BlobProto: legacy num 1 channels 2 height 3 width 4, data 5, shape 7, double_data 8.
    legacy, shape, is_legacy = [0, 0, 0, 0], [], False
    data = {5: bytearray(), 8: bytearray()}
    for number, kind, value in blob:
        if number <= 4:
            is_legacy, sizes = True, blob.integers(kind, value)
            legacy[number - 1] = sizes[-1] if sizes else 0
        elif number in data:
            width = wire.FIXED32 if number == 5 else wire.FIXED64
            if kind not in (width, wire.BYTES):
                raise FormatError(blob.file, f"kind {kind} where numbers are expected", tensor)
            data[number] += value
        elif number == 7:
            dims = blob.inner(kind, value)
            shape += [size for field, *dim in dims if field == 1 for size in dims.integers(*dim)]
    shape = legacy if is_legacy else shape
    return _array(blob.file, tensor, shape, data), is_legacy


def _array(file, tensor, shape, data):
    dtype, values = ("<f8", data[8]) if data[8] else ("<f4", data[5])
    needed, itemsize = count(file, tensor, shape), np.dtype(dtype).itemsize
    if needed * itemsize != len(values):
        raise FormatError(
            file, f"shape {tuple(shape)} needs {needed * itemsize} bytes, the file has {len(values)}", tensor
        )
    return to_float32(np.frombuffer(values, dtype).reshape(shape))


def _without_ones(array, file, tensor, type_, index):
    # The legacy form fills every shape up to four axes: inner products are (1, 1, N, K), biases (1, 1, 1, N).
    keep = 1 if index else 2 if type_ == "InnerProduct" else 4
    if any(size != 1 for size in array.shape[: 4 - keep]):
        raise FormatError(file, f"shape {array.shape}, expected 1 for the first {4 - keep}", tensor)
    return array.reshape(array.shape[4 - keep :])
