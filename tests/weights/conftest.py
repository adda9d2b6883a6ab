"""A small zoo, and folders of weights that are nobody's."""

import os

import pytest
import tiny_zoo

import minicnn.zoo


@pytest.fixture
def zoo(monkeypatch):
    """A zoo of one net, see tiny_zoo."""
    monkeypatch.setattr(minicnn.zoo, "_entries", lambda: {"tiny": tiny_zoo.entry()})


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty folders: two of MINICNN_WEIGHTS, and the cache."""
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "cache" / "weights"]
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setenv("MINICNN_WEIGHTS", os.pathsep.join(map(str, folders[:2])))
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "cache"))
    return folders


@pytest.fixture
def source(tmp_path):
    """Writes a file; returns its path."""

    def source(data, name="net.caffemodel"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return source
