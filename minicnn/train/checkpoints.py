"""The state of a run in one file, written whole or not at all.

A safetensors file: the arrays by name, everything else as JSON in its metadata.
"""

import json

import numpy as np
import safetensors
from safetensors.numpy import save as to_bytes

from ..errors import FormatError
from ..files import read_whole, write_whole

_KEY = "minicnn.train"


def write(path, arrays, rest):
    """arrays {name: array}, rest anything that JSON holds; the old file stays until the new one is on the disk."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    data = to_bytes(arrays, {_KEY: json.dumps(rest)})
    with write_whole(path) as file:
        file.write(data)


def read(path):
    """(arrays, rest) as `write` was given them; the arrays can be written to. Raises MissingFileError, FormatError."""
    data = read_whole(path)
    try:
        tensors = safetensors.deserialize(data)
        end = 8 + int.from_bytes(data[:8], "little")
        rest = json.loads(json.loads(data[8:end])["__metadata__"][_KEY])
        arrays = {
            name: np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"]).copy()
            for name, tensor in tensors
        }
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FormatError(path, f"is no checkpoint of a training run ({type(error).__name__}: {error})") from error
    return arrays, rest


_DTYPES = {"F32": np.float32, "F64": np.float64}
