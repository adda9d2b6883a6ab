import os
import stat

import pytest

from minicnn.errors import MinicnnError, MissingFileError, OutputError
from minicnn.files import read_whole, write_whole


def write(path, data):
    with write_whole(path) as f:
        f.write(data)


def test_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "a"
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["a"]


def test_the_file_is_as_readable_as_any_other(tmp_path):
    write(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_the_new_name_appears_after_the_data_is_on_the_disk(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (done.append(name), real(*a))[1])
    write(tmp_path / "a", b"one")
    assert done == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), MissingFileError("ours")])
def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a"
    write(path, b"old")
    with pytest.raises(type(error)), write_whole(path) as f:
        f.write(b"new" * 100_000)
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "a"
    write(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OutputError, match=f"cannot write {path}: No space left on device"):
        write(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_disk_that_is_full_while_writing(tmp_path, monkeypatch):
    import builtins

    real = builtins.open

    def to_full(path, mode):
        real(path, mode).close()
        return real("/dev/full", "wb")

    monkeypatch.setattr(builtins, "open", to_full)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError) as caught:
        write(tmp_path / "file" / "a", b"")
    assert isinstance(caught.value, MinicnnError)
    assert str(caught.value) == f"cannot write {tmp_path}/file/a: {caught.value.__cause__.strerror}"
    with pytest.raises(OutputError, match="cannot write"):
        write(tmp_path, b"")  # a folder
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_reading(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_whole(tmp_path / "a") == b"abc"
    for path, reason in ((tmp_path / "b", "no such file"), (tmp_path, "it is a folder"), ("/dev/null", "no such file")):
        with pytest.raises(MissingFileError, match=f"cannot read {path}: {reason}"):
            read_whole(path)
    with pytest.raises(MissingFileError, match="cannot read"):
        read_whole("a\0b")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "a").chmod(0)
    with pytest.raises(MissingFileError, match="Permission denied"):
        read_whole(tmp_path / "a")
