"""Batch normalisation on CUDA where the random cases are too small: channels of several parts, planes with and without
16 bytes, more channels than a grid has rows, a channel far from zero.
"""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import batch_norm_sums

SHAPES = [(8, 3, 40, 28), (6, 2, 37, 45), (3, 50, 7), (300, 9), (1, 1, 1, 1), (2, 5, 64, 32), (1, 2, 4097)]
OPERATIONS = (
    "batch_norm_statistics",
    "batch_norm_forward",
    "batch_norm_backward_params",
    "batch_norm_backward_input",
)


def arguments(operation, shape, dtype):
    """Numbers around 3 with a spread of 2, and what belongs to them."""
    rng = np.random.default_rng(sum(shape))
    x, dout = (3 + 2 * rng.standard_normal(shape)).astype(dtype), rng.standard_normal(shape).astype(dtype)
    w, b = rng.standard_normal((2, shape[1])).astype(dtype)
    mean, var = reference.batch_norm_statistics(x)
    inverse_std = 1 / np.sqrt(var + 1e-5)
    sums = reference.batch_norm_backward_params(dout, x, mean, inverse_std)
    return {
        "batch_norm_statistics": (x,),
        "batch_norm_forward": (x, mean, inverse_std, w, b),
        "batch_norm_backward_params": (dout, x, mean, inverse_std),
        "batch_norm_backward_input": (dout, x, mean, inverse_std, w, sums),
    }[operation]


def check(operation, rung, shape, dtype):
    args = arguments(operation, shape, dtype)
    assert_close(operation, cuda_cases.call(operation, *args, rung=rung), getattr(reference, operation)(*args))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs(*OPERATIONS, in_cuda_c=True))
def test_large_cases(operation, rung, shape, dtype):
    check(operation, rung, shape, dtype)


@pytest.mark.parametrize("shape", [(3, 2, 5, 9), (1, 2, 90)])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs(*OPERATIONS, in_cuda_c=False))
def test_rungs_in_python_past_one_warp_and_one_part(operation, rung, shape, monkeypatch):
    monkeypatch.setattr(batch_norm_sums, "PART", 40)
    check(operation, rung, shape, "float32")


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("batch_norm_statistics", "batch_norm_backward_params"))
def test_more_channels_than_a_grid_has_rows(operation, rung, monkeypatch):
    monkeypatch.setattr(batch_norm_sums, "MOST_ROWS", 2)
    check(operation, rung, (2, 5, 3), "float32")


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("batch_norm_statistics"))
def test_a_narrow_channel_far_from_zero(operation, rung):
    """Two neighbouring float32 numbers by turns: no difference of large sums could tell their variance."""
    x = np.full((2, 1, 150), 1000, np.float32)
    x[:, :, ::2] = np.nextafter(np.float32(1000), np.float32(2000))
    gap = float(x[0, 0, 0]) - 1000
    mean, var = cuda_cases.call(operation, x, rung=rung)
    assert mean[0] == pytest.approx(1000 + gap / 2, rel=1e-15)
    assert var[0] == pytest.approx(gap**2 / 4, rel=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # NumPy's, whose numbers the simulator computes with
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("batch_norm_statistics"))
def test_a_nan_and_an_infinity_stay_in_their_channels(operation, rung):
    x = np.array([[[1, 2], [np.nan, 1], [np.inf, 0]], [[3, 2], [1, 1], [4, 0]]], np.float32)
    mean, var = cuda_cases.call(operation, x, rung=rung)
    np.testing.assert_array_equal(mean, [2, np.nan, np.inf])
    np.testing.assert_array_equal(var, [0.5, np.nan, np.nan])


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("batch_norm_forward"))
def test_a_mean_that_float32_does_not_hold(operation, rung):
    """Only in two parts it is taken off without a loss."""
    mean = np.array([1000 + 2.0**-16])
    x = np.array([[1000, 1000 + 2.0**-13]], np.float32).reshape(2, 1)
    one = np.ones(1, np.float32)
    got = cuda_cases.call(operation, x, mean, np.array([2.0**16]), one, one, rung=rung)
    np.testing.assert_array_equal(got, [[0], [8]])


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("batch_norm_backward_input"))
def test_constant_statistics_keep_the_sign_of_zeros(operation, rung):
    dout, x = np.array([[-0.0], [0.0], [np.nan]], np.float32), np.ones((3, 1), np.float32)
    got = cuda_cases.call(operation, dout, x, np.ones(1), np.ones(1), np.ones(1, np.float32), None, rung=rung)
    np.testing.assert_array_equal(got, dout)
    np.testing.assert_array_equal(np.signbit(got[:2, 0]), [True, False])
