"""The README's picture: its rows, as far as the nets that ship make them."""

import numpy as np
from PIL import Image

from minicnn import load
from minicnn.benchmarks import contact_sheet
from minicnn.train.shapes import Shapes


def test_rows_lie_one_below_the_other_under_their_captions():
    red, blue = Image.new("RGB", (60, 10), (255, 0, 0)), Image.new("RGB", (40, 20), (0, 0, 255))
    pixels = np.asarray(contact_sheet.sheet({"a": red, "b": blue})).astype(int)
    assert pixels.shape == (2 * 22 + 30, 60, 3)
    is_red, is_blue = ((pixels == colour).all(axis=2) for colour in ((255, 0, 0), (0, 0, 255)))
    assert is_red[22:32].all() and is_red.sum() == 600
    assert is_blue[54:74, :40].all() and is_blue.sum() == 800
    assert pixels[:22].min() < 100 and pixels[32:54].min() < 100  # the captions


def test_the_shapes_that_are_asked_about_are_right():
    net = load("shapes")
    found = contact_sheet._two_right(net)
    labels = [label for _, label in found]
    assert len(set(labels)) == 2
    drawn = [Shapes(1, net.meta.input_size[1]).item(number) for number in range(100)]
    for image, label in found:
        assert any(one.label == label and np.array_equal(one.image, image) for one in drawn)


def test_the_shapes_row():
    picture = contact_sheet.shapes()
    assert picture.width == 2 + 8 * 122 and 120 < picture.height < 150
    middle = np.asarray(picture)[-60]
    assert len(np.unique(middle, axis=0)) > 20
