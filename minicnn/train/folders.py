"""Pictures in folders, one folder a class, or a zip of such folders: read one at a time, so any number of them."""

import logging
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ..errors import FormatError, ImageError, UsageError
from ..kernels.errors import ShapeError
from ..kernels.shapes import show
from ..picture import decode
from ..picture_files import PictureFiles

log = logging.getLogger("minicnn")


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
        self._files = PictureFiles(path)
        pictures = self._files.pictures
        self.classes = _classes(self.path, pictures, self._files.folders)
        number = {name: label for label, name in enumerate(self.classes)}
        self.names = list(pictures.values())
        self.labels = np.array([number[picture.parent.name] for picture in pictures], np.int64)
        self.skipped = {}

    def __len__(self):
        return len(self.names)

    def image(self, index):
        """(3, H, W) uint8, RGB; raises ImageError that names the file, whatever `damaged` says."""
        name = self.names[index]
        picture = decode(self._files.read(name), f"{self.path}/{name}")
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
        self._files.close()


def _classes(path, pictures, folders):
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
