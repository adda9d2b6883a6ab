"""Which reader a file wants: its first bytes say so, not its name."""

from importlib import import_module
from pkgutil import iter_modules

from .. import weights
from ..errors import FormatError
from ..files import require_file

_HEAD = 4096
_NOT_WEIGHTS = {  # what people often have instead, by its first letters
    b"<": "this is a web page, not weights: a download went wrong",
    b"version https://git-lfs": "this is a Git LFS pointer, not the file itself: run `git lfs pull`",
}


def formats():
    """The reader modules, found in this folder."""
    modules = (import_module(f"{weights.__name__}.{m.name}") for m in iter_modules(weights.__path__))
    return [module for module in modules if hasattr(module, "sniff")]


def read(path):
    """Read any weight file: path -> Checkpoint.

    Raises MissingFileError if it is not there, FormatError if it is not a weight file that minicnn can read.
    """
    return reader(path).read(path)


def reader(path):
    """The module that reads a file; raises as `read` does."""
    require_file(path)
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror}") from error
    for module in formats():
        if module.sniff(head):
            return module
    known = sorted({suffix for module in formats() for suffix in module.SUFFIXES})
    reason = what_instead(head) or f"empty or not a weight file that minicnn can read ({', '.join(known)})"
    raise FormatError(path, reason)


def what_instead(head):
    """What a file that begins with these bytes is instead of weights, in words, or None if nothing is known of it."""
    found = (reason for start, reason in _NOT_WEIGHTS.items() if head.lstrip().startswith(start))
    return next(found, None)
