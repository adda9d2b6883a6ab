import io
import logging
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from minicnn.errors import FormatError, ImageError, MissingFileError, UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.train.folders import Folders


def picture(seed, width=7, height=5, form="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return pixels.transpose(2, 0, 1), file.getvalue()


# Out of order on purpose, with files and folders that are no pictures of a class.
FILES = {
    "dog/b.png": picture(0)[1],
    "dog/a.PNG": picture(1)[1],
    "cat/z.png": picture(2)[1],
    "cat/notes.txt": b"no picture",
    "cat/.hidden.png": b"no picture",
    ".git/x.png": b"no picture",
    "__MACOSX/cat/z.png": b"no picture",
    "README.md": b"no picture",
}
ORDER = [("cat/z.png", 2, 0), ("dog/a.PNG", 1, 1), ("dog/b.png", 0, 1)]


def write(tmp_path, kind, files, above=""):
    """The files as a folder or as a zip; returns its path."""
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(above + name, data)
        return tmp_path / "set.zip"
    for name, data in files.items():
        path = tmp_path / "set" / (above + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "set"


BOTH = pytest.mark.parametrize("kind", ["folder", "zip"])


@BOTH
@pytest.mark.parametrize("above", ["", "train/", "data/train/"])
def test_classes_and_pictures(tmp_path, kind, above):
    found = Folders(write(tmp_path, kind, FILES, above))
    assert found.classes == ("cat", "dog") and len(found) == 3
    assert found.names == [above + name for name, _, _ in ORDER]
    assert found.labels.tolist() == [0, 1, 1] and found.labels.dtype == np.int64
    for i, (_, seed, _) in enumerate(ORDER):
        assert (found.image(i) == picture(seed)[0]).all()
    images, labels = found.batch(np.array([2, 0]))
    assert (images[0] == picture(0)[0]).all() and (images[1] == picture(2)[0]).all() and labels.tolist() == [1, 0]
    assert images.dtype == np.uint8
    found.close()


@pytest.mark.parametrize("width, height, box", [(40, 20, (5, 0, 15, 10)), (20, 60, (0, 10, 10, 20))])
def test_size_is_that_of_the_shorter_side_and_the_middle_is_kept(tmp_path, width, height, box):
    pixels, data = picture(0, width, height)
    found = Folders(write(tmp_path, "folder", {"a/1.png": data}), size=10).image(0)
    smaller = Image.fromarray(pixels.transpose(1, 2, 0)).resize((width // 2, height // 2), Image.Resampling.BILINEAR)
    assert (found == np.asarray(smaller.crop(box)).transpose(2, 0, 1)).all()


def test_pictures_of_two_sizes(tmp_path):
    path = write(tmp_path, "folder", {"a/1.png": picture(0, 7, 5)[1], "a/2.png": picture(0, 5, 7)[1]})
    with pytest.raises(ShapeError, match=r"a/1.png is \(3,5,7\), a/2.png \(3,7,5\): give a size"):
        Folders(path).batch([0, 1])
    assert Folders(path, size=4).batch([0, 1])[0].shape == (2, 3, 4, 4)


GOOD = picture(0, form="JPEG")[1]
BAD = {
    "cut off": picture(0, 64, 64, "JPEG")[1][:700],
    "no picture": b"hello",
    "empty": b"",
    # Stated to be 60,000 x 60,000: refused before anything is decoded.
    "too large": picture(0)[1][:16] + (60_000).to_bytes(4, "big") * 2 + picture(0)[1][24:],
}


def _with_a_right_checksum(png):
    # Bytes 12..28 are the header's name and fields; its checksum follows.
    return png[:29] + zlib.crc32(png[12:29]).to_bytes(4, "big") + png[33:]


BAD["too large"] = _with_a_right_checksum(BAD["too large"])


@BOTH
@pytest.mark.parametrize("bad", BAD)
def test_damaged_pictures(tmp_path, kind, bad, caplog):
    path = write(tmp_path, kind, {"a/1.jpg": GOOD, "a/2.jpg": BAD[bad], "b/3.jpg": GOOD})
    refusing = Folders(path)
    assert len(refusing.batch([0, 2])[0]) == 2
    with pytest.raises(ImageError, match=r"a/2\.jpg: .*(60000x60000 pixels|picture)"):
        refusing.batch([0, 1, 2])

    skipping = Folders(path, damaged="skip")
    with caplog.at_level(logging.WARNING, logger="minicnn"):
        for _ in range(2):
            images, labels = skipping.batch([0, 1, 2])
    assert len(images) == 2 and labels.tolist() == [0, 1]
    assert list(skipping.skipped) == ["a/2.jpg"] and "a/2.jpg" in skipping.skipped["a/2.jpg"]
    assert caplog.text.count("skipped: ") == 1
    images, labels = skipping.batch([1])
    assert images.shape == (0, 3, 0, 0) and labels.shape == (0,)


def test_a_zip_cut_in_half(tmp_path):
    path = write(tmp_path, "zip", FILES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FormatError, match="truncated"):
        Folders(path)
    path.write_bytes(b"hello")
    with pytest.raises(FormatError, match="not a zip"):
        Folders(path)


def test_a_picture_whose_bytes_in_the_zip_are_damaged(tmp_path):
    path = write(tmp_path, "zip", {"a/1.jpg": GOOD, "a/2.jpg": GOOD})
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"a/1\.jpg: cannot be unpacked"):
        Folders(path).image(0)
    assert Folders(path).image(1).shape == (3, 5, 7)


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/1.png", "w") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 400_000
    with pytest.raises(ImageError, match=r"a/1\.png: 314572800 bytes when unpacked, more than the limit"):
        Folders(path).image(0)


@BOTH
@pytest.mark.parametrize(
    "files, said",
    [
        ({"a/1.txt": b""}, "no pictures"),
        ({"1.png": GOOD}, "1.png lies in no folder"),
        ({"a/1.png": GOOD, "2.png": GOOD}, "2.png lies in no folder"),
        ({"train/a/1.png": GOOD, "test/a/1.png": GOOD}, "more than one place: test/ and train/"),
        ({"a/1.png": GOOD, "a/b/2.png": GOOD}, "more than one place: ./ and a/"),
    ],
)
def test_other_trees(tmp_path, kind, files, said):
    with pytest.raises(FormatError, match=said):
        Folders(write(tmp_path, kind, files))


def test_a_class_without_pictures(tmp_path):
    path = write(tmp_path, "folder", {"a/1.png": GOOD, "c/1.png": GOOD})
    (path / "b").mkdir()
    with pytest.raises(FormatError, match="class 'b' has no pictures"):
        Folders(path)


def test_what_is_asked_for(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        Folders(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="ignore"):
        Folders(tmp_path, damaged="ignore")
    with pytest.raises(UsageError, match="size 0"):
        Folders(tmp_path, size=0)
