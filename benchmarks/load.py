"""Loading, timed: from a file to a net whose arrays are there, frozen and known to be finite.

    a file that describes its net, as GoogLeNet's caffemodel, as it is
    the same net in minicnn's own form
    ResNet-50, with random weights, in minicnn's own form
    the arrays of that ResNet-50 by torch.load, where PyTorch is installed

Each has a process of its own, in which everything is imported before the clock starts. The files are in the system's
cache. What was loaded is compared with what was written, in the same processes.
"""

import hashlib
import multiprocessing
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..errors import MinicnnError, UsageError
from ..weights import formats, store
from ..zoo import build
from .timing import interleaved

LARGE, TORCH = "resnet50", "torch.load"


class Result(NamedTuple):
    """One file.

    case          the form that it has
    bytes         of the file
    first_ms, ms  milliseconds of the process's first load, and the median of later ones
    """

    net: str
    case: str
    bytes: int
    first_ms: float
    ms: float

    @property
    def gbytes(self):
        """10^9 bytes of the file a second."""
        return self.bytes / self.ms / 1e6


def default_file():
    """GoogLeNet's caffemodel in the folder MINICNN_DATA; raises UsageError where that is unset."""
    if "MINICNN_DATA" not in os.environ:
        raise UsageError(
            "no file to load: say --file, or MINICNN_DATA, the folder of weights/bvlc_googlenet.caffemodel"
        )
    return Path(os.environ["MINICNN_DATA"]) / "weights" / "bvlc_googlenet.caffemodel"


def measure_all(path):
    """The Result of every row for a file that describes its net; raises MinicnnError where other arrays come out."""
    small, large = store.load(path), build(LARGE, seed=0)
    name = Path(path).stem
    with tempfile.TemporaryDirectory() as folder:
        own, own_large = Path(folder) / "small.safetensors", Path(folder) / "large.safetensors"
        store.save(small, own)
        store.save(large, own_large)
        form = formats.reader(path).FORMAT
        rows = [(name, form, path, small), (name, "native", own, small), (LARGE, "native", own_large, large)]
        if find_spec("torch") is not None:
            rows.append((LARGE, TORCH, _saved_by_torch(large, Path(folder) / "large.pth"), large))
        return [_measure(*row) for row in rows]


def _measure(name, case, path, net):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        first, median, digest = pool.apply(_measure_here, (case, str(path)))
    if digest != _digest(net.state_dict()):
        raise MinicnnError(f"{path}: {case} loads other arrays than were saved: nothing was timed")
    return Result(name, case, os.path.getsize(path), 1e3 * first, 1e3 * median)


def _measure_here(case, path):
    load = _loader(case)
    start = time.perf_counter()
    arrays = load(path)
    first = time.perf_counter() - start
    return first, interleaved([lambda: load(path)], 1.0)[0], _digest(arrays)


def _loader(case):
    """The function that is timed, path -> {name: array}; what it needs is imported."""
    if case == TORCH:
        import torch

        return lambda path: {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    formats.formats()
    return lambda path: store.load(path).state_dict()


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name])
    return digest.hexdigest()


def _saved_by_torch(net, path):
    import torch

    torch.save({name: torch.from_numpy(array) for name, array in net.state_dict().items()}, path)
    return path
