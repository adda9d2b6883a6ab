"""CIFAR-10: ten classes of photos, 32x32, in any of the forms in which it is found."""

from pathlib import Path

import numpy as np

from ..errors import FormatError, MissingFileError, UsageError
from ..files import read_whole
from ..zoo.cifar10_classes import CIFAR10 as CLASSES
from .cifar10_pickle import PIXELS, read_batch
from .folders import Folders

_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
_MOST_BYTES = 1 << 28  # of one binary file


def read_cifar10(folder, part):
    """(images, labels, classes) of the 50,000 photos of "train" or the 10,000 of "test".

    folder  holds, with the first of these that is found being read,
                data_batch_1.bin ... data_batch_5.bin, test_batch.bin    the binary version
                data_batch_1 ... data_batch_5, test_batch                the Python version
                train/, test/  or  train.zip, test.zip                   pictures, one folder a class
            or a folder `cifar-10-batches-bin` or `cifar-10-batches-py` with the first or the second
    images  (N, 3, 32, 32) uint8, RGB
    labels  (N,) int64, 0..9
    classes the ten names, in alphabetical order
    Raises MissingFileError, FormatError; ImageError for a damaged picture.
    [1] Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; The CIFAR-10 dataset
    """
    if part not in _BATCHES:
        raise UsageError(f'part is "train" or "test", not {part!r}')
    folder = Path(folder)
    for inside, suffix, read in (
        (".", ".bin", read_binary),
        ("cifar-10-batches-bin", ".bin", read_binary),
        (".", "", read_pickle),
        ("cifar-10-batches-py", "", read_pickle),
    ):
        paths = [folder / inside / f"{name}{suffix}" for name in _BATCHES[part]]
        if any(path.is_file() for path in paths):
            images, labels = zip(*[read(path) for path in paths])
            return np.concatenate(images), np.concatenate(labels), CLASSES
    for path in (folder / part, folder / f"{part}.zip"):
        if path.exists():
            return (*read_pictures(path), CLASSES)
    raise MissingFileError(
        f"no CIFAR-10 in {folder}: neither {_BATCHES[part][0]}.bin nor {_BATCHES[part][0]}, {part}/ or {part}.zip"
    )


def read_binary(path):
    """(images, labels) of one file of the binary version: for each photo its label, then 1024 reds, greens, blues."""
    data = read_whole(path)
    if not data or len(data) % (1 + PIXELS) or len(data) > _MOST_BYTES:
        raise FormatError(path, f"{len(data)} bytes, expected a multiple of {1 + PIXELS}, {_MOST_BYTES} at most")
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + PIXELS)
    return _checked(path, records[:, 1:], records[:, 0])


def read_pickle(path):
    """(images, labels) of one file of the Python version, of which nothing is run."""
    batch = read_batch(path)
    if not isinstance(batch, dict):
        raise FormatError(path, f"a pickled {type(batch).__name__}, expected a dict")
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or not isinstance(labels, list):
        raise FormatError(path, "no array `data` or no list `labels` in it")
    if not all(type(label) is int and 0 <= label < len(CLASSES) for label in labels):
        raise FormatError(path, "labels that are not 0 to 9")
    return _checked(path, pixels, np.array(labels, np.int64))


def read_pictures(path):
    """(images, labels) of ten folders of pictures, or of a zip of them; the folders have the classes' names."""
    pictures = Folders(path)
    try:
        if pictures.classes != CLASSES:
            raise FormatError(path, f"its classes are {', '.join(pictures.classes)[:200]}, not CIFAR-10's")
        images = np.empty((len(pictures), 3, 32, 32), np.uint8)
        for i, name in enumerate(pictures.names):
            image = pictures.image(i)
            if image.shape != (3, 32, 32):
                raise FormatError(path, f"{name} has {image.shape[2]}x{image.shape[1]} pixels, expected 32x32")
            images[i] = image
        return images, pictures.labels
    finally:
        pictures.close()


def _checked(path, pixels, labels):
    if len(pixels) != len(labels):
        raise FormatError(path, f"{len(pixels)} images and {len(labels)} labels")
    if labels.size and labels.max() >= len(CLASSES):
        raise FormatError(path, f"label {labels.max()}, expected 0 to 9")
    return pixels.reshape(-1, 3, 32, 32), labels.astype(np.int64)
