"""Softmax on CUDA where the random cases are too small: rows of several blocks' threads, 16 bytes, special values."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference

INF, NAN = np.inf, np.nan
SHAPES = [(3, 1000), (2, 4099), (5, 10), (1, 1), (2, 130, 1, 1), (2, 21, 9, 31), (1, 1500, 3)]
on_both = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_shape = pytest.mark.parametrize("shape", SHAPES)


def numbers(shape, dtype, seed=0, scale=4):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def expected(operation, *arrays):
    """The reference's answer in float64: its own float32 sums of so many numbers round too."""
    return getattr(reference, operation)(*(a.astype("float64") for a in arrays)).astype(arrays[0].dtype)


@on_both
@every_shape
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("softmax_forward", in_cuda_c=True))
def test_forward(operation, rung, shape, dtype):
    x = numbers(shape, dtype)
    assert_close(operation, cuda_cases.call(operation, x, rung=rung), expected(operation, x))


@on_both
@every_shape
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("softmax_backward", in_cuda_c=True))
def test_backward(operation, rung, shape, dtype):
    dout, out = numbers(shape, dtype, scale=1), reference.softmax_forward(numbers(shape, dtype, 1))
    assert_close(operation, cuda_cases.call(operation, dout, out, rung=rung), expected(operation, dout, out))


@pytest.mark.parametrize("shape", [(1, 300), (1, 70, 2)])
@pytest.mark.parametrize(
    ("operation", "rung"), cuda_cases.rungs("softmax_forward", "softmax_backward", in_cuda_c=False)
)
def test_rungs_in_python_past_one_warp(operation, rung, shape):
    x = numbers(shape, "float32", scale=1)
    arguments = (x,) if operation == "softmax_forward" else (x, reference.softmax_forward(x))
    assert_close(operation, cuda_cases.call(operation, *arguments, rung=rung), expected(operation, *arguments))


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # NumPy's, whose numbers the simulator computes with
@on_both
@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ([-INF, -1e30, -INF], [0, 1, 0]),
        ([1e30, 0, -INF], [1, 0, 0]),
        ([-INF, -INF, -INF], [NAN] * 3),
        ([0, INF, 0], [NAN] * 3),
        ([INF, 0, 0], [NAN] * 3),
        ([0, NAN, INF], [NAN] * 3),
        ([NAN, 0, 0], [NAN] * 3),
        ([0, 0, -INF], [0.5, 0.5, 0]),
    ],
)
@pytest.mark.parametrize("positions", [1, 2])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("softmax_forward"))
def test_what_is_no_number_and_what_is_lost(operation, rung, positions, row, answer, dtype):
    x = np.zeros((1, 3, positions), dtype)
    x[0, :, 0] = row
    got = cuda_cases.call(operation, x, rung=rung)
    np.testing.assert_array_equal(got[0, :, 0], np.array(answer, dtype))
    np.testing.assert_allclose(got[0, :, 1:], 1 / 3, rtol=1e-6)


def test_a_row_of_larger_numbers_the_later_they_come():
    """The sum so far is made smaller with each of them."""
    x = np.arange(3000, dtype="float32")[None] / 8
    assert_close("softmax_forward", cuda_cases.call("softmax_forward", x), expected("softmax_forward", x))
