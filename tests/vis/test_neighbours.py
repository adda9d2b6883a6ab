"""Nearest pictures: against a search by plain loops, and who is no neighbour of whom."""

import math

import numpy as np
import pytest
from coloured_net import META, coloured_net, interrupt_at, mixed, random_pictures

from minicnn.errors import ImageError, MinicnnError, UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.vis import METHODS, neighbours
from minicnn.vis.image import preprocess
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.scanning import code_stream


def _pixel_distance(p, q):
    """Between black and white, 0 and 255, lies 1."""
    return math.sqrt(sum(((float(a) - float(b)) / 255) ** 2 for a, b in zip(p.ravel(), q.ravel())))


def _code_distance(p, q):
    """Of the means of the two channels of "mix"."""
    return math.dist(mixed(p).mean(axis=(1, 2)), mixed(q).mean(axis=(1, 2)))


def _nearest(query, pictures, distance, count):
    """[(distance, number)], nearest first, the same pixels left out."""
    found = [(distance(query, p), m) for m, p in enumerate(pictures) if (p != query).any()]
    return sorted(found)[:count]


def _as_input(pictures):
    return np.concatenate([preprocess(p, META) for p in pictures])


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_against_a_search_by_loops(batch):
    pictures, queries = random_pictures(23), random_pictures(3, seed=1)
    found = neighbours(coloured_net(), list(pictures), "mix", _as_input(queries), count=4, spatial="mean", batch=batch)
    for q, query in enumerate(queries):
        for numbers, distances, distance in (
            (found.by_pixels, found.pixel_distances, _pixel_distance),
            (found.by_code, found.code_distances, _code_distance),
        ):
            expected = _nearest(query, pictures, distance, 4)
            assert numbers[q].tolist() == [m for _, m in expected]
            np.testing.assert_allclose(distances[q], [d for d, _ in expected], rtol=1e-5)


def test_the_two_spaces_differ():
    """The net does not see red here: by code a picture of another red is nearest, by pixels the one with less of it."""
    query, near, same_but_red = ((100, 100, 100), (120, 100, 110), (250, 100, 100))
    pictures = [np.full((2, 2, 3), colour, np.uint8) for colour in (near, same_but_red)]
    found = neighbours(coloured_net(), pictures, "mix:1", _as_input([np.full((2, 2, 3), query, np.uint8)]), count=1)
    assert (found.by_pixels.item(), found.by_code.item()) == (0, 1)
    assert found.code_distances.item() == pytest.approx(0, abs=1e-5)


def test_without_queries_they_are_evenly_chosen_and_not_their_own_neighbours():
    pictures = list(random_pictures(9))
    pictures[5] = pictures[0].copy()  # a copy is no neighbour either
    found = neighbours(coloured_net(), pictures, rows=3, count=20)
    np.testing.assert_allclose(found.queries, _as_input([pictures[0], pictures[4], pictures[8]]))
    assert found.by_pixels.shape == found.by_code.shape == (3, 7)  # the first query has two others less
    for numbers in (found.by_pixels, found.by_code):
        assert sorted(numbers[0]) == [1, 2, 3, 4, 6, 7, 8]
        assert 4 not in numbers[1] and 8 not in numbers[2]
    assert (found.pixel_distances > 0).all()


def test_ties_are_in_the_pictures_order():
    pictures = [np.full((2, 2, 3), level, np.uint8) for level in (110, 90, 110, 90, 100)]
    found = neighbours(coloured_net(), pictures, queries=_as_input(pictures[4:]), count=4)
    assert found.by_pixels.tolist() == [[0, 1, 2, 3]]


def test_more_rows_than_pictures():
    assert len(neighbours(coloured_net(), list(random_pictures(3)), rows=8).queries) == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"count": 0}, UsageError, "count is 0, expected 1 or more"),
        ({"rows": 0}, UsageError, "rows is 0, expected 1 or more"),
        ({"unit": "mix:0:1,1"}, UsageError, "leave the position away"),
        ({"queries": np.zeros((1, 3, 4, 2))}, ShapeError, r"queries are \(1,3,4,2\), the net's images \(Q,3,2,2\)"),
        ({"queries": np.full((1, 3, 2, 2), np.nan)}, ImageError, "queries: 12 of 12 values are NaN or infinite"),
    ],
)
def test_what_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        neighbours(coloured_net(), list(random_pictures(4)), **options)


def test_too_few_pictures():
    with pytest.raises(UsageError, match="neighbours among 1 picture: give at least 2"):
        neighbours(coloured_net(), list(random_pictures(1)))
    with pytest.raises(MinicnnError, match="no neighbour: every picture that was looked at has the query's own pixels"):
        neighbours(coloured_net(), [np.zeros((2, 2, 3), np.uint8)] * 3)


def test_interrupted_it_keeps_the_nearest_so_far(monkeypatch):
    pictures, query = random_pictures(9), random_pictures(1, seed=1)
    interrupt_at(monkeypatch, code_stream, "code_of", 3)  # neighbours' own call for the query is another name
    with pytest.warns(StoppedEarly, match="neighbours: interrupted"):
        found = neighbours(coloured_net(), list(pictures), "mix", _as_input(query), batch=3)
    assert found.by_pixels[0].tolist() == [m for _, m in _nearest(query[0], pictures[:6], _pixel_distance, 6)]


def test_the_picture_has_two_rows_a_query():
    """Red, its neighbours a little and much darker: the thumbnails are where they belong."""
    pictures = [np.full((2, 2, 3), (red, 40, 40), np.uint8) for red in (100, 240, 180)]
    net = coloured_net()
    found = neighbours(net, pictures, queries=_as_input([np.full((2, 2, 3), (250, 40, 40), np.uint8)]), count=3)
    picture = np.asarray(METHODS["neighbours"].picture(found, net))
    middles = picture[:, 4 + 72 :: 144 + 4, 0][:, :4].tolist()
    assert middles.count([250, 240, 180, 100]) == 2 * 144


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photos/deep/cat.jpg", "cat"),
        ("more.zip/x/n02105855_Shetland_sheepdog.JPEG", "..etland_sheepdog"),
        ("a/abcdefghijklmnopq.png", "abcdefghijklmnopq"),
    ],
)
def test_of_a_long_name_the_end_is_shown(name, shown):
    assert METHODS["neighbours"]._short(name) == shown
