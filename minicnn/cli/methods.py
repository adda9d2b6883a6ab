"""The ways of looking as vis/ holds them, read from the sources: help needs no NumPy."""

import ast
import re
from typing import NamedTuple

from .modules import find, syntax_tree

VIS = f"{__package__.rpartition('.')[0]}.vis"


class Option(NamedTuple):
    """A parameter of a method that is an option of its command; the types are those that vis/__init__.py allows."""

    name: str
    type: type
    default: str  # as the source has it
    help: str


class Method(NamedTuple):
    """What one module of vis/ declares; see vis/__init__.py."""

    page: str  # its docstring
    wants_image: bool
    unit: str  # "needed", "optional" or "none"
    shows_progress: bool
    options: list


_TYPES = {"int": int, "float": float, "str": str, "bool": bool}


def methods():
    """{name: Method}: the modules with a function of their own name and a function `picture`."""
    found = {}
    for name, path in find(VIS).items():
        tree = syntax_tree(path)
        if {name, "picture"} <= _names(tree):
            function = next(node for node in tree.body if getattr(node, "name", None) == name)
            found[name] = _method(ast.get_docstring(tree) or "", function)
    return found


def _names(tree):
    """What a module defines or imports at its top level."""
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return names.union(alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names)


def _method(page, function):
    parameters = [*function.args.args, *function.args.kwonlyargs]
    defaults = [None] * (len(function.args.args) - len(function.args.defaults))
    defaults += [*function.args.defaults, *function.args.kw_defaults]
    texts = _explanations(ast.get_docstring(function) or "")
    unit, wants_image, shows_progress, options = "none", False, False, []
    for parameter, default in zip(parameters, defaults):
        name = parameter.arg
        if name == "x":
            wants_image = True
        elif name == "unit":
            unit = "needed" if default is None else "optional"
        elif name == "progress":
            shows_progress = True
        elif name != "net":
            kind = _TYPES[ast.unparse(parameter.annotation)]
            options.append(Option(name, kind, ast.unparse(default), texts.get(name, "")))
    return Method(page, wants_image, unit, shows_progress, options)


def _explanations(text):
    """{parameter: text} of a docstring's lines "name   what it is", with the deeper lines that follow."""
    found, last = {}, None
    for line in text.splitlines():
        start = re.match(r"(\w+) {2,}(\S.*)", line)
        if start:
            last = start[1]
            found[last] = start[2]
        elif last and line.startswith("  "):
            found[last] += f" {line.strip()}"
        else:
            last = None
    return found
