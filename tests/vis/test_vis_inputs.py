"""Further pictures: files, folders, archives, arrays; each read when it is asked for, by other processes too."""

import io
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from minicnn.errors import FormatError, ImageError, MissingFileError, UsageError
from minicnn.meta import Meta
from minicnn.vis.image import deprocess, preprocess_whole
from minicnn.vis.inputs import Pictures, each_image

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def _save(path, colour, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def _bytes(colour, size=(4, 3)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def three_places(tmp_path):
    """A folder with one picture deep inside, a zip and a file, with things beside them that are no pictures."""
    _save(tmp_path / "folder" / "a" / "b" / "deep.png", RED, (300, 200))
    _save(tmp_path / "folder" / "near.bmp", GREEN)
    (tmp_path / "folder" / "notes.txt").write_text("no picture")
    (tmp_path / "folder" / ".hidden.png").write_text("no picture either")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("x/one.png", _bytes(BLUE, (1, 1)))
        archive.writestr("readme.md", "nothing")
    _save(tmp_path / "loose.odd.png", BLACK)
    return [tmp_path / "folder", tmp_path / "more.zip", tmp_path / "loose.odd.png"]


def _corner(image):
    return image.getpixel((0, 0))


def test_files_folders_and_archives(three_places, tmp_path):
    pictures = Pictures(three_places)
    assert pictures.names == [
        f"{tmp_path}/folder/a/b/deep.png",
        f"{tmp_path}/folder/near.bmp",
        f"{tmp_path}/more.zip/x/one.png",
        f"{tmp_path}/loose.odd.png",
    ]
    assert len(pictures) == 4 and [image.size for image in pictures] == [(300, 200), (4, 3), (1, 1), (4, 3)]
    assert [_corner(image) for image in pictures] == [RED, GREEN, BLUE, BLACK]
    assert {image.mode for image in pictures} == {"RGB"}
    assert _corner(pictures[-2]) == BLUE
    assert [i for i, _ in pictures.each()] == [0, 1, 2, 3] and [i for i, _ in pictures.each([2, 0])] == [2, 0]


def test_one_path_is_enough(three_places):
    assert len(Pictures(three_places[0])) == 2 and len(Pictures(str(three_places[2]))) == 1


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    _save(tmp_path / "a.png", RED)
    pictures = Pictures([tmp_path])
    _save(tmp_path / "a.png", BLUE)
    assert _corner(pictures[0]) == BLUE


def _corner_of(pictures, i):
    return pictures.names[i], pictures[i].getpixel((0, 0))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_read_them_too(three_places, start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {start}")
    pictures = Pictures(three_places)
    assert _corner(pictures[2]) == BLUE  # the zip is in use here, too
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        found = list(pool.map(_corner_of, [pictures] * 4, range(4)))
    assert found == list(zip(pictures.names, [RED, GREEN, BLUE, BLACK]))


def test_a_copy_is_the_same(three_places):
    pictures = pickle.loads(pickle.dumps(Pictures([*three_places, np.full((2, 2, 3), 9, np.uint8)], damaged="skip")))
    assert pictures.damaged == "skip" and [_corner(image) for image in pictures][2:] == [BLUE, BLACK, (9, 9, 9)]


def test_a_part(three_places):
    part = Pictures(three_places)[1:3]
    assert len(part) == 2 and [_corner(image) for image in part] == [GREEN, BLUE]
    assert [name.rpartition("/")[2] for name in part.names] == ["near.bmp", "one.png"]
    assert _corner(pickle.loads(pickle.dumps(part))[1]) == BLUE


def test_a_part_of_many_is_small_to_send(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for k in range(2000):
            archive.writestr(f"picture{k:05}.png", b"")
    assert len(pickle.dumps(Pictures(tmp_path / "many.zip")[:10])) < 3000


def test_what_a_python_user_has():
    pixels = np.zeros((5, 6, 3), np.uint8)
    assert Pictures.of(pixels)[0].size == (6, 5)
    assert [image.size for image in Pictures.of(np.zeros((3, 5, 6, 3), np.uint8))] == [(6, 5)] * 3
    mixed = Pictures.of([pixels, Image.new("L", (2, 1), 7)])
    assert mixed.names == ["0", "1"] and mixed[1].mode == "RGB" and _corner(mixed[1]) == (7, 7, 7)
    assert Pictures.of(mixed) is mixed
    assert len(Pictures.of(Image.new("L", (2, 1)))) == 1


@pytest.fixture
def damaged(tmp_path):
    _save(tmp_path / "a.png", RED)
    (tmp_path / "b.png").write_bytes(_bytes(RED)[:40])
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("bad.png", _bytes(GREEN))
        archive.writestr("good.png", _bytes(BLUE))
    data = bytearray((tmp_path / "c.zip").read_bytes())
    data[60] ^= 255  # inside bad.png
    (tmp_path / "c.zip").write_bytes(data)
    return [tmp_path / name for name in ("a.png", "b.png", "c.zip")]


def test_damaged_pictures_are_named_and_refused(damaged, tmp_path):
    pictures = Pictures(damaged)
    with pytest.raises(ImageError, match=r"b\.png: "):
        list(pictures.each())
    with pytest.raises(ImageError, match=r"c\.zip/bad\.png: cannot be unpacked"):
        pictures[2]


def test_damaged_pictures_are_skipped_where_asked(damaged, tmp_path, caplog):
    pictures = Pictures(damaged, damaged="skip")
    for _ in range(2):
        assert [(i, _corner(image)) for i, image in pictures.each()] == [(0, RED), (3, BLUE)]
    assert list(pictures.skipped) == [f"{tmp_path}/b.png", f"{tmp_path}/c.zip/bad.png"]
    assert len(pictures) == 4
    with pytest.raises(ImageError):
        pictures[1]


def test_refused_at_once(tmp_path):
    with pytest.raises(MissingFileError, match=r"cannot read nowhere: no such file"):
        Pictures(["nowhere"])
    (tmp_path / "not.zip").write_text("a zip only by name")
    with pytest.raises(FormatError, match=r"not\.zip: not a zip"):
        Pictures([tmp_path / "not.zip"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="empty: no pictures in it"):
        Pictures([tmp_path / "empty"])
    with pytest.raises(UsageError, match="no pictures"):
        Pictures([])
    with pytest.raises(UsageError, match='damaged is "refuse" or "skip", not \'keep\''):
        Pictures(tmp_path, damaged="keep")


def test_an_archive_that_went_away(three_places):
    pictures = Pictures([three_places[1]])
    copy = pickle.dumps(pictures)
    three_places[1].unlink()
    with pytest.raises(MissingFileError, match=r"more\.zip"):
        pickle.loads(copy)


def test_images_one_by_one():
    stack = np.arange(24.0).reshape(2, 3, 2, 2)
    for images in (stack, [stack[:1], stack[1:]]):
        found = each_image(images)
        assert [image.shape for image in found] == [(1, 3, 2, 2)] * 2
        np.testing.assert_array_equal(np.concatenate(found), stack)


def _meta(order="RGB"):
    C = 1 if order == "L" else 3
    return Meta("none", (C, 8, 8), order, 255.0, (10.0, 20.0, 30.0)[:C], (1.0, 2.0, 4.0)[:C], "crop", 8)


@pytest.mark.parametrize("order", ["RGB", "BGR", "L"])
def test_a_whole_picture_loses_nothing(order):
    image = np.random.default_rng(0).integers(0, 256, (7, 31, 3), np.uint8)
    if order == "L":
        image[:] = image[:, :, :1]
    x = preprocess_whole(image, _meta(order), 31)
    assert x.dtype == np.float32 and x.shape == (1, 1 if order == "L" else 3, 7, 31)
    np.testing.assert_array_equal(deprocess(x, _meta(order)), image[None])


def test_whole_pictures_by_hand():
    x = preprocess_whole(np.full((2, 2, 3), (50, 100, 250), np.uint8), _meta("BGR"), 100)
    np.testing.assert_allclose(x[0, :, 0, 0], [250 - 10, (100 - 20) / 2, (50 - 30) / 4])


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((1024, 575), 512, (288, 512)),
        ((575, 1024), 512, (512, 288)),
        ((40, 30), 512, (30, 40)),
        ((9000, 2), 50, (1, 50)),
    ],
)
def test_the_longer_side_is_reduced_never_enlarged(size, most, expected):
    assert preprocess_whole(Image.new("RGB", size), _meta(), most).shape == (1, 3, *expected)


def test_a_whole_picture_of_no_size():
    with pytest.raises(UsageError, match="size is 0"):
        preprocess_whole(Image.new("RGB", (3, 3)), _meta(), 0)
