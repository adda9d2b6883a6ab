"""PyTorch `.pth`, `.pt`: the zip form that torch has written since 1.6.

A zip of stored records: `<root>/data.pkl` describes the tensors, `<root>/data/<key>` are the storages that they are
views of. Tensors keep their published names ("features.0.weight"); half and bfloat16 become float32, exactly, and
double is rounded to it.
"""

import mmap
import re
import zipfile
from contextlib import contextmanager

from ..errors import FormatError
from ..files import require_file
from . import torch_objects
from .checkpoint import Checkpoint
from .pickle_machine import Machine

FORMAT = "torch"
SUFFIXES = (".pth", ".pt")

_MOST_RECORDS = 20_000
_NO_OBJECT = "no data.pkl in the zip: not a file of torch.save"


def sniff(head):
    """A zip."""
    return head.startswith(b"PK\x03\x04")


def read(path):
    """Read a zip-form `.pth`: path -> Checkpoint of the state dict in it, under `state_dict` or `model` if need be."""
    require_file(path)
    with _zip(path) as (archive, records):
        roots = [name.partition("/")[0] for name in records if name.partition("/")[2] == "data.pkl"]
        if len(roots) != 1:
            raise FormatError(path, "two nets in one zip" if roots else _NO_OBJECT)
        root = roots[0]
        if f"{root}/constants.pkl" in records:
            raise FormatError(path, "this is a TorchScript program, not weights: save its state_dict()")
        order = archive.read(records[f"{root}/byteorder"]) if f"{root}/byteorder" in records else b"little"
        if order not in (b"little", b"big"):
            raise FormatError(path, f"byte order {order[:20]!r}")
        machine = Machine(archive.read(records[f"{root}/data.pkl"]), path, torch_objects.NAMES, torch_objects.storage)
        views = torch_objects.views(machine.run(), path)

        def stored(storage):
            return _storage(path, archive, records.get(f"{root}/data/{storage.key}"), storage)

        return Checkpoint(FORMAT, torch_objects.tensors(views, path, stored, "<" if order == b"little" else ">"))


def _storage(path, archive, record, storage):
    if record is None or record.file_size != storage.size:
        held = "is missing" if record is None else f"holds {record.file_size} bytes, not {storage.size}"
        raise FormatError(path, f"storage {storage.key!r} {held}")
    return archive.read(record)


@contextmanager
def _zip(path):
    # zipfile's own errors, of opening and of every read (a wrong checksum), become one FormatError.
    try:
        with open(path, "rb") as file:
            _limit_records(path, file)
            with zipfile.ZipFile(file) as archive:
                yield archive, _records(path, archive, file.seek(0, 2))
    except FormatError:
        raise
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
        OSError,
    ) as error:
        raise FormatError(path, f"a damaged or truncated zip: {error}") from error


def _limit_records(path, file):
    # ZipFile makes a large object of every small entry of its directory, before it can be asked how many there are.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for i, _ in enumerate(re.finditer(rb"PK\x01\x02", data)):
            if i >= _MOST_RECORDS:
                raise FormatError(path, f"more than {_MOST_RECORDS} records in the zip")


def _records(path, archive, size):
    records = {}
    for info in archive.infolist():
        if info.filename in records:
            raise FormatError(path, f"two records {info.filename[:80]!r} in the zip")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise FormatError(path, f"record {info.filename[:80]!r} is compressed or encrypted; torch stores")
        records[info.filename] = info
    if sum(info.file_size for info in records.values()) > size:
        raise FormatError(path, "records that overlap or are longer than the zip")
    return records
