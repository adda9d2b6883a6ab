"""minicnn's own form: safetensors, with a `Meta` in its metadata. The safetensors library reads and writes it."""

import json

import numpy as np
import safetensors
from safetensors.numpy import save as _to_bytes

from ..errors import FormatError
from ..files import read_whole, write_whole
from ..meta import Meta
from .checkpoint import Checkpoint, bfloat16, to_float32

FORMAT = "native"
SUFFIXES = (".safetensors",)

_MOST_HEADER = 2 << 20  # the objects of a header take many times its bytes; ResNet-152's has 100 thousand
_MARK = "architecture"  # the field that tells our metadata from somebody else's
# safetensors' name -> NumPy's code; BF16 is read as its bits
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def sniff(head):
    """Eight bytes that are the header's length, then the header, which is JSON."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000


def read(path):
    """Read a safetensors file: path -> Checkpoint; `meta` is None if it was not minicnn that wrote it."""
    data = read_whole(path)
    length = int.from_bytes(data[:8], "little")
    if length > _MOST_HEADER:
        raise FormatError(path, f"a header of {length} bytes, at most {_MOST_HEADER} are read")
    try:
        tensors = safetensors.deserialize(data)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise FormatError(path, f"{error} (safetensors)") from error
    metadata = _metadata(path, data[8 : 8 + length])
    del data
    meta = Meta.from_strings(metadata, path) if _MARK in metadata else None
    return Checkpoint(FORMAT, {name: _array(path, name, tensor) for name, tensor in tensors}, meta=meta)


def save(path, tensors, meta):
    """Write {name: array} and their Meta; the file appears whole or not at all. Raises OutputError."""
    contiguous = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with write_whole(path) as file:
        file.write(_to_bytes(contiguous, meta.to_strings()))


def _metadata(path, header):
    # The library has checked everything but this: a name that stands twice, of which it takes the last.
    def unique(pairs):
        if len(found := dict(pairs)) != len(pairs):
            raise FormatError(path, "a name stands twice in the header")
        return found

    try:
        return json.loads(header, object_pairs_hook=unique).get("__metadata__") or {}
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"the header is not JSON: {str(error)[:80]}") from error


def _array(path, name, tensor):
    dtype = tensor["dtype"]
    if dtype not in _DTYPES:
        raise FormatError(path, f"type {dtype}, which minicnn does not compute with", name[:80])
    values = np.frombuffer(tensor["data"], _DTYPES[dtype]).reshape(tensor["shape"])
    return bfloat16(to_float32(values)) if dtype == "BF16" else to_float32(values)
