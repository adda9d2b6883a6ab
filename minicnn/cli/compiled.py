"""The folders of compiled kernels: what is in them, and taking it away while other processes use it.

Each state of the kernels' sources has its own, ROOT/<16 hex>, with Numba's folders and files in it:
numba_cpu_<40 hex>/relu._forward-30.py311.nbi (an index) and .1.nbc (what it points to). Those of CUDA C lie side by
side, a file for each source, options and card: gemm-<24 hex>.cubin. Only what is named so is looked at, and links are
not followed.
"""

import errno
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

_FOLDER, _NUMBAS = re.compile("[0-9a-f]{16}"), re.compile(r"\w+_[0-9a-f]{40}")
_FILE = re.compile(r".+\.nb[ic](\.tmp\.[0-9a-f]{16})?")  # the latter while it is written
_CUDA = re.compile(r"\w+-[0-9a-f]{24}\.(cubin|ptx)")
# Numba makes sure of its folder, then opens a file in it: a folder that was lately written to must not go in between.
_QUIET_SECONDS = 600


class Folder(NamedTuple):
    """One folder; bytes of its files together, `written` when something in it last changed, in seconds since 1970."""

    path: Path
    current: bool
    files: int
    bytes: int
    written: float


def folders(root, current):
    """The Folders below root, the current one first, then the latest first.

    current   the path of the one that this process uses, or None
    """
    found = [_look(path, path == current) for path in _entries(root, _FOLDER, os.DirEntry.is_dir)]
    return sorted(found, key=lambda folder: (not folder.current, -folder.written))


def clear(folder):
    """Remove the files of a Folder, and unless it is the current one or in use, itself; (files, bytes) removed.

    A process that has loaded kernels keeps them, one that has not yet compiles them anew.
    """
    files = size = 0
    quiet = time.time() - _QUIET_SECONDS
    for inner in _entries(folder.path, _NUMBAS, os.DirEntry.is_dir):
        for path in _entries(inner, _FILE, os.DirEntry.is_file):
            bytes, written = _stat(path)
            if path.suffix in (".nbi", ".nbc") or written < quiet:
                path.unlink(missing_ok=True)
                files, size = files + 1, size + bytes
    if not folder.current and folder.written < quiet:
        for path in (*_entries(folder.path, _NUMBAS, os.DirEntry.is_dir), folder.path):
            _remove_if_empty(path)
    return files, size


def cuda_files(root):
    """{path: bytes} of the compiled CUDA C in the folder `root`."""
    return {path: _stat(path)[0] for path in _entries(root, _CUDA, os.DirEntry.is_file)}


def clear_cuda(root):
    """Remove them; (files, bytes) removed. A process that has loaded some keeps those."""
    found = cuda_files(root)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found), sum(found.values())


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


def _look(path, current):
    inner = _entries(path, _NUMBAS, os.DirEntry.is_dir)
    files = [_stat(file) for folder in inner for file in _entries(folder, _FILE, os.DirEntry.is_file)]
    written = max(changed for _, changed in (_stat(path), *map(_stat, inner), *files))
    return Folder(path, current, len(files), sum(size for size, _ in files), written)


def _entries(folder, name, is_kind):
    """The paths in a folder whose names fit, and which are folders or files themselves and no links to any."""
    try:
        with os.scandir(folder) as entries:
            found = [e.path for e in entries if name.fullmatch(e.name) and is_kind(e, follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):  # there is none, or another process has just removed it
        return []
    return [Path(path) for path in sorted(found)]


def _stat(path):
    """(bytes, seconds since 1970 of the last change); nothing where another process has just removed it."""
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return 0, 0.0
    return found.st_size, found.st_mtime


def _remove_if_empty(path):
    try:
        path.rmdir()
    except OSError as error:  # something of others is in it, or another process has just removed it
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
