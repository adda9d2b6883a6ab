"""The ways of looking as vis/ holds them, read from the sources: help needs no NumPy."""

import ast
import re
from typing import NamedTuple

from .modules import find, syntax_tree

VIS = f"{__package__.rpartition('.')[0]}.vis"

# What a parameter is to the command line.
NONE, OPTIONAL, NEEDED = "none", "optional", "needed"


class Option(NamedTuple):
    """A parameter of a method that is an option of its command; the types are those that vis/__init__.py allows."""

    name: str
    type: type
    default: str  # as the source has it; a text without quotes
    help: str


class Further(NamedTuple):
    """A parameter that takes further pictures, `inputs.Images`."""

    name: str
    need: str
    help: str


class Method(NamedTuple):
    """What one module of vis/ declares; see vis/__init__.py. The needs are NONE, OPTIONAL or NEEDED."""

    page: str  # its docstring
    image: str  # need of x
    unit: str  # need
    pictures: str  # need
    further: list
    options: list
    size: int | None  # SIZE
    has_film: bool
    shows_progress: bool


_TYPES = {"int": int, "float": float, "str": str, "bool": bool}


def pages():
    """{name: docstring} of the modules with a function of their own name and a function `picture`.

    Found in the text: to parse forty modules would take longer than all the rest of a help.
    """
    texts = {name: path.read_text(encoding="utf-8") for name, path in find(VIS).items() if path.is_file()}
    return {name: _docstring(text) for name, text in texts.items() if _has(text, name) and _has(text, "picture")}


def method(name):
    """What the module of that name declares."""
    return _method(syntax_tree(find(VIS)[name]), name)


def _has(text, name):
    """Whether a module's text defines or imports a name at its top level."""
    return re.search(rf"^(def {name}\(|from \S+ import .*\b{name}\b)", text, re.MULTILINE) is not None


def _docstring(text):
    literal = re.match(r'(?:#.*\n|\s)*(r?""".*?""")', text, re.DOTALL)
    return ast.literal_eval(literal[1]).strip() if literal else ""


def _constants(tree):
    """{name: value} of the numbers and texts that a module names at its top level."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.unparse(node.value)
    return found


def _method(tree, name):
    function = next(node for node in tree.body if getattr(node, "name", None) == name)
    constants = _constants(tree)
    texts = _explanations(ast.get_docstring(function) or "")
    needs, further, options, progress = {}, [], [], False
    for parameter, default in _parameters(function):
        one = parameter.arg
        kind = parameter.annotation and ast.unparse(parameter.annotation).rpartition(".")[2]
        need = NEEDED if default is None else OPTIONAL
        if one in ("x", "unit", "pictures"):
            needs[one] = need
        elif one == "progress":
            progress = True
        elif kind == "Images":
            further.append(Further(one, need, texts.get(one, "")))
        elif kind is not None and one != "net":
            options.append(Option(one, _TYPES[kind], _shown(default, constants), texts.get(one, "")))
    return Method(
        page=ast.get_docstring(tree, clean=False) or "",
        image=needs.get("x", NONE),
        unit=needs.get("unit", NONE),
        pictures=needs.get("pictures", NONE),
        further=further,
        options=options,
        size=int(constants["SIZE"]) if "SIZE" in constants else None,
        has_film=any(getattr(node, "name", None) == "film" for node in tree.body),
        shows_progress=progress,
    )


def _parameters(function):
    """(parameter, default's node or None) of each."""
    given = function.args
    defaults = [None] * (len(given.args) - len(given.defaults))
    return zip([*given.args, *given.kwonlyargs], [*defaults, *given.defaults, *given.kw_defaults])


def _shown(default, constants):
    """A default as help shows it: a constant's value for its name, a text without its quotes."""
    if isinstance(default, ast.Constant) and isinstance(default.value, str):
        return default.value or "none"
    text = ast.unparse(default)
    return constants.get(text, text)


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
