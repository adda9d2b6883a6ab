"""PyTorch `.pth`, `.pt`, `.th`: the form that torch wrote until 1.6, and still writes if asked to.

Five pickles one after another: a magic number, the version 1001, the writer's machine, the state dict, and the keys of
its storages; then for each key the number of its elements (8 bytes) and the elements, always little-endian. What the
tensors are called and become is told in `torch_zip`.
"""

import struct

from ..errors import FormatError
from ..files import read_whole
from . import torch_objects
from .checkpoint import Checkpoint
from .pickle_machine import Machine

FORMAT = "torch"
SUFFIXES = (".pth", ".pt", ".th")

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_MOST_SMALL_BYTES, _MOST_BYTES, _MOST_KEY_BYTES = 4096, 16 << 20, 1 << 20  # of the first three pickles and the others
_MOST_STORAGES = 20_000
_PREAMBLE = {  # what the first three pickles hold
    "magic number": lambda value: value == _MAGIC,
    "version": lambda value: value == _VERSION,
    "description of the writer's machine": lambda value: isinstance(value, dict),
}
_SAVE_AGAIN = "load it with PyTorch and save its state_dict() again"


def sniff(head):
    """A pickle that begins with the magic number, or a tar, which torch wrote at first and which `read` refuses."""
    return _is_tar(head) or (head[:1] == b"\x80" and _MAGIC.to_bytes(10, "little") in head[:40])


def read(path):
    """Read a legacy `.pth`: path -> Checkpoint of the state dict in it, under `state_dict` or `model` if need be."""
    data = read_whole(path)
    if _is_tar(data):
        raise FormatError(path, f"a tar archive; if it is torch's first form of weights, {_SAVE_AGAIN}")
    pos = 0
    for what, is_good in _PREAMBLE.items():
        machine = Machine(data[pos : pos + _MOST_SMALL_BYTES], path, (), _no_storage)
        if not is_good(machine.run()):
            raise FormatError(path, f"torch's legacy form, but with another {what}")
        pos += machine.pos
    state, declared, size = _state(data[pos : pos + _MOST_BYTES], path)
    views = torch_objects.views(state, path)
    stored = _storages(data, path, pos + size, declared)
    return Checkpoint(FORMAT, torch_objects.tensors(views, path, lambda storage: stored[storage.key]))


def _state(pickle, path):
    """(the object that the pickle holds, {key: Storage} of all that it names, how many bytes it has)."""
    declared = {}

    def remember(persistent_id):
        storage = torch_objects.storage(persistent_id)
        whole = storage._replace(part=None)
        if declared.setdefault(storage.key, whole) != whole:
            raise ValueError(f"storage {storage.key!r} is declared twice, and not alike")
        if len(declared) > _MOST_STORAGES:
            raise ValueError(f"more than {_MOST_STORAGES} storages")
        return storage

    machine = Machine(pickle, path, torch_objects.NAMES, remember)
    try:
        return machine.run(), declared, machine.pos
    except FormatError as error:
        # A module's id is ("module", its class, the file that defines it, its source): the class is refused.
        if machine.stack[-1:] == ["module"]:
            raise FormatError(path, f"holds a whole module, which is code: {_SAVE_AGAIN}") from error
        raise


def _storages(data, path, pos, declared):
    """{key: its bytes}, of all keys in the list at `pos`, in its order; nothing is copied."""
    machine = Machine(data[pos : pos + _MOST_KEY_BYTES], path, (), _no_storage)
    keys = machine.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise FormatError(path, "no list of storages behind the state dict")
    if len(set(keys)) != len(keys) or set(keys) != declared.keys():
        raise FormatError(path, f"lists {len(keys)} storages, its tensors are views of {len(declared)}, or of others")
    pos += machine.pos
    stored = {}
    for key in keys:
        storage = declared[key]
        if len(data) - pos < 8 + storage.size:
            raise FormatError(path, f"storage {key!r}: {len(data) - pos} bytes left of {8 + storage.size}: truncated")
        (elements,) = struct.unpack_from("<q", data, pos)
        if elements != storage.elements:
            raise FormatError(path, f"storage {key!r} has {elements} elements, its tensors say {storage.elements}")
        stored[key] = memoryview(data)[pos + 8 : pos + 8 + storage.size]
        pos += 8 + storage.size
    if pos != len(data):
        raise FormatError(path, f"{len(data) - pos} bytes behind the last storage")
    return stored


def _no_storage(persistent_id):
    raise ValueError("a persistent id where no tensor is")


def _is_tar(head):
    return head[257:262] == b"ustar"
