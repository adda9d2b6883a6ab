"""Films: every format is read back with its frames, their order and their time."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from minicnn.errors import OutputError, UsageError
from minicnn.extras import MissingExtraError
from minicnn.vis.pictures.film_file import check_film, save_film

GREYS = (20, 120, 220)


def _frames(size=(32, 24)):
    return [Image.new("RGB", size, (grey, grey, grey)) for grey in GREYS]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".GIF"])
def test_animated_pictures(tmp_path, suffix):
    path = tmp_path / "new" / f"film{suffix}"
    save_film(_frames(), path, rate=5)
    with Image.open(path) as film:
        assert film.n_frames == 3 and film.info["loop"] == 0
        times, greys = [], []
        for frame in ImageSequence.Iterator(film):
            frame.load()
            times.append(frame.info["duration"])
            greys.append(np.asarray(frame.convert("RGB")).mean())
    assert times == [200, 200, 200]
    np.testing.assert_allclose(greys, GREYS, atol=3)


def test_an_animated_png_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (9, 7, 3), np.uint8) for _ in range(4)]
    save_film([Image.fromarray(frame) for frame in pixels], tmp_path / "film.png")
    with Image.open(tmp_path / "film.png") as film:
        found = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize(("count", "milliseconds"), [(4, 500), (20, 100), (30, 100)])
def test_a_short_film_takes_its_time(tmp_path, count, milliseconds):
    rng = np.random.default_rng(1)
    frames = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(count)]
    save_film(frames, tmp_path / "film.png")
    with Image.open(tmp_path / "film.png") as film:
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert times == [milliseconds] * count


def test_one_frame_is_a_film(tmp_path):
    save_film(_frames()[:1], tmp_path / "film.gif")
    assert Image.open(tmp_path / "film.gif").size == (32, 24)


@pytest.mark.parametrize("size", [(32, 24), (31, 23)])
def test_mp4(tmp_path, size):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    save_film(_frames(size), tmp_path / "film.mp4", rate=4)
    reader = ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    about = next(reader)
    assert about["size"] == (32, 24) and about["fps"] == 4
    np.testing.assert_allclose([np.frombuffer(frame, np.uint8).mean() for frame in reader], GREYS, atol=6)


def test_refused_before_the_work(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match=r"film\.avi: a film's name ends in \.gif, \.webp, \.png or \.mp4"):
        check_film("film.avi")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"minicnn\[film\]"):
        check_film("film.mp4")
    with pytest.raises(MissingExtraError):
        save_film(_frames(), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_frames_that_are_no_film(tmp_path):
    with pytest.raises(UsageError, match="a film of 0 frames"):
        save_film([], tmp_path / "film.gif")
    with pytest.raises(UsageError, match=r"sizes \[\(32, 24\), \(33, 24\)\]"):
        save_film(_frames() + _frames((33, 24)), tmp_path / "film.gif")


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_film(_frames(), tmp_path / "file" / "film.gif")
