"""The convolution's input gradient on a card where the random cases of test_cuda_rungs.py are too small to go: several
tiles each way, sums in parts, every size of tile, and the phases of a stride."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

import naive
from minicnn.kernels import reference
from minicnn.kernels.cuda import conv_phases, tiles
from minicnn.kernels.shapes import conv2d_output

OPERATION = "conv2d_backward_input"
ONE, NO_PAD = (1, 1), (0, 0, 0, 0)


def any_window(in_cuda_c=None):
    """The rungs that take any window."""
    return [rung for _, rung in cuda_cases.rungs(OPERATION, in_cuda_c=in_cuda_c) if "winograd" not in rung]


RUNGS = pytest.mark.parametrize("rung", any_window())
IN_CUDA_C = pytest.mark.parametrize("rung", any_window(in_cuda_c=True))
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def arrays(x_shape, w_shape, stride, pad, dilation, groups, dtype="float32"):
    """Arguments of the operation, of random numbers."""
    rng = np.random.default_rng(0)
    dout = rng.standard_normal(conv2d_output(x_shape, w_shape, stride, pad, dilation, groups)).astype(dtype)
    return dout, rng.standard_normal(w_shape).astype(dtype), x_shape, stride, pad, dilation, groups


def check(rung, *args):
    dx = cuda_cases.call(OPERATION, *args, rung=rung)
    assert_close(OPERATION, dx, reference.conv2d_backward_input(*args), cuda_cases.LOOSER.get((OPERATION, rung)))
    return dx


# Rungs in Python run on the simulator: a tile or two each way, and no more.
@RUNGS
@pytest.mark.parametrize(
    "case",
    [
        ((2, 9, 5, 4), (9, 9, 2, 3), ONE, (1, 0, 2, 1), (2, 1), 1),
        ((1, 18, 5, 5), (4, 9, 3, 2), (2, 3), (0, 2, 1, 1), ONE, 2),
        ((1, 66, 2, 2), (3, 66, 1, 1), ONE, NO_PAD, ONE, 1),
        ((3, 2, 5, 5), (3, 2, 1, 1), ONE, NO_PAD, ONE, 1),
    ],
)
def test_several_tiles(rung, case):
    check(rung, *arrays(*case))


CASES = [
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
]


@both_dtypes
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
    args = arrays((1, 5, 2, 2), (24, 5, 3, 3), ONE, (1, 1, 1, 1), ONE, 1)
    dx = check(rung, *args)
    assert np.array_equal(dx, cuda_cases.call(OPERATION, *args, rung=rung))


@RUNGS
def test_one_pixel(rung):
    check(rung, *arrays((1, 5, 1, 1), (6, 5, 3, 3), ONE, (1, 1, 1, 1), ONE, 1))


@RUNGS
@pytest.mark.parametrize("x_shape", [(0, 3, 4, 4), (2, 0, 4, 4)])
def test_nothing_has_a_gradient_of_nothing(rung, x_shape):
    check(rung, *arrays(x_shape, (4, x_shape[1], 3, 3), ONE, NO_PAD, ONE, 1))


@RUNGS
def test_no_filters_pass_no_gradient(rung):
    args = arrays((2, 3, 4, 4), (0, 3, 3, 3), ONE, NO_PAD, ONE, 1)
    assert not cuda_cases.call(OPERATION, *args, rung=rung).any()


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity times 0, on the simulator
@RUNGS
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_special_gradient_reaches_the_pixels_of_its_window_alone(rung, special):
    dout, *rest = arrays((2, 6, 7, 6), (4, 3, 3, 3), (2, 1), (1, 0, 0, 2), ONE, 2)
    rest[0] = np.abs(rest[0]) + 1
    dout[1, 3, 1, 2] = special
    dx = cuda_cases.call(OPERATION, dout, *rest, rung=rung)
    np.testing.assert_array_equal(np.isfinite(dx), np.isfinite(naive.conv2d_backward_input(dout, *rest)))


@RUNGS
def test_a_special_weight_is_in_all_that_its_filter_meets(rung):
    dout, w, *rest = arrays((2, 6, 7, 6), (4, 6, 3, 3), ONE, (1, 1, 1, 1), ONE, 1)
    w[2, 4, 1, 1] = np.nan
    dx = cuda_cases.call(OPERATION, dout, w, *rest, rung=rung)
    assert np.isnan(dx[:, 4]).all() and not np.isnan(np.delete(dx, 4, axis=1)).any()


@IN_CUDA_C
def test_arrays_that_begin_anywhere(rung):
    dout, w, *rest = arrays((2, 8, 6, 6), (8, 8, 1, 1), ONE, NO_PAD, ONE, 1)
    wide_dout, wide_w = (cuda_cases.to_device(np.concatenate([[7], a.ravel()]).astype("float32")) for a in (dout, w))
    with cuda_cases.use(**{OPERATION: rung}):
        dx = cuda_cases.backend.conv2d_backward_input(
            wide_dout[1:].reshape(dout.shape), wide_w[1:].reshape(w.shape), *rest
        )
    assert_close(OPERATION, cuda_cases.to_host(dx), reference.conv2d_backward_input(dout, w, *rest))


WINOGRAD = [
    ("winograd", (2, 3, 6, 9), (2, 3, 3, 3), (1, 1, 1, 1)),
    ("winograd", (1, 2, 5, 4), (3, 2, 3, 3), (0, 3, 4, 0)),
    ("winograd_vectors", (2, 70, 9, 14), (67, 70, 3, 3), (1, 1, 1, 1)),
    ("winograd_vectors", (3, 5, 8, 7), (6, 5, 3, 3), (0, 3, 4, 0)),
]


@pytest.mark.parametrize(("rung", "x_shape", "w_shape", "pad"), WINOGRAD)
def test_winograd(rung, x_shape, w_shape, pad):
    check(rung, *arrays(x_shape, w_shape, ONE, pad, ONE, 1))


# Phases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize(("size", "kernel", "before"), [(7, 3, 1), (9, 1, 0), (2, 2, 3), (12, 5, 2)])
def test_phases_hold_each_pixel_once_and_meet_what_windows_read(size, kernel, before, stride, dilation):
    cells = 40
    read = {(cell * stride - before + i * dilation, i, cell) for cell in range(cells) for i in range(kernel)}
    found = conv_phases.axis(size, kernel, stride, before, dilation)
    pixels = [axis.first + axis.step * r for axis in found for r in range(axis.count)]
    met = {
        (axis.first + axis.step * r, axis.tap + axis.every * a, axis.cell + r - axis.back * a)
        for axis in found
        for r in range(axis.count)
        for a in range(axis.taps)
    }
    assert sorted(pixels) == list(range(size))
    assert {m for m in met if 0 <= m[2] < cells} == {r for r in read if 0 <= r[0] < size}
