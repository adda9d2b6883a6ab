"""Optional libraries: imported when used, and named with what to install where they are missing."""

import ast
import configparser
import math
import sys
from pathlib import Path

import pytest

from minicnn import extras
from minicnn.errors import MinicnnError

ROOT = Path(__file__).parents[2]


def test_a_library_that_is_there():
    assert extras.load("math", "analysis") is math


def test_a_missing_one_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(extras.MissingExtraError) as caught:
        extras.load("sklearn.manifold", "analysis")
    assert 'pip install "minicnn[analysis]"' in str(caught.value) and "sklearn" in str(caught.value)
    assert isinstance(caught.value, MinicnnError) and isinstance(caught.value, ImportError)


def test_the_tests_install_every_extra_but_the_cards():
    """What needs no card of CUDA's extras they install by themselves."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = {name: set(text.split()) for name, text in config["options.extras_require"].items()}
    assert {"analysis", "segment", "optimise", "cluster", "film"} <= set(required)
    for name in set(required) - {"test", "lint", "cuda12", "cuda13"}:
        assert required[name] <= required["test"], name


def test_every_extra_that_is_asked_for_exists():
    """extras.load(..., "NAME") in the sources names an extra of setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    for path in [*ROOT.glob("vis/**/*.py"), *ROOT.glob("minicnn/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("extras.load", "load_extra"):
                assert ast.literal_eval(node.args[1]) in config["options.extras_require"], path
