"""What a torch pickle describes: tensors as views of storages, in the words of torch's own rebuilding functions."""

from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from .checkpoint import MOST_AXES, bfloat16, count, to_float32
from .pickle_machine import Global

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
    """A run of elements: a key of DTYPES (None: bytes of no type yet), its name in the file, how many.

    part  (first, count) where only these elements are meant
    """

    dtype: str | None
    key: str
    elements: int
    part: tuple | None = None

    @property
    def size(self):
        """In bytes."""
        return self.elements * (1 if self.dtype is None else np.dtype(DTYPES[self.dtype]).itemsize)


class View(NamedTuple):
    """A tensor: offset and strides in elements of the storage."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def views(state, path):
    """The state dict in the object of a pickle, under `state_dict` or `model` if need be: {name: View}."""
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


def tensors(views, path, read, order="<"):
    """{name: View} -> {name: array}, not copied: tensors that share a storage share an array, however many they are.

    read   Storage -> all its bytes; raises FormatError if they are not in the file
    order  "<" if the lowest byte of a number comes first, ">" if the highest
    Half, bfloat16 and double become float32.
    """
    storages = {}

    def load(storage):
        whole = storage._replace(part=None)
        if storage.key not in storages:
            values = np.frombuffer(read(whole), np.dtype(DTYPES[whole.dtype]).newbyteorder(order))
            storages[storage.key] = whole, (bfloat16 if whole.dtype == "BFloat16" else to_float32)(values)
        known, values = storages[storage.key]
        if known != whole:  # what was checked for one view says nothing about another
            both = " and ".join(f"{s.elements} {s.dtype}" for s in (known, whole))
            raise FormatError(path, f"storage {storage.key!r} holds {both} elements")
        first, held = storage.part or (0, storage.elements)
        return values[first : first + held]

    return {name: _array(path, name, view, load) for name, view in views.items()}


def _array(path, name, view, load):
    storage, offset, shape, strides = view
    elements = count(path, name, shape)
    if len(strides) != len(shape):
        raise FormatError(path, f"strides {strides} for shape {shape}", name)
    end = offset + sum((size - 1) * stride for size, stride in zip(shape, strides)) + 1 if elements else offset
    held = storage.part[1] if storage.part else storage.elements
    # A tensor of more elements than its storage would repeat some: a few bytes could ask for gigabytes.
    if end > held or elements > held:
        raise FormatError(path, f"shape {shape}, strides {strides} at {offset} leave {held} elements", name)
    values = load(storage)
    if not elements:
        return np.zeros(shape, values.dtype)
    steps = tuple(stride * values.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(values[offset:], shape, steps, writeable=False)


def storage(persistent_id):
    """What a persistent id stands for: ("storage", torch.FloatStorage, key, location, elements) -> Storage.

    An untyped storage counts bytes. The legacy form adds None, or (name, first, count) for a part of the elements.
    Raises ValueError for anything else.
    """
    if not isinstance(persistent_id, tuple) or len(persistent_id) not in (5, 6) or persistent_id[0] != "storage":
        raise ValueError("a persistent id that is no storage")
    _, kind, key, _, elements, part = (*persistent_id, None)[:6]
    name = getattr(kind, "name", "")
    dtype = None if name == _UNTYPED else name.removeprefix("torch.").removesuffix("Storage")
    if (dtype is not None and dtype not in DTYPES) or not isinstance(key, str) or not _is_size(elements):
        raise ValueError("a storage without type, key or size")
    return Storage(dtype, key, elements, None if part is None else _part(part, dtype, elements))


def _part(part, dtype, elements):
    if not isinstance(part, tuple) or len(part) != 3 or not all(map(_is_size, part[1:])) or dtype is None:
        raise ValueError("a part of a storage without beginning or size")
    if sum(part[1:]) > elements:
        raise ValueError(f"a part of {part[2]} elements from {part[1]} of {elements}")
    return part[1:]


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


NAMES = (
    Global("torch._utils._rebuild_tensor", _tensor_v2),
    Global("torch._utils._rebuild_tensor_v2", _tensor_v2),
    Global("torch._utils._rebuild_tensor_v3", _tensor_v3),
    Global("torch._utils._rebuild_parameter", _parameter),
    Global("torch.Size", _size),
    Global(_UNTYPED),
    *(Global(f"torch.{name}Storage") for name in DTYPES),
    *(Global(name) for name in _DTYPE_NAMES),
)
