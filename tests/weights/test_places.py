"""Where weights are looked for."""

import os

import pytest

import minicnn.assets
from minicnn.errors import MissingFileError
from minicnn.weights import places as where


def test_names_and_their_order(places):
    one, two, cache = places
    files = [
        cache / "net.safetensors",
        two / "net-0123abcd.safetensors",
        two / "net.safetensors",
        one / "net.safetensors",
    ]
    for file in files:
        file.write_bytes(b"")
        assert where.find("net") == file
    assert where.find("net-0123abcd") == two / "net-0123abcd.safetensors"


def test_names_that_only_look_alike(places):
    for name in ("net2-0123abcd", "net-0123abc", "net-0123abcg", "net-x-0123abcd", "a-net"):
        (places[0] / f"{name}.safetensors").write_bytes(b"")
    (places[0] / "net-0123abcd.caffemodel").write_bytes(b"")
    with pytest.raises(MissingFileError, match="no weights 'net' in"):
        where.find("net")
    assert where.find("net-x") == places[0] / "net-x-0123abcd.safetensors"


def test_two_of_a_name_in_one_folder(places):
    for digits in ("0123abcd", "11111111"):
        (places[0] / f"net-{digits}.safetensors").write_bytes(b"")
    with pytest.raises(MissingFileError, match=r"'net' may be net-0123abcd or net-11111111 in .*one: say which"):
        where.find("net")
    assert where.find("net-11111111") == places[0] / "net-11111111.safetensors"
    assert {"net-0123abcd", "net-11111111"} <= where.available().keys()


def test_paths(places, monkeypatch):
    monkeypatch.chdir(places[0])
    for name in ("file", "file.pth"):
        (places[0] / name).write_bytes(b"")
        assert where.find(name) == where.find(name).relative_to(".")
    (places[0] / "dots.1.safetensors").write_bytes(b"")
    assert where.find("dots.1") == places[0] / "dots.1.safetensors"
    for path in ("none.caffemodel", "folder/none", places[1] / "none"):
        with pytest.raises(MissingFileError, match=f"cannot read {path}: no such file"):
            where.find(path)


def test_what_is_missing_says_where_it_looked(places):
    (places[1] / "vgg16-0123abcd.safetensors").write_bytes(b"")
    with pytest.raises(MissingFileError) as caught:
        where.find("zfnet")
    text = str(caught.value)
    for part in (*map(str, places), "there are vgg16", f"minicnn models import FILE --arch zfnet --out {places[2]}"):
        assert part in text
    assert "\n" not in text
    with pytest.raises(MissingFileError, match="download them: minicnn models fetch googlenet"):
        where.find("googlenet")


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MINICNN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert where.cache_folder() == tmp_path / ".cache" / "minicnn" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert where.cache_folder() == tmp_path / "xdg" / "minicnn" / "weights"
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "own"))
    assert where.cache_folder() == tmp_path / "own" / "weights"


def test_what_ships_is_looked_at_last(monkeypatch):
    monkeypatch.delenv("MINICNN_WEIGHTS", raising=False)
    assert [str(folder) for folder in where.folders()[1:]] == [os.path.dirname(minicnn.assets.__file__)]
