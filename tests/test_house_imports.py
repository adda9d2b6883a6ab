"""Who may import whom, and what an import may cost: read from the sources with ast, so that no branch hides."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Each room may import itself and what stands before it.
ORDER = ["kernels", "layers", "minicnn", "vis", "benchmarks", "cli"]
TOP_FOLDERS = ["kernels", "layers", "minicnn", "vis", "benchmarks"]


def _sources():
    return sorted(path for folder in TOP_FOLDERS for path in (ROOT / folder).rglob("*.py"))


def _module(path):
    """The dotted name under which a file is imported, and its package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "minicnn":
        parts.insert(0, "minicnn")
    package = parts[:-1]
    return ".".join(package if parts[-1] == "__init__" else parts), package


def _room(module):
    parts = module.split(".")
    if parts[0] != "minicnn":
        return None
    if parts[1:2] == ["__main__"]:  # `python -m minicnn` is the front door itself
        return "cli"
    return parts[1] if parts[1:] and parts[1] in ORDER else "minicnn"


def _imports(path):
    """(line, absolute dotted name) of everything that a file imports, wherever in it."""
    _, package = _module(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from .. import kernels` imports a room, `from ..errors import X` a name: the longer one tells.
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def _wrong_imports(path):
    here = _room(_module(path)[0])
    for line, name in _imports(path):
        there = _room(name)
        if there and ORDER.index(there) > ORDER.index(here):
            yield f"{path.relative_to(ROOT)}:{line}: {here} imports {name}"
        if name.split(".")[0] in {"kernels", "layers", "vis", "benchmarks", "tests"}:
            yield f"{path.relative_to(ROOT)}:{line}: bare import of {name}"


def test_every_source_is_looked_at():
    assert {_room(_module(path)[0]) for path in _sources()} == set(ORDER)


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_rooms_import_only_what_stands_before_them(folder):
    assert [wrong for path in _sources() if path.is_relative_to(ROOT / folder) for wrong in _wrong_imports(path)] == []


@pytest.mark.parametrize(
    "text, count",
    [
        ("from ..vis import image", 1),
        ("from .. import vis", 1),
        ("def f():\n    import minicnn.cli.main", 1),
        ("import layers", 1),
        ("from kernels import use", 1),
        ("from ..kernels import current\nimport numpy", 0),
    ],
)
def test_a_wrong_import_is_found(text, count, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "layers" / "new.py"
    path.parent.mkdir()
    path.write_text(text)
    assert len(list(_wrong_imports(path))) == count


@pytest.mark.parametrize("path", _sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_sys_path_is_left_alone_and_no_star_is_imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("sys", "path"), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert [alias.name for alias in node.names] != ["*"], f"line {node.lineno}"


def test_every_package_is_installed():
    """A folder that setup.cfg does not list works from the checkout and is missing from the wheel."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    folders = {path.parent for path in _sources() if path.name == "__init__.py"}
    packages = {".".join(_module(folder / "__init__.py")[1]) for folder in folders}
    assert set(config["options"]["packages"].split()) == packages
    homes = {path.parent for path in _sources()}
    assert homes == folders, "a folder with modules has no __init__.py"


@pytest.mark.parametrize(
    "module, absent",
    [("minicnn", ["numba", "numpy", "PIL"]), ("minicnn.kernels", ["numba", "numpy"]), ("minicnn.cli.main", ["numpy"])],
)
def test_import_is_light(module, absent):
    code = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_benchmarks_may_compare_with_pytorch():
    """PyTorch judges the tests and the benchmarks; the product computes without it."""
    sources = [path for path in _sources() if not path.is_relative_to(ROOT / "benchmarks")]
    assert "torch" not in {name.split(".")[0] for path in sources for _, name in _imports(path)}
