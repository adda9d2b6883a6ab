"""Show, clear and fill the folder of compiled kernels.

A kernel is compiled when it is first called, and kept on disk for later processes. Whenever a kernel's source, Numba or
Python change, all are compiled anew, into another folder.

examples:
  minicnn cache info
  minicnn cache clear --old
  minicnn cache warm
"""

from importlib import import_module

from ...modules import docstring, find

KIND = "action"


def subcommands():
    return {name: docstring(path) for name, path in find(__name__).items()}


def add_arguments(parser, name):
    _module(name).add_arguments(parser)


def run(args):
    return _module(args.subcommand).run(args)


def _module(name):
    return import_module(f".{find(__name__)[name].stem}", __name__)
