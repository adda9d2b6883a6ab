"""What a way of looking takes beside net, x and unit: further pictures.

Images     the annotation of a parameter for further pictures in the net's own form, (M, C, H, W), preprocessed
Pictures   the annotation of the parameter `pictures`: pictures of any size as they are, any number of them
"""

import logging
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ImageError, UsageError
from ..files import require_file
from ..picture import decode, read_image, to_rgb
from ..picture_files import PictureFiles

log = logging.getLogger("minicnn")

Images = np.ndarray


class Pictures(Sequence):
    """Pictures of any size, each read when it is asked for: only one is in memory at a time.

        pictures = Pictures(["photos", "more.zip", "cat.jpg"])
        for i, image in pictures.each():  print(pictures.names[i], image.size)

    paths    files, folders (however deep), zip archives
    damaged  a picture that cannot be read: "refuse" raises ImageError, "skip" lets `each` leave it out, logs its name
    names    of the pictures: a file's path, or its place inside the folder or zip after that one's path
    skipped  {name: reason} of those that were left out so far
    p[i]     a PIL image of mode "RGB", upright; raises ImageError that names the file, whatever `damaged` says
    p[a:b]   Pictures of these alone
    It can be pickled: another process reads the same files itself.
    Raises MissingFileError for a path that is not there, FormatError for a damaged zip or one without pictures.
    """

    def __init__(self, paths, damaged="refuse"):
        if damaged not in ("refuse", "skip"):
            raise UsageError(f'damaged is "refuse" or "skip", not {damaged!r}')
        self.damaged, self.skipped, self.names, self._readers = damaged, {}, [], []
        for path in [paths] if isinstance(paths, (str, Path)) else paths:
            if isinstance(path, (str, Path)):
                self._add_path(Path(path))
            else:
                self._add(str(len(self)), None, path)
        if not self.names:
            raise UsageError("no pictures: give files, folders or zip archives")

    @classmethod
    def of(cls, value):
        """Pictures as they are; or made of paths, PIL images or arrays (H, W, 3) uint8, one of them or a list."""
        if isinstance(value, cls):
            return value
        return cls([value] if isinstance(value, (Image.Image, np.ndarray)) and np.ndim(value) < 4 else value)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        if isinstance(i, slice):
            part = copy(self)
            part.names, part._readers, part.skipped = self.names[i], self._readers[i], {}
            return part
        files, source = self._readers[i]
        if files is not None:
            return decode(files.read(source), self.names[i])
        return read_image(source) if isinstance(source, Path) else to_rgb(source)

    def each(self, numbers=None):
        """(i, picture) one after the other, of these numbers or of all, without those that are skipped."""
        for i in range(len(self)) if numbers is None else numbers:
            try:
                picture = self[i]
            except ImageError as error:
                if self.damaged == "refuse":
                    raise
                if self.names[i] not in self.skipped:
                    log.warning("skipped: %s", error)
                self.skipped[self.names[i]] = str(error)
            else:
                yield i, picture

    def _add_path(self, path):
        if path.is_dir() or path.suffix.lower() == ".zip":
            files = PictureFiles(path)
            for name in files.pictures.values():
                self._add(f"{path}/{name}", files, name)
        else:
            require_file(path)
            self._add(str(path), None, path)

    def _add(self, name, files, source):
        self.names.append(name)
        self._readers.append((files, source))


def each_image(images):
    """The further pictures one by one, each (1, C, H, W): of one array (M, C, H, W), or of a list of (1, C, H, W)."""
    return [image if np.ndim(image) == 4 else image[None] for image in images]
