"""The one decorator of the compiled kernels: compiled when first called, and kept on disk.

Numba's own cache does not notice that a function called from another file has changed, and fails where no folder is
writable. Here the folder's name holds the hash of all sources, and where nothing can be written nothing is kept.
"""

import hashlib
import os
import platform
import tempfile
from pathlib import Path

import numba
import numpy as np


def _user_folder():
    """Where this user's caches go."""
    for name in ("NUMBA_CACHE_DIR", "MINICNN_CACHE_DIR", "XDG_CACHE_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name])
    return Path(os.path.expanduser("~/.cache"))


def cache_folder(sources):
    """The folder of what these sources compile to; None where it cannot be written.

    sources     the folder of the kernels' .py files
    """
    digest = hashlib.sha256(f"{numba.__version__} {platform.python_version()}".encode())
    for path in sorted(sources.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    folder = _user_folder() / "minicnn" / "numba" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None  # a read-only machine still computes: it compiles anew in every process
    return folder


_FOLDER = cache_folder(Path(__file__).parent)


def jit(function):
    """`function` compiled without the interpreter's lock; its loops run on one thread."""
    return _compile(function, parallel=False)


def parallel_jit(function):
    """The same with `prange` loops on all threads; each of these takes about a second to compile."""
    return _compile(function, parallel=True)


def _compile(function, parallel):
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_FOLDER or "")
    try:
        return numba.njit(nogil=True, parallel=parallel, cache=_FOLDER is not None)(function)
    finally:
        numba.config.CACHE_DIR = before


# An index that is known to be >= 0: a signed one is first asked whether it counts from the end, and a loop that asks
# is not vectorised. Never mix it with signed numbers: their sum would be a float.
index = np.uintp
