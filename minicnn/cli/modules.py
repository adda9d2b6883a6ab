"""What a folder of modules offers, read from the files; only the module that is called is imported."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def find(package):
    """{name: path} of a package's public modules and folders, sorted by name; import_.py is `import`.

    package  its dotted name; its parents are imported, itself is not
    """
    paths = [path for folder in find_spec(package).submodule_search_locations for path in Path(folder).iterdir()]
    modules = [path for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return {path.stem.rstrip("_"): path for path in sorted(modules) if not path.stem.startswith("_")}


def actions(package):
    """(subcommands, add_arguments, run) of a command whose forms are the modules in its own folder."""

    def module(name):
        return import_module(f".{find(package)[name].stem}", package)

    def subcommands():
        return {name: docstring(path) for name, path in find(package).items()}

    def add_arguments(parser, name):
        module(name).add_arguments(parser)

    def run(args):
        return module(args.subcommand).run(args)

    return subcommands, add_arguments, run


def syntax_tree(path):
    """The parsed source of a module, or of a folder's __init__.py."""
    file = path / "__init__.py" if path.is_dir() else path
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring(path):
    """A module's docstring."""
    return ast.get_docstring(syntax_tree(path)) or ""
