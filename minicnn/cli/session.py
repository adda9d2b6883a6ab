"""What a command that runs a net begins with: the backend, the net, the images."""

import logging
import os
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .. import kernels, zoo
from ..device import on_current
from ..errors import MissingFileError, UnknownNameError, UsageError
from ..kernels.shapes import show
from ..vis.image import preprocess, preprocess_whole, read_image, require_meta
from ..vis.progress import StoppedEarly
from ..weights import places, store

log = logging.getLogger("minicnn")


@contextmanager
def backend(args):
    """Inside, args.backend is the current one, or what MINICNN_BACKEND and the default say; its name.

    Raises BackendError before any work is done.
    """
    with kernels.use(args.backend or kernels.current()) as module:
        name = kernels.name_of(module)
        if name == "numba" and not _anything_compiled():
            log.info("compiling the kernels, which takes about half a minute once (see `minicnn cache info`) ...")
        yield name


def _anything_compiled():
    from ..kernels.numba_cpu.jit import FOLDER

    return FOLDER is not None and any(FOLDER.rglob("*.nbi"))


def find_weights(model):
    """The file of a name or a path, as `places.find`.

    Raises UnknownNameError, with the nearest names, for a name that is not even an architecture's: it is misspelt.
    """
    try:
        return places.find(model)
    except MissingFileError:
        known = sorted({*zoo.names(), *places.available()})
        is_path = os.path.dirname(model) or Path(model).suffix[1:].isalpha()
        if is_path or model in known:
            raise
        raise UnknownNameError("net", model, known) from None


def open_net(model):
    """(net, path) of a name or a path; raises as `find_weights` does.

    Where the current backend does not compute on NumPy arrays, the net is moved to it.
    """
    path = find_weights(model)
    net = store.load(path)
    net = on_current(net)
    log.info("net: %s from %s", net.meta.architecture if net.meta else "unnamed", path)
    return net, path


def read_batch(paths, net, size=None):
    """The pictures as the net's input, (N, C, H, W); with `size` whole, as `preprocess_whole` does.

    Raises UsageError for whole pictures of different sizes, which cannot be one array.
    """
    images = read_each(paths, net, size)
    for path, x in zip(paths, images):
        if x.shape != images[0].shape:
            first = f"{paths[0]} becomes {show(images[0].shape[2:])}"
            raise UsageError(f"{first}, {path} {show(x.shape[2:])}: give pictures of different sizes one at a time")
    return np.concatenate(images)


def read_each(paths, net, size=None):
    """[(1, C, H, W)] of the pictures; with `size` whole, each of its own size."""
    if size is None:
        return [preprocess(read_image(path), net.meta) for path in paths]
    return [preprocess_whole(read_image(path), net.meta, size) for path in paths]


def describe(meta):
    """A net's preprocessing in one line; raises MinicnnError where it is not known."""
    require_meta(meta)
    _, H, W = meta.input_size
    how = "shorter side" if meta.resize == "crop" else "both sides"
    size = f"{how} to {meta.resize_to} ({meta.interpolation}), centre {H}x{W}"
    mean = f"({_listed(meta.mean)})" if meta.mean_image is None else f"mean image (about {_listed(meta.mean)})"
    return f"{meta.channel_order}; {size}; (pixel / 255 * {meta.range:g} - {mean}) / ({_listed(meta.std)})"


def _listed(values):
    return ", ".join(f"{value:g}" for value in values)


@contextmanager
def stopped_early():
    """Yields a list that is true afterwards if Ctrl-C ended a method inside, which then returned what it had so far."""
    stopped = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield stopped
    for warning in caught:
        log.warning("%s", warning.message)
        if issubclass(warning.category, StoppedEarly):
            stopped.append(warning.message)
