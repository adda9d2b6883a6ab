"""The convolution's weight gradient on a card: special numbers reach the weights that read them and no others."""

import cuda_cases
import numpy as np
import pytest
from cuda_conv_cases import NO_PAD, ONE, WEIGHT, arguments

RUNGS = pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs(WEIGHT)])


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity times 0, on the simulator
@RUNGS
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_special_gradient_reaches_its_filter_alone(rung, special):
    dout, x, *rest = arguments(WEIGHT, (2, 6, 7, 6), (4, 3, 3, 3), (2, 1), NO_PAD, ONE, 2)
    x = np.abs(x) + 1
    dout[1, 3, 1, 2] = special
    dw = cuda_cases.call(WEIGHT, dout, x, *rest, rung=rung)
    assert not np.isfinite(dw[3]).any() and np.isfinite(dw[:3]).all()


@RUNGS
def test_a_special_pixel_reaches_the_weights_that_read_it(rung):
    dout, x, *rest = arguments(WEIGHT, (2, 6, 7, 6), (4, 3, 3, 3), ONE, (1, 1, 1, 1), ONE, 2)
    x[1, 4, 0, 3] = np.nan  # in the second group; the window's last row never lies on the image's first
    dw = cuda_cases.call(WEIGHT, dout, x, *rest, rung=rung)
    expected = np.zeros(dw.shape, bool)
    expected[2:, 1, :2] = True
    np.testing.assert_array_equal(np.isnan(dw), expected)
