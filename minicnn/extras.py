"""Libraries that only some features need: each belongs to an extra, and is imported when it is first used."""

from importlib import import_module

from .kernels.errors import MinicnnError


class MissingExtraError(MinicnnError, ImportError):
    """An optional library that is not installed or does not load; says what to install."""


def load(module, extra):
    """The module, `load("scipy.optimize", "optimise")`; raises MissingExtraError, which names the extra."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(f'this needs {module} ({error}): pip install "minicnn[{extra}]"') from error
