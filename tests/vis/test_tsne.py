"""Maps of pictures: what the descent is given and what becomes of it, and points snapped to a grid."""

import sys
from itertools import permutations

import numpy as np
import pytest
from coloured_net import coloured_net, interrupt_at, random_pictures

from minicnn.errors import MinicnnError, UsageError
from minicnn.extras import MissingExtraError
from minicnn.vis import METHODS, tsne
from minicnn.vis.pictures.snap import snap
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.scanning import code_stream


def _groups(each):
    """Three colours with a little noise: (pictures, group of each)."""
    rng, colours = np.random.default_rng(0), [(220, 30, 30), (30, 220, 30), (30, 30, 220)]
    group = rng.permutation(np.repeat(range(3), each))
    return [np.uint8(np.array(colours[g]) + rng.integers(-9, 9, (2, 2, 3))) for g in group], group


@pytest.fixture
def descent(monkeypatch):
    """In the place of scikit-learn's: notes what it is given; its map is the codes' first two columns."""
    import sklearn.manifold

    given = []

    class Noted:
        def __init__(self, **options):
            self.options = options

        def fit_transform(self, codes):
            given.append((self.options, codes))
            return codes[:, :2]

    monkeypatch.setattr(sklearn.manifold, "TSNE", Noted)
    return given


def test_groups_are_apart_on_the_map():
    pictures, group = _groups(12)
    found = tsne(coloured_net(), pictures, perplexity=5.0, seed=3)
    assert found.positions.shape == (36, 2) and found.positions.dtype == np.float32
    apart = np.linalg.norm(found.positions[:, None] - found.positions, axis=2) + 1e9 * np.eye(36)
    np.testing.assert_array_equal(group[apart.argmin(axis=1)], group)
    again = tsne(coloured_net(), pictures, perplexity=5.0, seed=3)
    np.testing.assert_array_equal(again.positions, found.positions)


def test_the_options_arrive(descent):
    found = tsne(coloured_net(), list(random_pictures(9)), "mix", perplexity=4.0, seed=7)
    options, codes = descent[0]
    start = options.pop("init")
    assert options == {"perplexity": 4.0, "learning_rate": "auto", "random_state": 7}
    # Two principal components, small: the first is the wider one, and they have nothing to do with each other.
    assert start.shape == (9, 2) and start[:, 0].std() == pytest.approx(1e-4, rel=1e-5) and start[:, 1].any()
    widths = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    assert start[:, 1].std() == pytest.approx(1e-4 * widths[1] / widths[0], rel=1e-4)
    assert abs(start[:, 0] @ start[:, 1]) < 1e-12
    np.testing.assert_array_equal(codes, found.codes)  # eight dimensions are no more than 50
    np.testing.assert_array_equal(found.numbers, range(9))


def test_codes_of_one_number():
    found = tsne(coloured_net(), list(random_pictures(6)), "mix:0", perplexity=2.0, spatial="mean")
    assert found.codes.shape == (6, 1) and np.isfinite(found.positions).all()


@pytest.mark.parametrize(("count", "components"), [(12, 12), (80, 50)])
def test_long_codes_are_reduced(descent, monkeypatch, count, components):
    """Codes of 400 dimensions that lie in 9 of them: their principal components keep every distance."""
    rng = np.random.default_rng(0)
    long = rng.standard_normal((count, 9)) @ rng.standard_normal((9, 400))
    monkeypatch.setattr(code_stream, "code_of", lambda net, x, *rest: long[: len(x)])
    found = tsne(coloured_net(), list(random_pictures(count)), perplexity=2.0, batch=count)
    np.testing.assert_array_equal(found.codes, long)
    reduced = descent[0][1]
    assert reduced.shape == (count, components)
    for i, j in [(0, 1), (3, 7), (11, 4)]:
        expected = np.linalg.norm(long[i] - long[j])
        np.testing.assert_allclose(np.linalg.norm(reduced[i] - reduced[j]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "perplexity", "message"),
    [
        (12, 30.0, "tsne of 12 pictures: perplexity 30 needs more than 30; give more pictures, or a perplexity below"),
        (5, 5.0, "tsne of 5 pictures: perplexity 5 needs more than 5"),
        (5, 0.5, "perplexity is 0.5, expected 1 or more"),
        (5, float("nan"), "perplexity is nan"),
    ],
)
def test_too_few_pictures(count, perplexity, message, monkeypatch):
    monkeypatch.setattr(code_stream, "code_of", None)  # it is said before any picture goes through the net
    with pytest.raises(UsageError, match=message):
        tsne(coloured_net(), list(random_pictures(count)), perplexity=perplexity)


def test_codes_without_any_difference():
    with pytest.raises(MinicnnError, match="all 4 pictures have the same code: there is no map of them"):
        tsne(coloured_net(), [np.zeros((2, 2, 3), np.uint8)] * 4, perplexity=2.0)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingExtraError, match=r'pip install "minicnn\[analysis\]"'):
        tsne(coloured_net(), list(random_pictures(4)), perplexity=2.0)


def test_interrupted_in_the_descent_it_is_the_first_two_components(descent, monkeypatch):
    """Greys are points of one line in the codes: the first component is the place on it, the second is zero."""
    import sklearn.manifold

    levels = np.array([10, 50, 60, 200, 240])
    interrupt_at(monkeypatch, sklearn.manifold, "TSNE", 1)
    with pytest.warns(StoppedEarly, match="tsne: interrupted"):
        found = tsne(coloured_net(), [np.full((2, 2, 3), v, np.uint8) for v in levels], "mix:0", perplexity=2.0)
    # Each of the four values of "mix:0" is the level and a constant, so a step of 1 is 2 long.
    place = found.positions[:, 0] * np.sign(found.positions[-1, 0])
    np.testing.assert_allclose(place, 2 * (levels - levels.mean()), rtol=1e-5)
    np.testing.assert_allclose(found.positions[:, 1], 0, atol=1e-4)


def test_interrupted_before_there_are_enough_codes(monkeypatch):
    interrupt_at(monkeypatch, code_stream, "code_of", 3)
    with pytest.warns(StoppedEarly), pytest.raises(UsageError, match="tsne of 4 pictures: perplexity 5 needs"):
        tsne(coloured_net(), list(random_pictures(9)), perplexity=5.0, batch=2)


def test_snapping_moves_least():
    rng = np.random.default_rng(5)
    for _ in range(20):
        points = rng.random((4, 2))
        points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
        cells, side = snap(5 * points - 3)
        assert side == 2
        centres = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]  # (y, x)

        def moved(places, points=points):
            return sum((x - cx) ** 2 + (y - cy) ** 2 for (x, y), (cy, cx) in zip(points, places))

        taken = [(0.25 + 0.5 * row, 0.25 + 0.5 * column) for row, column in cells.tolist()]
        assert sorted(taken) == centres
        np.testing.assert_allclose(moved(taken), min(map(moved, permutations(centres))), rtol=1e-12)


def test_a_grid_stays_where_it_is():
    places = np.random.default_rng(6).permutation([(row, column) for row in range(5) for column in range(5)])
    cells, side = snap(places[:, ::-1] * (3.0, 0.5))
    assert side == 5
    np.testing.assert_array_equal(cells, places)


@pytest.mark.parametrize(("count", "side"), [(1, 1), (2, 2), (10, 4), (16, 4), (17, 5)])
def test_every_point_has_a_cell_of_its_own(count, side):
    for points in (np.random.default_rng(7).standard_normal((count, 2)), np.zeros((count, 2))):
        cells, found = snap(points)
        assert found == side and len({tuple(cell) for cell in cells.tolist()}) == count
        assert cells.min() >= 0 and cells.max() < side


def test_the_pictures(descent):
    """Four colours at the corners of the map: each is in its corner of both, and the seams tell near from far."""
    colours = [(250, 0, 0), (240, 0, 0), (0, 0, 250), (0, 0, 200)]
    net = coloured_net()
    found = tsne(net, [np.full((2, 2, 3), c, np.uint8) for c in colours], perplexity=2.0)
    corners = np.float32([(-1, -1), (1, -1), (-1, 1), (1, 1)])
    codes = np.array([(0.0, 0), (3, 0), (0, 4), (3, 5)])  # 3 and about 3.2 apart along rows, 4 and 5 along columns
    (name_a, scatter), (name_b, snapped) = METHODS["tsne"].picture(found._replace(positions=corners, codes=codes), net)
    assert (name_a, name_b) == ("scatter", "grid")
    for picture in (scatter, snapped):
        pixels = np.asarray(picture)
        for (y, x), colour in zip([(-150, 50), (-150, -50), (-50, 50), (-50, -50)], colours):
            if picture is scatter:
                y = -1690 if y == -150 else y
            assert tuple(pixels[y, x]) == colour
    pixels = np.asarray(snapped)
    seam = 2 + 112 + 1  # in the first row and column, right of and below the first tile
    assert tuple(pixels[-2 - 232 + 50, seam]) == (255, 255, 255)  # 3 apart: the nearest
    assert tuple(pixels[-2 - 232 + 112 + 1, 2 + 116 + 50]) == (200, 30, 33)  # 5 apart: the farthest


def test_one_seam_of_many():
    """Of more pictures than cells are shown, the seams are as many as neighbours."""
    from minicnn.vis.tsne import _seams

    cells = np.array([(0, 0), (0, 1), (1, 0), (2, 2)])
    seams = _seams(np.eye(4), cells, side=10)
    assert sorted(box for box, _ in seams) == [(0, 10, 10, 14), (10, 0, 14, 10)]


def test_a_map_of_nothing_but_one_place(descent):
    net = coloured_net()
    found = tsne(net, list(random_pictures(4)), perplexity=2.0)
    for _, picture in METHODS["tsne"].picture(found._replace(positions=np.zeros((4, 2), np.float32)), net):
        assert picture.mode == "RGB"
