"""The convolution's gradients on a card where the random cases of test_cuda_rungs.py are too small to go: several tiles
each way, every size of tile, sums in parts, arrays that begin anywhere."""

import cuda_cases
import numpy as np
import pytest
from cuda_conv_cases import INPUT, NO_PAD, ONE, WEIGHT, arguments, check
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import tiles

OPERATIONS = (INPUT, WEIGHT)


# Those that take any window; those of them in CUDA C; and those of these that compute tiles.
RUNGS = [pair for pair in cuda_cases.rungs(*OPERATIONS) if "winograd" not in pair[1]]
IN_CUDA_C = [pair for pair in cuda_cases.rungs(*OPERATIONS, in_cuda_c=True) if pair in RUNGS]
BY_TILES = [(operation, "vectors") for operation in OPERATIONS]


def each(cases, rungs=RUNGS):
    """Decorates a test of (operation, rung, case): every rung with each case of its operation."""
    found = [(operation, rung, case) for operation, rung in rungs for case in cases[operation]]
    return pytest.mark.parametrize(("operation", "rung", "case"), found)


# Rungs in Python run on the simulator: a tile or two each way, and no more.
TWO_TILES = {
    INPUT: [
        ((2, 9, 5, 4), (9, 9, 2, 3), ONE, (1, 0, 2, 1), (2, 1), 1),
        ((1, 18, 5, 5), (4, 9, 3, 2), (2, 3), (0, 2, 1, 1), ONE, 2),
        ((1, 66, 2, 2), (3, 66, 1, 1), ONE, NO_PAD, ONE, 1),
        ((3, 2, 5, 5), (3, 2, 1, 1), ONE, NO_PAD, ONE, 1),
    ],
    WEIGHT: [
        ((2, 3, 5, 4), (9, 3, 2, 3), ONE, (1, 0, 2, 1), (2, 1), 1),
        ((2, 4, 6, 5), (18, 2, 3, 2), (2, 3), (0, 2, 1, 1), ONE, 2),
        ((1, 66, 2, 2), (3, 66, 1, 1), ONE, NO_PAD, ONE, 1),
        ((1, 2, 2, 3), (66, 2, 1, 1), ONE, NO_PAD, ONE, 1),
    ],
}
MANY_TILES = {
    INPUT: [
        ((2, 130, 9, 11), (12, 130, 3, 3), ONE, (1, 1, 1, 1), ONE, 1),
        ((2, 72, 17, 19), (24, 72, 3, 3), (2, 2), (0, 1, 0, 1), ONE, 1),
        ((1, 70, 20, 21), (16, 70, 5, 3), (2, 3), (2, 1, 0, 2), (3, 2), 1),
        ((2, 136, 10, 14), (16, 136, 1, 1), ONE, NO_PAD, ONE, 1),  # the weights are used as they lie
        ((2, 130, 9, 7), (12, 130, 1, 1), ONE, NO_PAD, ONE, 1),
        ((2, 68, 9, 8), (16, 68, 1, 1), (2, 2), NO_PAD, ONE, 1),
        ((1, 136, 9, 15), (10, 68, 3, 1), ONE, (1, 1, 0, 0), ONE, 2),
        ((1, 6, 7, 7), (100, 6, 7, 7), ONE, NO_PAD, ONE, 1),
        ((2, 3, 45, 51), (12, 3, 7, 7), (2, 2), (3, 3, 3, 3), ONE, 1),
        ((1, 12, 40, 31), (24, 1, 3, 3), ONE, (1, 1, 1, 1), ONE, 12),
    ],
    WEIGHT: [
        ((2, 15, 9, 11), (130, 15, 3, 3), ONE, (1, 1, 1, 1), ONE, 1),
        ((2, 31, 13, 9), (72, 31, 3, 3), (2, 2), (0, 1, 0, 1), ONE, 1),
        ((1, 9, 20, 21), (70, 9, 5, 3), (2, 3), (2, 1, 0, 2), (3, 2), 1),
        ((3, 136, 8, 7), (132, 136, 1, 1), ONE, NO_PAD, ONE, 1),
        ((2, 70, 9, 8), (16, 70, 1, 1), (2, 2), NO_PAD, ONE, 1),
        ((2, 20, 7, 9), (136, 10, 3, 1), ONE, (1, 1, 0, 0), ONE, 2),
        ((5, 30, 3, 3), (40, 30, 3, 3), ONE, NO_PAD, ONE, 1),  # several images among eight neighbouring cells
        ((20, 10, 2, 5), (20, 10, 2, 3), ONE, NO_PAD, ONE, 1),
        ((2, 3, 25, 31), (20, 3, 7, 7), (2, 2), (3, 3, 3, 3), ONE, 1),
        ((1, 12, 20, 11), (24, 1, 3, 3), ONE, (1, 1, 1, 1), ONE, 12),
    ],
}
IN_PARTS = {
    INPUT: [((1, 5, 2, 2), (24, 5, 3, 3), ONE, (1, 1, 1, 1), ONE, 1)],
    WEIGHT: [((6, 2, 6, 7), (3, 2, 2, 1), ONE, NO_PAD, ONE, 1)],
}
ONE_PIXEL = dict.fromkeys(OPERATIONS, (((1, 5, 1, 1), (6, 5, 3, 3), ONE, (1, 1, 1, 1), ONE, 1),))
OF_NOTHING = dict.fromkeys(
    OPERATIONS,
    (
        ((0, 3, 4, 4), (4, 3, 3, 3), ONE, NO_PAD, ONE, 1),
        ((2, 0, 4, 4), (4, 0, 3, 3), ONE, NO_PAD, ONE, 1),
    ),
)


@each(TWO_TILES)
def test_several_tiles(operation, rung, case):
    check(operation, rung, *arguments(operation, *case))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("large", [False, True])
@each(MANY_TILES, BY_TILES)
def test_every_size_of_tile_in_cuda_c(operation, rung, case, large, dtype, monkeypatch):
    if large:
        monkeypatch.setattr(tiles, "BLOCKS", 1)
        monkeypatch.setattr(tiles, "WASTE", 100)
    check(operation, rung, *arguments(operation, *case, dtype))


@each({operation: [cases[0], cases[-3]] for operation, cases in MANY_TILES.items()}, BY_TILES)
def test_two_runs_are_equal_to_the_bit(operation, rung, case):
    first, second = (cuda_cases.call(operation, *arguments(operation, *case), rung=rung) for _ in range(2))
    assert np.array_equal(first, second)


@each(IN_PARTS)
def test_a_sum_in_parts_is_the_same_each_time(operation, rung, case, monkeypatch):
    monkeypatch.setattr(tiles, "SHORTEST_PART", 32)
    args = arguments(operation, *case)
    found = check(operation, rung, *args)
    assert np.array_equal(found, cuda_cases.call(operation, *args, rung=rung))


@each(ONE_PIXEL)
def test_one_pixel(operation, rung, case):
    check(operation, rung, *arguments(operation, *case))


@each(OF_NOTHING)
def test_of_nothing(operation, rung, case):
    check(operation, rung, *arguments(operation, *case))


@each(dict.fromkeys(OPERATIONS, (((2, 3, 4, 4), (0, 3, 3, 3), ONE, NO_PAD, ONE, 1),)))
def test_no_filters_have_no_gradient(operation, rung, case):
    assert not cuda_cases.call(operation, *arguments(operation, *case), rung=rung).any()


@each(dict.fromkeys(OPERATIONS, ((1, NO_PAD), (3, (1, 1, 1, 1)))), IN_CUDA_C)
def test_arrays_that_begin_anywhere(operation, rung, case):
    side, pad = case
    first, second, *rest = arguments(operation, (2, 8, 6, 6), (8, 8, side, side), ONE, pad, ONE, 1)
    wide = (cuda_cases.to_device(np.concatenate([[7], a.ravel()]).astype("float32")) for a in (first, second))
    odd = [a[1:].reshape(shape) for a, shape in zip(wide, (first.shape, second.shape))]
    with cuda_cases.use(**{operation: rung}):
        found = getattr(cuda_cases.backend, operation)(*odd, *rest)
    assert_close(operation, cuda_cases.to_host(found), getattr(reference, operation)(first, second, *rest))
