"""Codes of many pictures: their values, their layer, what is skipped and kept, and the order they are shown in."""

import numpy as np
import pytest
from coloured_net import coloured_net, interrupt_at, mixed, random_pictures
from PIL import Image

import minicnn
from minicnn import Net
from minicnn.cli.digits import draw_digit
from minicnn.cli.main import main
from minicnn.errors import ImageError, MinicnnError, UsageError
from minicnn.layers import Conv2d, Flatten, GlobalAvgPool, Linear, ReLU
from minicnn.vis import METHODS, codes
from minicnn.vis.image import save_png
from minicnn.vis.inputs import Pictures
from minicnn.vis.pictures.seriation import column_order, cosines, row_order
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.scanning import code_stream


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_the_codes_pixel_by_pixel(batch):
    pixels = random_pictures(7)
    result = codes(coloured_net(), list(pixels), "mix", batch=batch)
    np.testing.assert_allclose(result.codes, [mixed(p).ravel() for p in pixels], rtol=1e-6)
    np.testing.assert_array_equal(result.numbers, range(7))
    averaged = codes(coloured_net(), list(pixels), "mix", spatial="mean", batch=batch)
    np.testing.assert_allclose(averaged.codes, [mixed(p).mean(axis=(1, 2)) for p in pixels], rtol=1e-6)


def test_one_channel():
    pixels = random_pictures(2)
    result = codes(coloured_net(), list(pixels), "mix:1")
    np.testing.assert_allclose(result.codes, [mixed(p)[1].ravel() for p in pixels], rtol=1e-6)
    assert codes(coloured_net(), list(pixels), "mix:1", spatial="mean").codes.shape == (2, 1)
    assert codes(coloured_net(), list(pixels), "a", spatial="mean").codes.shape == (2, 1)


@pytest.mark.parametrize(
    ("nodes", "layer"),
    [
        ([("conv", Conv2d(3, 4, 1)), ("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(16, 2))], "flat"),
        ([("conv", Conv2d(3, 4, 1)), ("relu", ReLU()), ("top", Conv2d(4, 2, 1)), ("gap", GlobalAvgPool())], "relu"),
        ([("only", Conv2d(3, 4, 1)), ("relu", ReLU())], "relu"),
        ([("relu", ReLU())], "relu"),
    ],
)
def test_the_code_is_what_the_classifier_reads(nodes, layer):
    assert str(code_stream.code_unit(Net(nodes), None)) == layer


def test_in_a_net_with_a_softmax():
    assert str(code_stream.code_unit(coloured_net(), None)) == "flat"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "mix:1:0,0"}, "mix:1:0,0: a code is of a layer or a channel; leave the position away"),
        ({"unit": "mix:2"}, "mix:2: channel 2 of 0 to 1"),
        ({"spatial": "max"}, "spatial is 'max', expected flatten or mean"),
        ({"batch": 0}, "batch is 0, expected 1 or more"),
    ],
)
def test_what_cannot_be(options, message):
    with pytest.raises(UsageError, match=message):
        codes(coloured_net(), list(random_pictures(2)), **options)


@pytest.fixture
def with_a_damaged_one(tmp_path):
    for k, pixels in enumerate(random_pictures(5)):
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    return tmp_path


def test_a_damaged_picture(with_a_damaged_one):
    with pytest.raises(ImageError, match=r"1\.png"):
        codes(coloured_net(), [with_a_damaged_one])
    result = codes(coloured_net(), Pictures([with_a_damaged_one], damaged="skip"), "mix", batch=2)
    np.testing.assert_array_equal(result.numbers, [0, 2, 3, 4])
    np.testing.assert_allclose(result.codes, [mixed(random_pictures(5)[k]).ravel() for k in (0, 2, 3, 4)], rtol=1e-6)
    METHODS["codes"].picture(result, coloured_net(), unit="mix")  # reads the right files again


@pytest.mark.parametrize(
    ("argv", "files"),
    [
        (["codes", "DIGITS", "--batch", "2"], ["codes.png"]),
        (
            ["neighbours", "DIGITS", "--queries", "DIGITS/3.png", "--count", "2", "--unit", "conv2"],
            ["neighbours-conv2.png"],
        ),
        (["tsne", "DIGITS", "--perplexity", "2", "--spatial", "mean"], ["tsne-scatter.png", "tsne-grid.png"]),
    ],
)
def test_from_the_command_line(argv, files, tmp_path, capsys):
    for digit in range(5):
        save_png(draw_digit(digit), tmp_path / "digits" / f"{digit}.png")
    argv = [word.replace("DIGITS", str(tmp_path / "digits")) for word in argv]
    assert main(["vis", *argv, "--backend", "numpy", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / file) for file in files]


def test_no_more_than_a_batch_is_held(monkeypatch):
    seen = []
    code_of = code_stream.code_of
    monkeypatch.setattr(code_stream, "code_of", lambda net, x, *rest: seen.append(len(x)) or code_of(net, x, *rest))
    codes(coloured_net(), list(random_pictures(8)), batch=3)
    assert seen == [3, 3, 2]


def test_interrupted_it_keeps_the_codes_so_far(monkeypatch):
    pixels = random_pictures(9)
    interrupt_at(monkeypatch, code_stream, "code_of", 3)
    with pytest.warns(StoppedEarly, match="codes: interrupted"):
        result = codes(coloured_net(), list(pixels), "mix", batch=2)
    np.testing.assert_allclose(result.codes, [mixed(p).ravel() for p in pixels[:4]], rtol=1e-6)
    assert METHODS["codes"].picture(result, coloured_net(), unit="mix").mode == "RGB"


def test_interrupted_at_once(monkeypatch):
    interrupt_at(monkeypatch, code_stream, "code_of", 1)
    with pytest.warns(StoppedEarly), pytest.raises(MinicnnError, match="not one of 3 pictures was looked at"):
        codes(coloured_net(), list(random_pictures(3)))


def test_groups_stand_together():
    rng = np.random.default_rng(1)
    group = rng.permutation(np.repeat(range(5), 6))
    order = row_order(cosines(np.eye(5)[group] + 0.05 * rng.standard_normal((30, 5))))
    assert sorted(order) == list(range(30))
    assert (np.diff(group[order]) != 0).sum() == 4


def test_a_row_of_points_is_put_in_order():
    place = np.random.default_rng(2).permutation(8)
    order = row_order(-(np.abs(place[:, None] - place) ** 2.0))
    steps = np.diff(place[order])
    assert set(steps) == {1} or set(steps) == {-1}
    assert order[0] <= order[-1]


def test_few_rows():
    for count in (1, 2):
        np.testing.assert_array_equal(row_order(np.eye(count)), range(count))


def test_columns_by_where_they_are_large():
    values = np.array([[0, 9, 0, 5, 0], [0, 0, 0, 5, 4], [7, 0, 0, 5, 0], [7, 0, 8, 5, 0]], float)
    np.testing.assert_array_equal(column_order(values), [1, 4, 3, 0, 2])


def test_cosines_by_hand():
    v = np.random.default_rng(3).standard_normal((4, 3))
    found = cosines(v)
    for i in range(4):
        for j in range(4):
            a, b = v[i] - sum(v) / 4, v[j] - sum(v) / 4
            np.testing.assert_allclose(found[i, j], sum(a * b) / (sum(a * a) * sum(b * b)) ** 0.5, rtol=1e-12)
    assert not cosines(np.ones((2, 3))).any()


def test_the_picture_sorts_rows_and_columns():
    """Two kinds of pictures in turn, three dimensions: after sorting, two bright blocks, and a chequer of two."""
    kinds = [np.full((2, 2, 3), (250, 0, 0), np.uint8), np.full((2, 2, 3), (0, 0, 250), np.uint8)]
    result = codes(coloured_net(), kinds * 4, "mix", spatial="mean")
    result = result._replace(codes=np.array([[1.0, 0], [0, 1.0]] * 4))
    picture = np.asarray(METHODS["codes"].picture(result, coloured_net(), unit="mix"))
    sheet = picture[-2 - 8 * 48 : -2, 2:]
    rows = sheet[24::48]
    assert [tuple(row[24]) for row in rows] == [(250, 0, 0)] * 4 + [(0, 0, 250)] * 4  # the thumbnails
    for cell, expected in ((48 + 6 + 200, [255] * 4 + [0] * 4), (48 + 6 + 600, [0] * 4 + [255] * 4)):
        assert [row[cell, 0] for row in rows] == expected
    alike = rows[:, 48 + 6 + 800 + 6 + 24 :: 48][:, :8]
    red, blue = (200, 30, 33), (33, 70, 200)
    for i in range(8):
        assert [tuple(cell) for cell in alike[i]] == [red if i // 4 == j // 4 else blue for j in range(8)]


@pytest.mark.parametrize("count", [1, 2, 200])
def test_a_picture_of_any_number(count):
    net = minicnn.build("lenet_relu", seed=0).to("numpy")
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    result = codes(net, list(pixels[: min(count, 4)]))
    result = result._replace(codes=np.random.default_rng(1).standard_normal((count, 500)), numbers=np.arange(count) % 4)
    picture = METHODS["codes"].picture(result, net)
    assert picture.mode == "RGB" and max(picture.size) < 2500
    assert 0 <= picture.height - 48 * min(count, 32) < 40  # thumbnails that can be seen, and a title


def test_pictures_of_any_size():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 90, 3), dtype=np.uint8)
    result = codes(coloured_net(), [pixels[0], pixels[1][:, :20], Image.fromarray(pixels[2])])
    assert len(result.codes) == 3
    assert METHODS["codes"].picture(result, coloured_net()).mode == "RGB"
