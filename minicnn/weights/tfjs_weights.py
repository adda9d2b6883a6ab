"""The weights of a TensorFlow.js model: the manifest in its JSON, and the files that the manifest names."""

import os
from contextlib import ExitStack
from functools import partial

import numpy as np

from ..errors import FormatError, MissingFileError
from ..files import require_file
from .checkpoint import count, to_float32
from .keras_layer import brief, is_number

_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint16": "<u2", "uint8": "u1", "bool": "?"}
_QUANTIZED = ("uint8", "uint16", "float16")
_MOST_NAME, _PIECE = 400, 1 << 16


def read(path, manifest):
    """{name: a function of a change of layout, which returns the array as float32} of all but the optimizer's.

    path  of the model.json; the files are in its folder
    Raises FormatError for a manifest that does not fit the files, before it reads them.
    """
    groups = _list(path, manifest, "weightsManifest")
    sizes, seen = _sizes(path, groups), {}
    for group, files in zip(groups, sizes):
        specs = [_Spec(path, spec) for spec in _list(path, group.get("weights"), "weights")]
        needed, held = sum(spec.nbytes for spec in specs), sum(files.values())
        if needed != held:
            raise FormatError(path, f"its weights take {needed} bytes, {', '.join(files)[:200]} {held}")
        try:
            for spec, buffer in zip(specs, _buffers(path, files, [spec.nbytes for spec in specs])):
                if spec.name in seen:
                    raise FormatError(path, "two weights of this name", spec.name[:80])
                seen[spec.name] = spec, buffer
        except OSError as error:
            raise FormatError(path, f"its weights cannot be read: {error}") from error
    return {name: partial(spec.array, raw) for name, (spec, raw) in seen.items() if not spec.is_optimizer}


class _Spec:
    """One weight of the manifest."""

    def __init__(self, file, entry):
        entry = entry if isinstance(entry, dict) else {}
        self.file, self.name, self.shape = file, entry.get("name"), entry.get("shape")
        if not isinstance(self.name, str) or not 0 < len(self.name) <= _MOST_NAME or not self.name.isprintable():
            raise FormatError(file, f"a weight whose name is {brief(self.name)}")
        quantization, dtype = entry.get("quantization"), entry.get("dtype")
        self.stored = quantization.get("dtype") if isinstance(quantization, dict) else dtype
        self.is_optimizer = entry.get("group") == "optimizer"
        if not isinstance(self.stored, str) or self.stored not in (_DTYPES if quantization is None else _QUANTIZED):
            raise self._error(f"type {brief(self.stored)}, which is not read")
        if dtype not in ("float32", "float16") and not self.is_optimizer:
            raise self._error(f"type {brief(dtype)} where floating numbers are expected")
        self.scale = self.min = None
        if quantization is not None and self.stored != "float16":
            self.scale, self.min = quantization.get("scale"), quantization.get("min")
            if not is_number(self.scale) or not is_number(self.min):
                raise self._error(f"quantized with scale {brief(self.scale)} and min {brief(self.min)}")
        if not isinstance(self.shape, list):
            raise self._error(f"shape {brief(self.shape)}")
        self.nbytes = count(file, self.name[:80], self.shape) * np.dtype(_DTYPES[self.stored]).itemsize

    def array(self, raw, layout):
        """float32 from the bytes, in a new layout: value = stored * scale + min where it is quantized.

        The layout comes first, while the numbers are small.
        """
        values = layout(np.frombuffer(raw, _DTYPES[self.stored]).reshape(self.shape))
        if self.scale is None:
            return to_float32(values)
        with np.errstate(over="ignore"):  # an infinity is noticed later
            levels = (np.arange(np.iinfo(values.dtype).max + 1) * self.scale + self.min).astype(np.float32)
        wide = np.empty(values.shape, np.float32)
        for start in range(0, values.size, _PIECE):  # NumPy makes eight bytes of every index
            piece = slice(start, start + _PIECE)
            wide.reshape(-1)[piece] = levels[values.reshape(-1)[piece]]
        return wide

    def _error(self, reason):
        return FormatError(self.file, reason, self.name[:80])


def _sizes(path, groups):
    """[{file: its size}], one a group. A file stands once: else a small one might be read a thousand times."""
    folder, seen, sizes = os.path.dirname(os.fspath(path)), set(), []
    for group in groups:
        files = {}
        for name in _list(path, group.get("paths") if isinstance(group, dict) else None, "paths"):
            if not _is_plain(name):
                raise FormatError(path, f"the file of weights {brief(name)} is not in the same folder")
            file = os.path.join(folder, name)
            try:
                require_file(file)
                stat = os.stat(file)
            except (MissingFileError, OSError) as error:
                raise FormatError(path, f"its weights are missing: {error}") from error
            if (stat.st_dev, stat.st_ino) in seen:
                raise FormatError(path, f"the file of weights {name!r} stands twice in the manifest")
            seen.add((stat.st_dev, stat.st_ino))
            files[file] = stat.st_size
        sizes.append(files)
    return sizes


def _is_plain(name):
    """Whether a name is one of a file in this folder, on every system."""
    good = isinstance(name, str) and 0 < len(name) <= 255 and name.isprintable() and name not in (".", "..")
    return good and not set(name) & set("/\\:")


def _buffers(path, files, sizes):
    """Yields a buffer of each size, from the contents of the files one after the other."""
    with ExitStack() as opened:
        rest = (opened.enter_context(open(name, "rb")) for name in files)
        file = None
        for size in sizes:
            buffer, filled = memoryview(bytearray(size)), 0
            while filled < size:
                read = file.readinto(buffer[filled:]) if file else 0
                filled += read
                if not read and (file := next(rest, None)) is None:
                    raise FormatError(path, f"{', '.join(files)[:200]}: changed while they were read")
            yield buffer


def _list(path, value, what):
    if not isinstance(value, list):
        raise FormatError(path, f"its {what} are no list")
    return value
