"""Known values of the colour scales, and where a grid puts what."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from minicnn.kernels.errors import ShapeError
from minicnn.vis.pictures import tiles
from minicnn.vis.pictures.colour import absolute, limit_of, show_gradient, signed, signed_rgb
from minicnn.vis.pictures.tiles import grid

BLUE, WHITE, RED = (33, 70, 200), (255, 255, 255), (200, 30, 33)


def test_signed_at_its_ends_and_in_the_middle():
    colours = signed(np.array([[-4.0, 0.0, 4.0, 9.0, -9.0, -0.0]]), limit=4)
    assert colours.shape == (1, 6, 3) and colours.dtype == np.uint8
    assert [tuple(map(int, c)) for c in colours[0]] == [BLUE, WHITE, RED, RED, BLUE, WHITE]
    # A quarter of the way from white: 255 - 55/4, 255 - 225/4, 255 - 222/4
    np.testing.assert_array_equal(signed(np.array([[1.0]]), limit=4)[0, 0], [241, 199, 200])


def test_signed_is_symmetric():
    values = np.linspace(-1, 1, 21)
    whiteness = 255 - signed(values[None], 1)[0].astype(int)
    ends = 255 - np.array([BLUE, RED])
    for k in range(10):  # as far from white on either side
        np.testing.assert_allclose(whiteness[k] / ends[0], whiteness[20 - k] / ends[1], atol=0.02)


def test_absolute():
    np.testing.assert_array_equal(absolute(np.array([[0.0, -2.0, 1.0, 4.0, 9.0]]), 4)[0, :, 0], [0, 128, 64, 255, 255])
    assert absolute(np.zeros((2, 5, 6))).shape == (2, 5, 6, 3)


@pytest.mark.parametrize(("order", "expected"), [("RGB", (0, 128, 192)), ("BGR", (192, 128, 0))])
def test_signed_rgb(order, expected):
    values = np.reshape([-2.0, 0.0, 1.0], (3, 1, 1))  # first, second, third channel of the net
    np.testing.assert_array_equal(signed_rgb(values, order, limit=2)[0, 0], expected)


def test_all_zeros_is_neutral():
    np.testing.assert_array_equal(np.unique(signed(np.zeros((2, 2)))), [255])
    np.testing.assert_array_equal(np.unique(absolute(np.zeros((2, 2)))), [0])
    np.testing.assert_array_equal(np.unique(signed_rgb(np.zeros((3, 2, 2)))), [128])


def test_limits():
    values = np.array([-8.0, 1, 2, 3])
    assert limit_of(values) == 8
    assert limit_of(values, 0.5) == 2.5  # of 1 2 3 8
    assert limit_of(np.zeros(3)) == 1
    assert limit_of(np.array([0.0, 0, 0, 7]), 0.5) == 7  # a quantile of zero is no scale


def test_every_image_has_its_own_scale():
    dx = np.random.default_rng(0).standard_normal((1, 3, 6, 6))
    colours = show_gradient(np.concatenate([dx, 1000 * dx]))
    np.testing.assert_array_equal(colours[0], colours[1])
    assert colours.shape == (2, 6, 6, 3)
    grey = show_gradient(np.array([[[[1.0, 0.0, -1.0]]]]))
    assert [tuple(map(int, c)) for c in grey[0, 0]] == [RED, WHITE, BLUE]


def _tile(colour, height=3, width=4):
    return np.full((height, width, 3), colour, np.uint8)


def test_where_tiles_are():
    picture = np.asarray(grid([_tile(v) for v in (10, 20, 30)], columns=2, gap=2))
    # columns 2..5 and 8..11, rows 2..4 and 7..9
    assert picture.shape == (2 + 2 * (3 + 2), 2 + 2 * (4 + 2), 3)
    expected = np.full(picture.shape, 255, np.uint8)
    expected[2:5, 2:6], expected[2:5, 8:12], expected[7:10, 2:6] = 10, 20, 30
    np.testing.assert_array_equal(picture, expected)


def test_tiles_are_enlarged_by_a_whole_factor():
    picture = np.asarray(grid([np.arange(12, dtype=np.uint8).reshape(2, 2, 3)], least=5, gap=0))
    np.testing.assert_array_equal(picture, np.arange(12).reshape(2, 2, 3).repeat(3, axis=0).repeat(3, axis=1))


def test_labels_are_above_their_tiles_and_no_wider():
    plain = grid([_tile(255, 40, 60)] * 2, columns=2)
    labelled = np.asarray(grid([_tile(255, 40, 60)] * 2, ["W" * 200, ""], columns=2))
    head = labelled.shape[0] - plain.height
    assert head > 5 and labelled.shape[1] == plain.width
    ink = np.argwhere(labelled.min(axis=2) < 128)
    assert len(ink) > 50
    assert ink[:, 0].max() < 2 + head and 2 <= ink[:, 1].min() and ink[:, 1].max() < 2 + 60


def test_a_title_is_above_all():
    plain = grid([_tile(255, 40, 60)])
    titled = np.asarray(grid([_tile(255, 40, 60)], title="conv1:7"))
    assert titled.shape[0] > plain.height
    assert (titled[: titled.shape[0] - plain.height] < 128).any()
    assert (titled[titled.shape[0] - plain.height :] == 255).all()


@pytest.mark.parametrize("text", ["ä", "naïve", "日本", "é" * 300])
def test_any_letters_with_either_font(monkeypatch, text):
    grid([_tile(0, 40, 60)], [text], title=text)
    bitmap = ImageFont.load_default_imagefont() if hasattr(ImageFont, "load_default_imagefont") else None
    if bitmap:
        monkeypatch.setattr(tiles, "load_font", lambda size: bitmap)
        grid([_tile(0, 40, 60)], [text], title=text)


def test_about_square():
    assert grid([_tile(0, 10, 10)] * 16, gap=0).size == (40, 40)
    wide = grid([_tile(0, 10, 90)] * 9, gap=0)
    assert wide.size == (90, 90)


def test_tiles_may_be_pictures_of_other_sizes():
    picture = np.asarray(grid([Image.new("RGB", (2, 2), "red"), _tile(0, 5, 5)], columns=2, gap=0))
    assert picture.shape == (5, 10, 3)
    np.testing.assert_array_equal(picture[2:, :5], 255)


def test_what_is_no_grid():
    with pytest.raises(ShapeError, match="a grid of 0 tiles"):
        grid([])
    with pytest.raises(ShapeError, match="a grid of 1 tiles with 2 labels"):
        grid([_tile(0)], ["a", "b"])
    with pytest.raises(ShapeError, match=r"a tile is \(H, W, 3\) uint8, not \(2,2\) float64"):
        grid([np.zeros((2, 2))])
