"""The one decorator of the compiled kernels: compiled when first called, and kept on disk.

Numba's own cache does not notice that a function called from another file has changed, and fails where no folder is
writable. Here the folder's name holds the hash of all sources, and where nothing can be written nothing is kept.
"""

import hashlib
import platform
import tempfile
from pathlib import Path

import numba
import numpy as np

from ..cache_folder import root
from . import machine


def cache_root():
    """The folder that has a folder for each state of the kernels that was ever compiled here; it need not exist."""
    return root("numba", "NUMBA_CACHE_DIR")


def cache_folder(sources):
    """The folder of what these sources compile to; None where it cannot be written.

    sources     the folder of the kernels' .py files, and of folders of more of them
    """
    # Of the processor Numba's index knows only what it compiles for, which NUMBA_CPU_NAME makes the same on machines
    # whose tiles differ; of Numba's settings it knows none.
    settings = [getattr(numba.config, name) for name in ("BOUNDSCHECK", "OPT", "DEBUGINFO_DEFAULT")]
    state = [numba.__version__, platform.python_version(), machine.VECTOR_BYTES, machine.ROWS, *settings]
    digest = hashlib.sha256(" ".join(map(str, state)).encode())
    for name in sorted(path.relative_to(sources).as_posix() for path in sources.rglob("*.py")):
        digest.update(name.encode() + (sources / name).read_bytes())
    folder = cache_root() / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None  # a read-only machine still computes: it compiles anew in every process
    return folder


FOLDER = cache_folder(Path(__file__).parent)


def jit(function):
    """`function` compiled without the interpreter's lock; its loops run on one thread."""
    return _compile(function, parallel=False)


def parallel_jit(function):
    """The same with `prange` loops on all threads; each of these takes about a second to compile."""
    return _compile(function, parallel=True)


def _compile(function, parallel):
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(FOLDER or "")
    try:
        return numba.njit(nogil=True, parallel=parallel, cache=FOLDER is not None)(function)
    finally:
        numba.config.CACHE_DIR = before


# An index that is known to be >= 0: a signed one is first asked whether it counts from the end, and a loop that asks
# is not vectorised. Never mix it with signed numbers: their sum would be a float.
index = np.uintp
