"""The data sets that a recipe or a command names."""

from pathlib import Path

import numpy as np

from ..errors import UnknownNameError, UsageError
from .cifar10 import read_cifar10
from .folders import Folders
from .idx import read_mnist
from .loader import Arrays
from .shapes import Shapes

_MNIST_PARTS = {"train": "train", "test": "t10k"}
_FRESH = 1_000_003  # between the seeds of two parts of the shapes: no picture is in both


def open_set(name, folder, part="train", size=None, seed=0, damaged="refuse"):
    """(data, classes): data for a `Loader`, and the names of its classes.

    name     "mnist", "cifar10": as their readers find them in `folder`
             "folders": FOLDER/PART, or FOLDER/PART.zip, pictures in one folder a class, at `size` x `size`
             "shapes": drawn, without end and without a folder, `size` x `size` pixels; each part has other pictures
    part     "train" or "test"
    damaged  "refuse" or "skip" pictures of folders that cannot be read
    """
    if part not in ("train", "test"):
        raise UsageError(f'part is "train" or "test", not {part!r}')
    if name == "shapes":
        shapes = Shapes(seed + _FRESH * (part == "test"), size or 64)
        return shapes, shapes.classes
    if folder is None:
        raise UsageError(f"{name} is read from a folder: say which")
    if name == "mnist":
        images, labels = read_mnist(folder, _MNIST_PARTS[part])
        return Arrays(images[:, None], labels.astype(np.int64)), tuple("0123456789")
    if name == "cifar10":
        images, labels, classes = read_cifar10(folder, part)
        return Arrays(images, labels), classes
    if name == "folders":
        place = Path(folder, part)
        place = place if place.is_dir() else place.with_name(f"{part}.zip")
        data = Folders(place, size, damaged)
        return data, data.classes
    raise UnknownNameError("data set", name, ("mnist", "cifar10", "folders", "shapes"))


class Subset:
    """Some of the pictures of another data set, by their numbers."""

    def __init__(self, data, indices):
        self.data, self.indices = data, np.asarray(indices)

    def __len__(self):
        return len(self.indices)

    def batch(self, indices):
        return self.data.batch(self.indices[indices])


def hold_out(data, count, seed):
    """(the others, `count` of the pictures): chosen by the seed, each part in the data's order.

    Of shapes, which have no end, `count` that nothing else draws.
    """
    if isinstance(data, Shapes):
        return data, Subset(Shapes(data.seed + 2 * _FRESH, data.size), range(count))
    if not 0 < count < len(data):
        raise UsageError(f"held_out is {count}: at least 1, and fewer than the {len(data)} pictures")
    order = np.random.default_rng([seed, len(data)]).permutation(len(data))
    return Subset(data, np.sort(order[count:])), Subset(data, np.sort(order[:count]))
