"""Where weights are on this machine: folders, and files by name."""

import os
import re
from importlib import resources
from pathlib import Path

from ..errors import MissingFileError
from ..files import require_file

_NAME = re.compile(r"(?P<name>.+?)(?:-(?P<hash>[0-9a-f]{8}))?\.safetensors")


def find(name_or_path):
    """The file of a name ("googlenet", "googlenet-1a2b3c4d") or a path.

    A path is taken as it is. A name is looked for as NAME.safetensors, then NAME-<8 hex>.safetensors, in the folders
    of MINICNN_WEIGHTS, the user's cache folder and what ships, in this order.
    Raises MissingFileError that says where it looked, what is there and how to get it, or that a folder has several of
    the name.
    """
    text = os.fspath(name_or_path)
    if os.path.dirname(text) or re.search(r"\.[a-z]+$", text) or os.path.isfile(text):
        require_file(text)
        return Path(text)
    for folder in folders():
        files = named(folder)
        here = [file for file in files if file.name == f"{text}.safetensors"]
        here = here or [file for file in files if _NAME.fullmatch(file.name)["name"] == text]
        if len(here) > 1:
            raise MissingFileError(f"{text!r} may be {' or '.join(file.stem for file in here)} in {folder}: say which")
        if here:
            return here[0]
    raise MissingFileError(
        f"no weights {text!r} in {', '.join(map(str, folders()))}; there are {', '.join(available()) or 'none'}; "
        f"{_how_to_get(text)}"
    )


def _how_to_get(name):
    from .. import zoo

    if name in zoo.names() and zoo.entry(name).files:
        return f"download them: minicnn models fetch {name}"
    return f"convert a file that you have: minicnn models import FILE --arch {name} --out {cache_folder()}"


def folders():
    """Where names are looked for, in this order; they need not exist."""
    listed = [Path(folder) for folder in os.environ.get("MINICNN_WEIGHTS", "").split(os.pathsep) if folder]
    return [*listed, cache_folder(), Path(str(resources.files("minicnn.assets")))]


def cache_folder():
    """Where this user's weights are: MINICNN_CACHE_DIR, or minicnn in XDG_CACHE_HOME or ~/.cache; then weights."""
    return _cache() / "weights"


def downloads_folder():
    """Where published files are put before they are converted, by `models fetch` or by hand: beside `cache_folder`."""
    return _cache() / "downloads"


def _cache():
    own = os.environ.get("MINICNN_CACHE_DIR")
    shared = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(shared) / "minicnn"


def available():
    """{name: path} of all weights that `find` would find, by the names that `load` takes."""
    found = {}
    for folder in folders():
        names = [_NAME.fullmatch(file.name)["name"] for file in named(folder)]
        for file, name in zip(named(folder), names):
            found.setdefault(name if names.count(name) == 1 else file.stem, file)
    return found


def named(folder):
    """The weight files of a folder that have a name, sorted."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if _NAME.fullmatch(file.name))
