"""The convolution's weight gradient on a card where the random cases of test_cuda_rungs.py are too small to go: several
tiles each way, every size of tile, and sums in parts."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import tiles
from minicnn.kernels.shapes import conv2d_output

OPERATION = "conv2d_backward_weight"
ONE, NO_PAD = (1, 1), (0, 0, 0, 0)
RUNGS = pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs(OPERATION)])
IN_CUDA_C = pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs(OPERATION, in_cuda_c=True)])


def arrays(x_shape, w_shape, stride, pad, dilation, groups, dtype="float32"):
    """Arguments of the operation, of random numbers."""
    rng = np.random.default_rng(0)
    dout = rng.standard_normal(conv2d_output(x_shape, w_shape, stride, pad, dilation, groups)).astype(dtype)
    return dout, rng.standard_normal(x_shape).astype(dtype), w_shape, stride, pad, dilation, groups


def check(rung, *args):
    dw = cuda_cases.call(OPERATION, *args, rung=rung)
    assert_close(OPERATION, dw, reference.conv2d_backward_weight(*args))
    return dw


# Rungs in Python run on the simulator: a tile or two each way, and no more.
@RUNGS
@pytest.mark.parametrize(
    "case",
    [
        ((2, 3, 5, 4), (9, 3, 2, 3), ONE, (1, 0, 2, 1), (2, 1), 1),
        ((2, 4, 6, 5), (18, 2, 3, 2), (2, 3), (0, 2, 1, 1), ONE, 2),
        ((1, 66, 2, 2), (3, 66, 1, 1), ONE, NO_PAD, ONE, 1),
        ((1, 2, 2, 3), (66, 2, 1, 1), ONE, NO_PAD, ONE, 1),
    ],
)
def test_several_tiles(rung, case):
    check(rung, *arrays(*case))


CASES = [
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
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@IN_CUDA_C
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("large", [False, True])
def test_every_size_of_tile_in_cuda_c(rung, case, large, dtype, monkeypatch):
    if large:
        monkeypatch.setattr(tiles, "BLOCKS", 1)
        monkeypatch.setattr(tiles, "WASTE", 100)
    check(rung, *arrays(*case, dtype))


@IN_CUDA_C
@pytest.mark.parametrize("case", [CASES[0], CASES[-3]])
def test_two_runs_are_equal_to_the_bit(rung, case):
    first, second = (cuda_cases.call(OPERATION, *arrays(*case), rung=rung) for _ in range(2))
    assert np.array_equal(first, second)


@RUNGS
def test_a_sum_in_parts_is_the_same_each_time(rung):
    args = arrays((6, 2, 6, 7), (3, 2, 2, 1), ONE, NO_PAD, ONE, 1)
    dw = check(rung, *args)
    assert np.array_equal(dw, cuda_cases.call(OPERATION, *args, rung=rung))


@RUNGS
def test_one_pixel(rung):
    check(rung, *arrays((1, 5, 1, 1), (6, 5, 3, 3), ONE, (1, 1, 1, 1), ONE, 1))


@RUNGS
@pytest.mark.parametrize(("x_shape", "filters"), [((0, 3, 4, 4), 4), ((2, 0, 4, 4), 4), ((2, 3, 4, 4), 0)])
def test_of_nothing(rung, x_shape, filters):
    check(rung, *arrays(x_shape, (filters, x_shape[1], 3, 3), ONE, NO_PAD, ONE, 1))


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity times 0, on the simulator
@RUNGS
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_special_gradient_reaches_its_filter_alone(rung, special):
    dout, x, *rest = arrays((2, 6, 7, 6), (4, 3, 3, 3), (2, 1), NO_PAD, ONE, 2)
    x = np.abs(x) + 1
    dout[1, 3, 1, 2] = special
    dw = cuda_cases.call(OPERATION, dout, x, *rest, rung=rung)
    assert not np.isfinite(dw[3]).any() and np.isfinite(dw[:3]).all()


@RUNGS
def test_a_special_pixel_reaches_the_weights_that_read_it(rung):
    dout, x, *rest = arrays((2, 6, 7, 6), (4, 3, 3, 3), ONE, (1, 1, 1, 1), ONE, 2)
    x[1, 4, 0, 3] = np.nan  # in the second group; the window's last row never lies on the image's first
    dw = cuda_cases.call(OPERATION, dout, x, *rest, rung=rung)
    expected = np.zeros(dw.shape, bool)
    expected[2:, 1, :2] = True
    np.testing.assert_array_equal(np.isnan(dw), expected)


@IN_CUDA_C
def test_arrays_that_begin_anywhere(rung):
    dout, x, *rest = arrays((2, 8, 6, 6), (8, 8, 3, 3), ONE, (1, 1, 1, 1), ONE, 1)
    wide_dout, wide_x = (cuda_cases.to_device(np.concatenate([[7], a.ravel()]).astype("float32")) for a in (dout, x))
    with cuda_cases.use(**{OPERATION: rung}):
        dw = cuda_cases.backend.conv2d_backward_weight(
            wide_dout[1:].reshape(dout.shape), wide_x[1:].reshape(x.shape), *rest
        )
    assert_close(OPERATION, cuda_cases.to_host(dw), reference.conv2d_backward_weight(dout, x, *rest))
