"""CIFAR-10's Python version: dicts that Python 2 pickled, with one NumPy array in each."""

import numpy as np

from ..files import read_whole
from ..weights.pickle_machine import Global, Machine

PIXELS = 3 * 32 * 32
_MOST_BYTES = 64 << 20  # a batch has 31 million


def read_batch(path):
    """The dict in a batch file: texts as keys, b"..." texts as str; the array `data` is NumPy's, (N, 3072) uint8.

    Nothing in the file is run: it can name NumPy's array and dtype, which are made here, and nothing else.
    Raises FormatError for everything that such a dict does not need.
    [1] Krizhevsky, The CIFAR-10 dataset, "Python / Matlab versions"; opcodes: the standard library's pickletools
    """
    return _Batch(read_whole(path), path, _NAMES, _no_object).run()


class _Batch(Machine):
    """Python 2's strings, which are bytes, and the state of NumPy's objects."""

    most_bytes = _MOST_BYTES

    def _step(self, opcode):
        if opcode == b"T":  # BINSTRING: the pixels
            self.stack.append(self._take(self._number("<I")))
        elif opcode == b"U":  # SHORT_BINSTRING: keys and file names
            self._text(self._number("<B"), "latin-1")
        elif opcode == b"b":
            state = self._pop(tuple)
            self._call(self._top(_Made).set, *state)
        else:
            super()._step(opcode)
        if self.stack and isinstance(self.stack[-1], _Array) and self.stack[-1].values is not None:
            self.stack.append(self._pop().values)


class _Made:
    """What the file calls for: an object that gets its state afterwards."""


class _Dtype(_Made):
    def set(self, *state):
        if state[:2] != (3, "|"):
            raise ValueError("a dtype that is not of single bytes")


class _Array(_Made):
    values = None

    def set(self, version, shape, dtype, by_column, data):
        if version != 1 or not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise ValueError("an array that is not of bytes")
        if shape != (len(data) // PIXELS, PIXELS) or len(data) % PIXELS:
            raise ValueError(f"an array of shape {str(shape)[:80]} with {len(data)} bytes of data")
        self.values = np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_column else "C")


def _dtype(kind, *_):
    if kind != "u1":
        raise ValueError(f"a dtype {str(kind)[:20]!r}, only unsigned bytes (u1) are read")
    return _Dtype()


def _no_object(_):
    raise ValueError("a persistent id")


_NAMES = (
    Global("numpy.core.multiarray._reconstruct", lambda *_: _Array()),
    Global("numpy.ndarray"),
    Global("numpy.dtype", _dtype),
)
