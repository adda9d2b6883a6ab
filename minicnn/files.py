"""Reading a file in one go, and writing one so that it is there whole or not at all."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path

from .errors import MissingFileError, OutputError
from .kernels.errors import MinicnnError


def read_whole(path):
    """The bytes of a regular file; raises MissingFileError that names it and says why."""
    require_file(path)
    try:
        return Path(path).read_bytes()
    except (OSError, MemoryError) as error:
        raise MissingFileError(f"cannot read {path}: {_reason(error)}") from error


def require_file(path):
    """Raises MissingFileError unless `path` is a regular file (a pipe or a device might never end)."""
    try:
        if Path(path).is_file():
            return
        reason = "it is a folder" if Path(path).is_dir() else "no such file"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = _reason(error)
    raise MissingFileError(f"cannot read {path}: {reason}")


@contextmanager
def write_whole(path):
    """A binary file that appears under `path` only when the block has ended well.

        with write_whole("net.safetensors") as f:
            f.write(data)

    It is written beside `path` (renaming is atomic only inside one file system), flushed to the disk, then renamed.
    Whatever goes wrong, the old file stays and nothing else is left. Makes missing folders.
    Raises OutputError for an unwritable folder, a full disk and the like.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except MinicnnError:  # the block's own, and a MissingFileError is an OSError too
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def _sync_folder(folder):
    # The new name is in the folder, which has its own place on the disk; only POSIX systems can open a folder.
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
