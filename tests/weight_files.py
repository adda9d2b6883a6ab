"""Makers of weight files, byte by byte from the formats' descriptions; nothing here uses minicnn."""

import io
import struct
import zipfile

import numpy as np

# Protobuf


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field_int(number, n):
    return varint(number << 3) + varint(n)


def field_bytes(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def shape_field(shape, packed=True):
    dims = field_bytes(1, b"".join(map(varint, shape))) if packed else b"".join(field_int(1, d) for d in shape)
    return field_bytes(7, dims)


def legacy_fields(shape):
    return b"".join(field_int(i + 1, size) for i, size in enumerate(shape))


def data_field(values, packed=True, double=False):
    values = np.asarray(values, "<f8" if double else "<f4").ravel()
    number, kind = (8, 1) if double else (5, 5)
    if packed:
        return field_bytes(number, values.tobytes())
    return b"".join(varint(number << 3 | kind) + v.tobytes() for v in values)


def blob(array, packed=True, double=False):
    return shape_field(np.shape(array), packed) + data_field(array, packed, double)


def legacy_blob(array, shape):
    return legacy_fields(shape) + data_field(array)


def layer_v2(name, type_, *blobs):
    return field_bytes(100, field_bytes(1, name) + field_bytes(2, type_) + b"".join(field_bytes(7, b) for b in blobs))


def layer_v1(name, type_, *blobs):
    return field_bytes(2, field_bytes(4, name) + field_int(5, type_) + b"".join(field_bytes(6, b) for b in blobs))


def caffemodel(*layers, name="tiny"):
    return field_bytes(1, name) + b"".join(layers)


# Pickle, protocol 2


class Raw(bytes):
    """Opcodes that stand for an object."""


def glob(module, name):
    return Raw(b"c" + module.encode() + b"\n" + name.encode() + b"\n")


def call(function, *args):
    return Raw(function + opcodes(args) + b"R")


def opcodes(value):
    if isinstance(value, Raw):
        return value
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        if -(1 << 31) <= value < 1 << 31:
            return b"J" + struct.pack("<i", value)
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes, value)) + b"e"
    return b"}(" + b"".join(opcodes(k) + opcodes(v) for k, v in value.items()) + b"u"


def pickled(value):
    return b"\x80\x02" + opcodes(value) + b"."


# torch's zip form


def ordered_dict(items):
    made = call(glob("collections", "OrderedDict"))
    return Raw(made + b"(" + b"".join(opcodes(k) + opcodes(v) for k, v in items.items()) + b"u")


def storage(kind, key, elements, *part):
    """part: None or (name, first, count), in the legacy form."""
    name = glob(*kind) if isinstance(kind, tuple) else glob("torch", f"{kind}Storage")
    return Raw(opcodes(("storage", name, key, "cpu", elements, *part)) + b"Q")


def tensor(key, shape, strides=None, offset=0, elements=None, kind="Float", rebuild="_rebuild_tensor_v2", part=()):
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    elements = int(np.prod(shape)) if elements is None else elements
    args = (storage(kind, key, elements, *part), offset, shape, strides)
    return call(glob("torch._utils", rebuild), *args, *(() if rebuild == "_rebuild_tensor" else (False, None)))


def torch_zip(pickle, storages, root="archive", compression=zipfile.ZIP_STORED, **more):
    """storages: {key: bytes}; more: {record: bytes} under the root."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        z.writestr(f"{root}/data.pkl", pickle)
        for key, data in storages.items():
            z.writestr(f"{root}/data/{key}", data)
        for name, data in more.items():
            z.writestr(f"{root}/{name}", data)
    return out.getvalue()


# torch's legacy form

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def torch_legacy(state, storages, keys=None, magic=0x1950A86A20F9469CFC6C, version=1001, machine=MACHINE):
    """storages: {key: (elements, bytes)}; keys: what the list of them says, if not theirs."""
    keys = sorted(storages) if keys is None else keys
    data = b"".join(struct.pack("<q", storages[key][0]) + storages[key][1] for key in sorted(storages))
    return b"".join(map(pickled, (magic, version, machine, state, keys))) + data


# safetensors


def safetensors_file(header, data):
    """header: JSON text."""
    return struct.pack("<Q", len(header.encode())) + header.encode() + data
