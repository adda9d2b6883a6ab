"""Genomes of pictures: what a CPPN draws, how both kinds change, and how numbers do."""

import numpy as np
import pytest

from minicnn.vis.evolution.cppn import INPUTS, LARGEST, Cppn, Genome
from minicnn.vis.evolution.direct import Direct
from minicnn.vis.evolution.mutation import polynomial

SINE, SIGMOID, GAUSSIAN, LINEAR = range(4)
X, Y, DISTANCE, ONE = range(INPUTS)


def _bytes(values):
    return np.uint8(np.round(255 * np.minimum(np.abs(values), 1)))


def test_how_far_numbers_move():
    # |d| = 1 - v^(1/16) with v uniform, so its mean is 1 - 16/17 and its median 1 - 2^(-1/16).
    moved = polynomial(np.zeros(200_000), np.random.default_rng(0), 1.0, -10, 10)
    assert np.abs(moved).mean() / 20 == pytest.approx(1 / 17, rel=0.01)
    assert np.median(np.abs(moved)) / 20 == pytest.approx(1 - 0.5 ** (1 / 16), rel=0.01)
    assert moved.mean() == pytest.approx(0, abs=0.02)


def test_how_many_numbers_move_and_that_they_stay_inside():
    values = np.full((100, 1000), 9.9)
    moved = polynomial(values, np.random.default_rng(1), 0.1, -10, 10)
    assert (moved != values).mean() == pytest.approx(0.1, abs=0.005)
    assert moved.max() == 10 and moved.min() < 5
    assert (values == 9.9).all()


@pytest.mark.parametrize(("generation", "share"), [(0, 0.1), (999, 0.1), (1000, 0.05), (3500, 0.0125)])
def test_pixels_change_less_as_generations_pass(generation, share):
    direct = Direct((3, 100, 100))
    rng = np.random.default_rng(2)
    genome = direct.random(rng)
    assert genome.dtype == np.uint8 and abs(genome.mean() - 127.5) < 2 and genome.shape == (3, 100, 100)
    child = direct.mutate(genome, rng, generation)
    assert child.dtype == np.uint8 and child.shape == genome.shape
    # A change of less than half a level is none, and one over the end of the scale may be none.
    assert 0.85 * share < (child != genome).mean() < share * 1.1


def test_a_grey_picture_by_hand():
    # Node 4 is hidden, 5 the output:  |sin(2 x)| and a link from the 1.
    genome = Genome((SINE, LINEAR), {(X, 4): 2.0, (4, 5): 0.5, (ONE, 5): 0.25})
    x = np.array([-1, -0.5, 0, 0.5, 1])
    expected = np.tile(_bytes(0.5 * np.sin(2 * x) + 0.25), (3, 1))
    np.testing.assert_array_equal(Cppn((1, 3, 5)).picture(genome)[0], expected)


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (SINE, np.sin),
        (SIGMOID, lambda v: 2 / (1 + np.exp(-v)) - 1),
        (GAUSSIAN, lambda v: np.exp(-(v**2))),
        (LINEAR, lambda v: v),
    ],
)
def test_each_function_of_each_input(function, formula):
    y, x = np.mgrid[-1:1:5j, -1:1:4j]
    inputs = [x, y, np.sqrt(x * x + y * y), np.ones((5, 4))]
    for source, values in enumerate(inputs):
        picture = Cppn((1, 5, 4)).picture(Genome((function,), {(source, INPUTS): -1.3}))
        assert np.abs(picture[0].astype(int) - _bytes(formula(-1.3 * values))).max() <= 1


@pytest.mark.parametrize(
    ("hue", "saturation", "brightness", "colour"),
    [
        (0.0, 1.0, 1.0, (255, 0, 0)),
        (1 / 3, 1.0, 1.0, (0, 255, 0)),
        (-1 / 3, 5.0, -1.0, (0, 0, 255)),
        (0.7, 0.0, 0.5, (128, 128, 128)),
        (2.0, 0.5, 1.0, (255, 128, 128)),
        (0.4, 0.3, 0.0, (0, 0, 0)),
    ],
)
def test_colours(hue, saturation, brightness, colour):
    genome = Genome((LINEAR,) * 3, {(ONE, 4): hue, (ONE, 5): saturation, (ONE, 6): brightness})
    picture = Cppn((3, 2, 2)).picture(genome)
    assert picture.shape == (3, 2, 2) and picture.dtype == np.uint8
    assert np.abs(picture[:, 1, 0].astype(int) - colour).max() <= 4  # Pillow's hue has 256 steps


def test_a_node_that_leads_nowhere_changes_nothing():
    alone = Genome((LINEAR,), {(X, 4): 1.0})
    beside = Genome((SINE, LINEAR), {(X, 5): 1.0, (Y, 4): 3.0})
    np.testing.assert_array_equal(Cppn((1, 4, 4)).picture(alone), Cppn((1, 4, 4)).picture(beside))


def test_a_node_in_the_middle_of_a_link():
    functions, rng = [SINE], np.random.default_rng(0)
    links = Cppn((1, 2, 2))._add_node(functions, {(X, 4): 7.0}, rng)
    assert links.keys() == {(X, 4), (4, 5)} and links[X, 4] == 7.0
    assert len(functions) == 2 and functions[1] == SINE


def test_a_node_less():
    functions = [GAUSSIAN, LINEAR]
    links = Cppn((1, 2, 2))._drop_node(functions, {(X, 4): 1, (4, 5): 2, (Y, 5): 3}, np.random.default_rng(0))
    assert functions == [LINEAR] and links == {(Y, 4): 3}
    assert Cppn((1, 2, 2))._drop_node([LINEAR], {(X, 4): 1}, np.random.default_rng(0)) == {(X, 4): 1}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_long_line_of_descent_stays_a_net_without_cycles(channels):
    cppn, rng = Cppn((channels, 4, 5)), np.random.default_rng(3)
    genome, sizes = cppn.random(rng), []
    assert len(genome.functions) == channels and len(genome.links) == INPUTS * channels
    for generation in range(400):
        before = (genome.functions, dict(genome.links))
        child = cppn.mutate(genome, rng, generation)
        assert (genome.functions, genome.links) == before  # the parent may be a champion
        genome = child
        last = INPUTS + len(genome.functions)
        for source, target in genome.links:
            assert 0 <= source < target < last and target >= INPUTS and source < last - channels
        assert all(abs(w) <= LARGEST for w in genome.links.values())
        assert all(0 <= f < 4 for f in genome.functions)
        sizes.append(len(genome.functions))
        if generation % 40 == 0:
            assert cppn.picture(genome).shape == (channels, 4, 5)
    steps = np.diff(sizes)
    # A node comes with probability 1/2 and goes with 1/5: both in one child for 1/10.
    assert (steps > 0).mean() == pytest.approx(0.4, abs=0.08)
    assert (steps < 0).mean() == pytest.approx(0.1, abs=0.06)


def test_a_net_without_links_can_grow_again():
    cppn, rng = Cppn((1, 3, 3)), np.random.default_rng(4)
    genome = Genome((LINEAR,), {})
    assert (cppn.picture(genome) == 0).all()
    for generation in range(20):
        genome = cppn.mutate(genome, rng, generation)
    assert genome.links
