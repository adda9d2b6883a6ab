"""List, describe and convert nets and their weights.

examples:
  minicnn models list
  minicnn models info mnist-lenet
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
