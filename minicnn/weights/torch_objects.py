"""What a torch pickle describes: tensors as views of storages, in the words of torch's own rebuilding functions."""

from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from .checkpoint import MOST_AXES, count
from .pickle_machine import Global, Machine

# torch's name of a storage -> NumPy's code of an element. BFloat16 is read as its bits.
DTYPES = {
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "BFloat16": "u2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
_DTYPE_NAMES = {
    "torch.float32": "Float",
    "torch.float64": "Double",
    "torch.float16": "Half",
    "torch.bfloat16": "BFloat16",
    "torch.int64": "Long",
    "torch.int32": "Int",
    "torch.int16": "Short",
    "torch.int8": "Char",
    "torch.uint8": "Byte",
    "torch.bool": "Bool",
}
_UNTYPED = "torch.storage.UntypedStorage"
_WRAPPERS = ("state_dict", "model")
_PREFIX = "module."  # what torch's DataParallel puts before every name


class Storage(NamedTuple):
    """A run of elements: a key of DTYPES (None: bytes of no type yet), its name in the file, how many."""

    dtype: str | None
    key: str
    elements: int


class View(NamedTuple):
    """A tensor: offset and strides in elements of the storage."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def views(data, path):
    """The state dict of a pickle: bytes -> {name: View}. Raises FormatError."""
    state = Machine(data, path, _NAMES, _storage).run()
    for _ in _WRAPPERS:  # each may stand in the other, once
        inner = [state[w] for w in _WRAPPERS if isinstance(state, dict) and isinstance(state.get(w), dict)]
        state = inner[0] if inner else state
    if not isinstance(state, dict):
        raise FormatError(path, f"holds a {type(state).__name__}, not a state dict: save a net's state_dict()")
    found = {}
    for name, value in state.items():
        if not isinstance(value, View):
            raise FormatError(path, f"a {type(value).__name__}, not a tensor", str(name)[:80])
        name = str(name)
        found[name.removeprefix(_PREFIX)] = value
    if len(found) != len(state):
        raise FormatError(path, f"two tensors have the same name without {_PREFIX!r}")
    if not found:
        raise FormatError(path, "no tensors in it")
    return found


def array(path, name, view, load):
    """The tensor that a View describes, not copied; `load(storage)` gives the storage as a flat array."""
    storage, offset, shape, strides = view
    elements = count(path, name, shape)
    if len(strides) != len(shape):
        raise FormatError(path, f"strides {strides} for shape {shape}", name)
    end = offset + sum((size - 1) * stride for size, stride in zip(shape, strides)) + 1 if elements else offset
    # A tensor of more elements than its storage would repeat some: a few bytes could ask for gigabytes.
    if end > storage.elements or elements > storage.elements:
        raise FormatError(path, f"shape {shape}, strides {strides} at {offset} leave {storage.elements} elements", name)
    values = load(storage)
    if not elements:
        return np.zeros(shape, values.dtype)
    steps = tuple(stride * values.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(values[offset:], shape, steps, writeable=False)


def _storage(persistent_id):
    # ("storage", torch.FloatStorage, key, location, elements); an untyped one counts bytes
    if not isinstance(persistent_id, tuple) or len(persistent_id) != 5 or persistent_id[0] != "storage":
        raise ValueError("a persistent id that is no storage")
    _, kind, key, _, elements = persistent_id
    name = getattr(kind, "name", "")
    dtype = None if name == _UNTYPED else name.removeprefix("torch.").removesuffix("Storage")
    if (dtype is not None and dtype not in DTYPES) or not isinstance(key, str) or not _is_size(elements):
        raise ValueError("a storage without type, key or size")
    return Storage(dtype, key, elements)


def _tensor_v2(storage, offset, shape, strides, *_):
    # the rest: requires_grad, hooks, metadata
    if not isinstance(storage, Storage) or storage.dtype is None:
        raise ValueError("a tensor of no storage")
    return _view(storage, offset, shape, strides)


def _tensor_v3(storage, offset, shape, strides, _requires_grad, _hooks, dtype, *_):
    name = _DTYPE_NAMES.get(getattr(dtype, "name", ""))
    if not isinstance(storage, Storage) or storage.dtype is not None or name is None:
        raise ValueError("a tensor of no untyped storage or of no type")
    itemsize = np.dtype(DTYPES[name]).itemsize
    if storage.elements % itemsize:
        raise ValueError(f"a storage of {storage.elements} bytes for elements of {itemsize}")
    return _view(Storage(name, storage.key, storage.elements // itemsize), offset, shape, strides)


def _view(storage, offset, shape, strides):
    if not all(isinstance(sizes, tuple) and all(map(_is_size, sizes)) for sizes in (shape, strides, (offset,))):
        raise ValueError("a tensor whose offset, shape or strides are no sizes")
    if max(len(shape), len(strides)) > MOST_AXES:
        raise ValueError(f"a tensor of {max(len(shape), len(strides))} axes")
    return View(storage, offset, shape, strides)


def _parameter(tensor, *_):
    if not isinstance(tensor, View):
        raise ValueError("a parameter of no tensor")
    return tensor


def _size(sizes=()):
    if not isinstance(sizes, tuple | list) or len(sizes) > MOST_AXES:
        raise ValueError("a torch.Size of no sizes")
    return tuple(sizes)


def _is_size(value):
    return type(value) is int and 0 <= value < 1 << 63


_NAMES = (
    Global("torch._utils._rebuild_tensor", _tensor_v2),
    Global("torch._utils._rebuild_tensor_v2", _tensor_v2),
    Global("torch._utils._rebuild_tensor_v3", _tensor_v3),
    Global("torch._utils._rebuild_parameter", _parameter),
    Global("torch.Size", _size),
    Global(_UNTYPED),
    *(Global(f"torch.{name}Storage") for name in DTYPES),
    *(Global(name) for name in _DTYPE_NAMES),
)
