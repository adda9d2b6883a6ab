"""The picture files in a folder or a zip, found by their names and read one at a time, so any number of them."""

import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .errors import FormatError, ImageError, MissingFileError
from .files import read_whole

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_MOST_PICTURES = 5_000_000
_MOST_BYTES = 256 << 20  # of one picture in a zip, unpacked
# zipfile's own, of opening and of reading: zlib's is for damaged data, RuntimeError for a password.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class PictureFiles:
    """The picture files under `path`, however deep.

    path      a folder, or a zip
    pictures  {its PurePosixPath: its name as `read` takes it}, both relative to `path`, in alphabetical order
    folders   the PurePosixPath of every folder, in alphabetical order
    Files that are hidden or that have no suffix of a picture are not looked at. Links to folders are not followed.
    A copy that was pickled, for another process, can only `read`; it opens the zip anew.
    Raises MissingFileError, FormatError for a damaged zip, no pictures, or more than are read.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._zip = None
        self._process = os.getpid()
        if not self.path.is_dir():
            self._zip = _open_zip(self.path)
        self.pictures, self.folders = _sort(_walk(self.path) if self._zip is None else self._zip.namelist())
        if not self.pictures:
            raise FormatError(path, f"no pictures in it ({', '.join(SUFFIXES)})")
        if len(self.pictures) > _MOST_PICTURES:
            raise FormatError(path, f"{len(self.pictures)} pictures, at most {_MOST_PICTURES} are read")

    def read(self, name):
        """The bytes of one file; raises ImageError, MissingFileError, that name it."""
        if self._zip is None:
            return read_whole(self.path / name)
        if self._process != os.getpid():  # a forked process would share the place in the file
            self._zip, self._process = _open_zip(self.path), os.getpid()
        try:
            # zipfile never unpacks more than the directory says, so that is what has to be small.
            size = self._zip.getinfo(name).file_size
            if size <= _MOST_BYTES:
                return self._zip.read(name)
        except (KeyError, *_ZIP_ERRORS) as error:  # KeyError: the zip is another one by now
            raise ImageError(f"{self.path}/{name}: cannot be unpacked: {error}") from error
        raise ImageError(f"{self.path}/{name}: {size} bytes when unpacked, more than the limit of {_MOST_BYTES}")

    def close(self):
        """Closes the zip; its pictures cannot be read any more."""
        if self._zip is not None:
            self._zip.close()

    def __getstate__(self):
        # Only what `read` needs: the lists may be long, and are sent with every piece of work.
        return {"path": self.path, "zipped": self._zip is not None}

    def __setstate__(self, state):
        self.path, self._process = state["path"], os.getpid()
        self._zip = _open_zip(self.path) if state["zipped"] else None


def _walk(root):
    def refuse(error):  # os.walk would pass over it in silence
        raise MissingFileError(f"cannot read {error.filename}: {error.strerror}") from error

    for folder, folders, files in os.walk(root, onerror=refuse):
        inside = Path(folder).relative_to(root)
        yield from ((inside / name).as_posix() + "/" for name in folders)
        yield from ((inside / name).as_posix() for name in files)


def _open_zip(path):
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise MissingFileError(f"cannot read {path}: no such file or folder") from error
    except (PermissionError, *_ZIP_ERRORS) as error:
        raise FormatError(path, f"not a zip, or a damaged or truncated one: {error}") from error


def _sort(listed):
    """({path: name as listed}, [folder]) in alphabetical order; hidden ones and macOS' shadows are left out."""
    pictures, folders = {}, set()
    for name in listed:
        path = PurePosixPath(name)
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            continue
        if name.endswith("/"):
            folders.add(path)
        elif path.suffix.lower() in SUFFIXES:
            pictures[path] = name
    return {path: pictures[path] for path in sorted(pictures, key=lambda p: p.parts)}, sorted(folders)
