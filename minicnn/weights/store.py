"""The store: finding weights by name, loading them into a net, and converting other people's files once."""

import hashlib
import os
import re
from importlib import resources
from pathlib import Path

from ..errors import FormatError, MissingFileError
from ..files import read_whole, require_file
from ..kernels.errors import MinicnnError
from ..kernels.shapes import show
from ..meta import Meta
from ..net import Net
from . import formats, native
from .checkpoint import require_finite

_NAME = re.compile(r"(?P<name>.+?)(?:-(?P<hash>[0-9a-f]{8}))?\.safetensors")


def load(name_or_path, allow_nonfinite=False):
    """A frozen net that knows its preprocessing, as `net.meta`.

        net = minicnn.load("googlenet")

    Raises MissingFileError if `find` does not find it; FormatError if it is damaged, has NaN or inf in it, does not
    fit what it says of itself, or is another framework's file.
    """
    path = find(name_or_path)
    checkpoint = formats.read(path)
    if checkpoint.graph is None:
        raise FormatError(
            path, f"not minicnn's own form; convert it once: minicnn models import {path} --arch NAME --out DIR"
        )
    if not allow_nonfinite:
        require_finite(path, checkpoint.tensors)
    return _built(path, checkpoint).freeze()


def save(net, path):
    """Write a net to a file of minicnn's own form; `load` makes the same net of it again.

        minicnn.save(net, "mine.safetensors")

    Holds the graph, the arrays, and net.meta if it is not None. Raises MinicnnError where a layer is not one of
    minicnn's, has no parameters yet, or where the class names are not as many as the scores; OutputError.
    """
    if net.meta is not None:
        _check_meta(net)
    native.save(path, net)


def find(name_or_path):
    """The file of a name ("googlenet", "googlenet-1a2b3c4d") or a path.

    A path is taken as it is. A name is looked for as NAME.safetensors, then NAME-<8 hex>.safetensors, in the folders
    of MINICNN_WEIGHTS, the user's cache folder and what ships, in this order.
    Raises MissingFileError that says where it looked and what is there, or that a folder has several of the name.
    """
    text = os.fspath(name_or_path)
    if os.path.dirname(text) or re.search(r"\.[a-z]+$", text) or os.path.isfile(text):
        require_file(text)
        return Path(text)
    for folder in folders():
        files = _files(folder)
        here = [file for file in files if file.name == f"{text}.safetensors"]
        here = here or [file for file in files if _NAME.fullmatch(file.name)["name"] == text]
        if len(here) > 1:
            raise MissingFileError(f"{text!r} may be {' or '.join(file.stem for file in here)} in {folder}: say which")
        if here:
            return here[0]
    raise MissingFileError(
        f"no weights {text!r} in {', '.join(map(str, folders()))}; there are {', '.join(available()) or 'none'}; "
        f"convert a file that you have: minicnn models import FILE --arch {text} --out {cache_folder()}"
    )


def folders():
    """Where names are looked for, in this order; they need not exist."""
    listed = [Path(folder) for folder in os.environ.get("MINICNN_WEIGHTS", "").split(os.pathsep) if folder]
    return [*listed, cache_folder(), Path(str(resources.files("minicnn.assets")))]


def cache_folder():
    """Where this user's weights are: MINICNN_CACHE_DIR, or minicnn in XDG_CACHE_HOME or ~/.cache; then weights."""
    own = os.environ.get("MINICNN_CACHE_DIR")
    shared = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(own) if own else Path(shared) / "minicnn") / "weights"


def available():
    """{name: path} of all weights that `find` would find, by the names that `load` takes."""
    found = {}
    for folder in folders():
        names = [_NAME.fullmatch(file.name)["name"] for file in _files(folder)]
        for file, name in zip(_files(folder), names):
            found.setdefault(name if names.count(name) == 1 else file.stem, file)
    return found


def import_file(path, arch, out_dir, name=None, classes=None, allow_nonfinite=False, **overrides):
    """Convert a file of another framework to minicnn's own form, once.

    arch       the zoo's name of the net that the weights are for
    name       of the new file, without .safetensors; ARCH-<8 hex digits of the old file's sha256> unless given
    classes    a file of class names, one a line, as synset_words.txt ("n01440764 tench, Tinca tinca" or "tench")
    overrides  fields of Meta that differ from what nets of that framework usually want
    Returns the new file's path. Raises FormatError, naming the tensor and both shapes, if the weights do not fit.
    """
    from .. import zoo

    entry = zoo.entry(arch)
    checkpoint = formats.read(path)
    if checkpoint.format == native.FORMAT:
        tensors, known = checkpoint.tensors, vars(checkpoint.meta) if checkpoint.meta else {}
    else:
        tensors, known = _mapped(path, entry, checkpoint), entry.preprocess[checkpoint.format]
    if not allow_nonfinite:
        require_finite(path, tensors)
    sha256 = hashlib.sha256(read_whole(path)).hexdigest()
    fields = {"source": Path(path).name, "licence": entry.licence, "classes": entry.labels, **known}
    fields |= {"architecture": arch, "sha256": sha256, **overrides}
    if classes is not None:
        fields["classes"] = read_classes(classes)
    try:
        meta = Meta(**fields)
    except TypeError as error:  # a field too many or too few
        raise FormatError(path, f"metadata: {error}") from error
    net = _fill(path, meta, tensors)
    out = Path(out_dir) / f"{name or f'{arch}-{sha256[:8]}'}.safetensors"
    save(net, out)
    return out


def read_classes(path):
    """Class names, one a line, without ImageNet's synset numbers: path -> tuple of str."""
    try:
        lines = read_whole(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(path, "class names that are not UTF-8 text") from error
    return tuple(re.sub(r"^n\d{8}\s+", "", line).strip() for line in lines if line.strip())


def _mapped(path, entry, checkpoint):
    try:
        return entry.map_names(checkpoint.format, checkpoint.tensors)
    except FormatError as error:  # the zoo does not know the file's name
        raise FormatError(path, f"{error.reason}: not the weights of {entry.name}", error.tensor) from error


def _built(path, checkpoint):
    """The net that a checkpoint's graph describes."""
    nodes, input, _ = checkpoint.graph
    net = Net(nodes, input, checkpoint.meta).astype(checkpoint.dtype)
    try:
        net.load_state_dict(checkpoint.tensors)
        if net.meta is not None:
            _check_meta(net)
    except MinicnnError as error:
        raise FormatError(path, f"its tensors are not those of its nodes: {error}") from error
    return net


def _check_meta(net):
    """Raises MinicnnError where a net does not take images of its meta's size, or has not a score a class name."""
    shapes = {row.name: row.shape for row in net.summary().rows}
    scores, names = shapes[net.scores], len(net.meta.classes)
    if names and (len(scores) < 2 or scores[1] != names):
        raise MinicnnError(f"{net.scores}: {names} class names for an output of {show(scores)}")


def _fill(path, meta, tensors):
    from .. import zoo

    # As many scores as there are class names, so that names of another net are noticed.
    count = len(meta.classes) or None
    try:
        net = zoo.build(meta.architecture, classes=count)
        net.load_state_dict(tensors)
    except MinicnnError as error:
        wanted = meta.architecture + (f" with {count} classes" if count else "")
        raise FormatError(path, f"not the weights of {wanted}: {error}") from error
    net.meta = meta
    return net


def _files(folder):
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if _NAME.fullmatch(file.name))
