"""The convolution's input gradient on a card: special numbers, Winograd's transforms and the phases of a stride."""

import cuda_cases
import numpy as np
import pytest
from cuda_conv_cases import INPUT, ONE, arguments, check

import naive
from minicnn.kernels.cuda import conv_phases

RUNGS = pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs(INPUT) if "winograd" not in rung])


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity times 0, on the simulator
@RUNGS
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_special_gradient_reaches_the_pixels_of_its_window_alone(rung, special):
    dout, *rest = arguments(INPUT, (2, 6, 7, 6), (4, 3, 3, 3), (2, 1), (1, 0, 0, 2), ONE, 2)
    rest[0] = np.abs(rest[0]) + 1
    dout[1, 3, 1, 2] = special
    dx = cuda_cases.call(INPUT, dout, *rest, rung=rung)
    np.testing.assert_array_equal(np.isfinite(dx), np.isfinite(naive.conv2d_backward_input(dout, *rest)))


@RUNGS
def test_a_special_weight_is_in_all_that_its_filter_meets(rung):
    dout, w, *rest = arguments(INPUT, (2, 6, 7, 6), (4, 6, 3, 3), ONE, (1, 1, 1, 1), ONE, 1)
    w[2, 4, 1, 1] = np.nan
    dx = cuda_cases.call(INPUT, dout, w, *rest, rung=rung)
    assert np.isnan(dx[:, 4]).all() and not np.isnan(np.delete(dx, 4, axis=1)).any()


WINOGRAD = [
    ("winograd", (2, 3, 6, 9), (2, 3, 3, 3), (1, 1, 1, 1)),
    ("winograd", (1, 2, 5, 4), (3, 2, 3, 3), (0, 3, 4, 0)),
    ("winograd_vectors", (2, 70, 9, 14), (67, 70, 3, 3), (1, 1, 1, 1)),
    ("winograd_vectors", (3, 5, 8, 7), (6, 5, 3, 3), (0, 3, 4, 0)),
]


@pytest.mark.parametrize(("rung", "x_shape", "w_shape", "pad"), WINOGRAD)
def test_winograd(rung, x_shape, w_shape, pad):
    check(INPUT, rung, *arguments(INPUT, x_shape, w_shape, ONE, pad, ONE, 1))


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
