"""MNIST's file format: a magic number, the sizes, then bytes."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from ..errors import FormatError, MissingFileError
from ..files import read_whole

_UNSIGNED_BYTE = 0x08
_MOST_BYTES = 1 << 30


def read_idx(path):
    """An array of unsigned bytes from an IDX file, gzipped or not.

        0, 0, type, number of axes (four bytes); each size as a big-endian 32-bit number; the data in C order

    out     uint8 of the shape that the file states
    Raises FormatError for another type, a damaged gzip, or sizes that the data do not fill exactly.
    [1] LeCun, Cortes & Burges, The MNIST database, "File formats"
    """
    data = read_whole(path)
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(path, data)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise FormatError(path, "not an IDX file: it does not begin with two zero bytes")
    if data[2] != _UNSIGNED_BYTE:
        raise FormatError(path, f"IDX type 0x{data[2]:02x}, only unsigned bytes (0x08) are read")
    axes = data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise FormatError(path, f"truncated: {axes} sizes do not fit into {len(data)} bytes")
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) - start != math.prod(shape):
        raise FormatError(path, f"sizes {shape} need {math.prod(shape)} bytes of data, {len(data) - start} are there")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_mnist(folder, part):
    """(images (N, 28, 28) uint8, labels (N,) uint8) of "train" or "t10k"; raises FormatError, MissingFileError."""
    images = read_idx(_file(folder, f"{part}-images-idx3-ubyte"))
    path = _file(folder, f"{part}-labels-idx1-ubyte")
    labels = read_idx(path)
    if images.shape != (len(labels), 28, 28) or labels.ndim != 1:
        raise FormatError(
            path, f"labels {labels.shape} do not fit images {images.shape}, expected (N,) and (N, 28, 28)"
        )
    if labels.size and labels.max() > 9:
        raise FormatError(path, f"label {labels.max()}, expected 0 to 9")
    return images, labels


def _file(folder, name):
    found = [path for path in (Path(folder) / f"{name}.gz", Path(folder) / name) if path.is_file()]
    if not found:
        raise MissingFileError(f"no {name} or {name}.gz in {folder}")
    return found[0]


def _gunzip(path, data):
    try:
        stream = gzip.GzipFile(fileobj=io.BytesIO(data))
        out = stream.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"damaged gzip: {error}") from error
    if len(out) > _MOST_BYTES:
        raise FormatError(path, f"unpacks to more than {_MOST_BYTES} bytes")
    return out
