"""Architectures, one a file.

    names()                          what there is
    build("googlenet", seed=0)       a net with random weights
    entry("googlenet")               its papers, preprocessing and the names of its tensors elsewhere

A module here with a tuple ENTRIES (see `base.Entry`) is found by itself.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..errors import UnknownNameError


def build(name, seed=None, **options):
    """The net `name`: with He's random weights where a seed is given, without any to load into where it is None.

    options  classes: how many scores, 1000 for the ImageNet nets unless given
    Raises UnknownNameError that suggests the nearest names.
    """
    net = entry(name).build(**options)
    return net if seed is None else net.init(seed)


def names():
    """The names of all architectures, sorted."""
    return sorted(_entries())


def entry(name):
    """The `base.Entry` of one architecture; raises UnknownNameError that suggests the nearest names."""
    if name not in _entries():
        raise UnknownNameError("architecture", name, names())
    return _entries()[name]


@cache
def _entries():
    modules = [import_module(f".{found.name}", __name__) for found in iter_modules(__path__)]
    return {e.name: e for module in modules for e in getattr(module, "ENTRIES", ())}
