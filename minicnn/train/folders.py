"""Pictures in folders, one folder a class, or a zip of such folders: read one at a time, so any number of them."""

import logging
import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ..errors import FormatError, ImageError, MissingFileError, UsageError
from ..files import read_whole
from ..kernels.errors import ShapeError
from ..kernels.shapes import show
from ..picture import decode

log = logging.getLogger("minicnn")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_MOST_PICTURES = 5_000_000
_MOST_BYTES = 256 << 20  # of one picture in a zip, unpacked
# zipfile's own, of opening and of reading: zlib's is for damaged data, RuntimeError for a password.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class Folders:
    """The pictures under `path`: the folder that a picture lies in is its class.

        cats_and_dogs/cat/1.jpg, cats_and_dogs/cat/2.png, cats_and_dogs/dog/1.jpg ...

    path     a folder, or a zip; there may be folders around the classes' one, if all classes are in the same
    size     the shorter side becomes `size` and the middle is cut out, size x size, bilinear; None: as they are
    damaged  a picture that cannot be read: "refuse" raises ImageError, "skip" leaves it out of its batch, logs its name
    classes  names in alphabetical order, which is the order of labels
    names    of the pictures, by class and then alphabetical, relative to `path`
    labels   (N,) int64
    skipped  {name: reason} of those that were left out so far
    Files that are hidden or that have no suffix of a picture are not looked at. Links to folders are not followed.
    Raises MissingFileError, FormatError for a damaged zip, no pictures, a class without any, or classes in two places.
    """

    def __init__(self, path, size=None, damaged="refuse"):
        if damaged not in ("refuse", "skip"):
            raise UsageError(f'damaged is "refuse" or "skip", not {damaged!r}')
        if size is not None and size < 1:
            raise UsageError(f"size {size}, at least one pixel is needed")
        self.path, self.size, self.damaged = Path(path), size, damaged
        self._zip = None if self.path.is_dir() else _open_zip(self.path)
        listed = _walk(self.path) if self._zip is None else self._zip.namelist()
        pictures, folders = _sort(listed)
        self.classes = _classes(self.path, pictures, folders)
        number = {name: label for label, name in enumerate(self.classes)}
        self.names = list(pictures.values())
        self.labels = np.array([number[picture.parent.name] for picture in pictures], np.int64)
        self.skipped = {}

    def __len__(self):
        return len(self.names)

    def image(self, index):
        """(3, H, W) uint8, RGB; raises ImageError that names the file, whatever `damaged` says."""
        name = self.names[index]
        picture = decode(self._bytes(name), f"{self.path}/{name}")
        if self.size is not None:
            side = min(picture.size)
            left, top = (picture.width - side) / 2, (picture.height - side) / 2
            box = (left, top, left + side, top + side)
            picture = picture.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))

    def batch(self, indices):
        """(images (N, 3, H, W) uint8, labels (N,) int64) of these pictures, in this order, less what is skipped.

        Raises ShapeError where pictures of different sizes would have to be one array: give a `size`.
        """
        images, kept = [], []
        for index in indices:
            try:
                images.append(self.image(index))
                kept.append(index)
            except ImageError as error:
                if self.damaged == "refuse":
                    raise
                if self.names[index] not in self.skipped:
                    log.warning("skipped: %s", error)
                self.skipped[self.names[index]] = str(error)
        for index, image in zip(kept, images):
            if image.shape != images[0].shape:
                first = f"{self.names[kept[0]]} is {show(images[0].shape)}"
                raise ShapeError(f"{self.path}: {first}, {self.names[index]} {show(image.shape)}: give a size")
        size = self.size or 0
        return np.stack(images) if images else np.empty((0, 3, size, size), np.uint8), self.labels[kept]

    def close(self):
        """Closes the zip; pictures cannot be read any more."""
        if self._zip is not None:
            self._zip.close()

    def _bytes(self, name):
        if self._zip is None:
            return read_whole(self.path / name)
        # zipfile never unpacks more than the directory says, so that is what has to be small.
        size = self._zip.getinfo(name).file_size
        if size > _MOST_BYTES:
            raise ImageError(f"{self.path}/{name}: {size} bytes when unpacked, more than the limit of {_MOST_BYTES}")
        try:
            return self._zip.read(name)
        except _ZIP_ERRORS as error:
            raise ImageError(f"{self.path}/{name}: cannot be unpacked: {error}") from error


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


def _classes(path, pictures, folders):
    if not pictures:
        raise FormatError(path, f"no pictures in it ({', '.join(SUFFIXES)})")
    if len(pictures) > _MOST_PICTURES:
        raise FormatError(path, f"{len(pictures)} pictures, at most {_MOST_PICTURES} are read")
    homes = {picture.parent for picture in pictures}
    roots = sorted({home.parent for home in homes})
    if PurePosixPath(".") in homes:
        loose = next(picture for picture in pictures if len(picture.parts) == 1)
        raise FormatError(path, f"{loose} lies in no folder; each class has a folder of its own")
    if len(roots) > 1:
        raise FormatError(path, f"classes in more than one place: {roots[0]}/ and {roots[1]}/")
    bare = [folder for folder in folders if folder.parent == roots[0] and folder not in homes]
    if bare:
        raise FormatError(path, f"the class {bare[0].name!r} has no pictures: its folder would shift the labels")
    return tuple(sorted(home.name for home in homes))
