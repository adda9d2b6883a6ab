"""minicnn's own form: safetensors, whose metadata hold the graph and, where the net has one, its `Meta`.

    "graph"          the nodes as JSON (see graph_json.py); what has none is somebody else's file
    "content"        sha256 of the whole file in which these 64 digits are zeros: what `content_is_whole` checks
    Meta's fields    all of them or none
    "meta:mean_image"  among the tensors: the mean image of Meta; no node's name has a colon

The safetensors library reads and writes it.
"""

import hashlib
import json

import numpy as np
import safetensors
from safetensors.numpy import save as _to_bytes

from .. import kernels
from ..errors import FormatError, MinicnnError
from ..files import read_whole, require_file, write_whole
from ..mean_image import MeanImage
from ..meta import Meta
from . import graph_json
from .checkpoint import Checkpoint, Graph, bfloat16, to_float32

FORMAT = "native"
SUFFIXES = (".safetensors",)

_MOST_HEADER = 2 << 20  # the objects of a header take many times its bytes; ResNet-152's has 100 thousand
_GRAPH, _CONTENT, _MEAN_IMAGE = "graph", "content", "meta:mean_image"
_ZEROS = "0" * 64
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
    """Read a safetensors file: path -> Checkpoint; without graph and meta if it was not minicnn that wrote it."""
    data = read_whole(path)
    _check_header(path, data)
    try:
        tensors = safetensors.deserialize(data)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise FormatError(path, f"{error} (safetensors)") from error
    metadata = _metadata(path, data)
    del data
    if _GRAPH not in metadata:
        return Checkpoint(FORMAT, {name: _array(path, name, tensor) for name, tensor in tensors})
    nodes, input, dtype = graph_json.from_json(metadata[_GRAPH], path)
    arrays = {name: _array(path, name, tensor, wide=dtype == "float64") for name, tensor in tensors}
    meta = _meta(path, metadata, arrays.pop(_MEAN_IMAGE, None))
    graph = Graph(nodes, input, meta and meta.input_size)
    return Checkpoint(FORMAT, arrays, meta=meta, graph=graph, dtype=dtype)


def read_meta(path):
    """The Meta of a file of minicnn's without its mean image, or None; reads the header alone, and checks no more."""
    require_file(path)
    with open(path, "rb") as file:
        head = file.read(8)
        data = head + file.read(min(_header_end(head) - 8, _MOST_HEADER))
    try:
        metadata = _metadata(path, data)
        return _meta(path, metadata, None) if _GRAPH in metadata else None
    except FormatError:
        return None


def save(path, net, half=False):
    """Write a net: its graph, its arrays and its meta; the file appears whole or not at all.

    half  weights of two and more dimensions as float16: half the bytes, about three digits
    Raises MinicnnError where a layer is not one of minicnn's or has no parameters yet, OutputError.
    """
    host = kernels.get(net.backend).to_host if net.backend else np.asarray
    tensors = {name: np.asarray(host(array), order="C") for name, array in net.state_dict().items()}
    if half:
        tensors = {name: a.astype(np.float16) if a.ndim > 1 else a for name, a in tensors.items()}
    metadata = {_GRAPH: graph_json.to_json(net), _CONTENT: _ZEROS}
    graph_json.from_json(metadata[_GRAPH], path)  # what is written can be read
    if net.meta is not None:
        metadata |= net.meta.to_strings()
        if net.meta.mean_image is not None:
            tensors[_MEAN_IMAGE] = net.meta.mean_image.values
    data = _to_bytes(tensors, metadata)
    end = _header_end(data)
    if end > _MOST_HEADER:
        raise MinicnnError(f"cannot write {path}: its description takes {end} bytes, at most {_MOST_HEADER} are read")
    header, values = _in_order(data[8:end]), memoryview(data)[end:]
    digest = hashlib.sha256(header)
    digest.update(values)
    with write_whole(path) as file:
        file.write(header.replace(_content_field(_ZEROS), _content_field(digest.hexdigest()), 1))
        file.write(values)


def _in_order(text):
    """A header's length and its text with the metadata in order: the library's differs from one save to the next."""
    header = json.loads(text)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def content_is_whole(path):
    """Whether a file of minicnn's is, to the bit, what was written; raises FormatError for somebody else's."""
    data = read_whole(path)
    _check_header(path, data)
    recorded = _metadata(path, data).get(_CONTENT)
    if recorded is None:
        raise FormatError(path, "records no hash of its content: it was not minicnn that wrote it")
    end = _header_end(data)
    digest = hashlib.sha256(data[:end].replace(_content_field(recorded), _content_field(_ZEROS), 1))
    digest.update(memoryview(data)[end:])
    return digest.hexdigest() == recorded


def _content_field(digits):
    return f'"{_CONTENT}":"{digits}"'.encode()


def _header_end(data):
    return 8 + int.from_bytes(data[:8], "little")


def _check_header(path, data):
    if (length := _header_end(data) - 8) > _MOST_HEADER:
        raise FormatError(path, f"a header of {length} bytes, at most {_MOST_HEADER} are read")


def _meta(path, metadata, mean_image):
    strings = {name: text for name, text in metadata.items() if name not in (_GRAPH, _CONTENT)}
    if not strings and mean_image is None:
        return None
    try:
        mean_image = None if mean_image is None else MeanImage(mean_image)
    except FormatError as error:
        raise FormatError(path, error.reason, _MEAN_IMAGE) from error
    return Meta.from_strings(strings, path, mean_image)


def _metadata(path, data):
    """The header's "__metadata__"; raises FormatError for a header that is no JSON.

    The library checks everything but this: a name that stands twice, of which it takes the last.
    """

    def unique(pairs):
        if len(found := dict(pairs)) != len(pairs):
            raise FormatError(path, "a name stands twice in the header")
        return found

    try:
        header = json.loads(data[8 : _header_end(data)], object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"the header is not JSON: {str(error)[:80]}") from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _array(path, name, tensor, wide=False):
    """wide: whether float64 stays float64."""
    dtype = tensor["dtype"]
    if dtype not in _DTYPES:
        raise FormatError(path, f"type {dtype}, which minicnn does not compute with", name[:80])
    values = np.frombuffer(tensor["data"], _DTYPES[dtype]).reshape(tensor["shape"])
    if dtype == "F64" and wide:
        return values.astype(np.float64, copy=False)
    return bfloat16(to_float32(values)) if dtype == "BF16" else to_float32(values)
