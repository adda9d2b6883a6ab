"""Pooling on CUDA where the random cases are too small: several blocks, 16 bytes at once, edges, large windows."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference

# x, kernel, stride, pad, dilation, ceil_mode
CASES = [
    ((2, 3, 12, 16), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), False),  # by 16 bytes
    ((1, 5, 7, 24), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), False),  # a row that no window reads
    ((1, 5, 7, 24), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), True),  # a window that hangs over
    ((1, 5, 12, 14), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), True),  # rows that are no multiple of 16 bytes
    ((1, 3, 12, 16), (2, 2), (2, 2), (1, 0, 0, 0), (1, 1), False),
    ((2, 4, 13, 15), (3, 3), (2, 2), (0, 0, 0, 0), (1, 1), True),
    ((1, 6, 11, 11), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), False),
    ((1, 2, 21, 17), (3, 3), (2, 1), (2, 3, 1, 2), (3, 2), False),
    ((1, 2, 19, 30), (5, 4), (3, 2), (0, 2, 1, 0), (1, 3), True),
    ((1, 3, 20, 23), (6, 7), (3, 5), (2, 0, 1, 3), (2, 1), True),
    ((2, 40, 7, 7), (7, 7), (1, 1), (0, 0, 0, 0), (1, 1), False),
]
SPECIAL = [-np.inf] * 4 + [np.nan, -0.0, 0.0, 1.0, 1.0, 2.0, np.inf]
on_both = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_case = pytest.mark.parametrize("case", CASES)


def numbers(shape, dtype):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def gradient(shape, dtype):
    """Without two windows' sums that round differently: small whole numbers."""
    return np.random.default_rng(1).integers(-8, 9, shape).astype(dtype)


# Max -------------------------------------------------------------------------------------------------------------


@on_both
@every_case
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("max_pool2d_forward", in_cuda_c=True))
def test_max_pool_forward(operation, rung, special, case, dtype):
    shape, *geometry = case
    x = np.random.default_rng(3).choice(SPECIAL, shape).astype(dtype) if special else numbers(shape, dtype)
    got = cuda_cases.call(operation, x, *geometry, rung=rung)
    assert_close(operation, got, reference.max_pool2d_forward(x, *geometry))


@on_both
@every_case
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("max_pool2d_backward", in_cuda_c=True))
def test_max_pool_backward(operation, rung, case, dtype):
    shape, *geometry, ceil_mode = case
    _, argmax = reference.max_pool2d_forward(numbers(shape, dtype), *geometry, ceil_mode)
    arguments = gradient(argmax.shape, dtype), argmax, shape, *geometry
    got = cuda_cases.call(operation, *arguments, rung=rung)
    np.testing.assert_array_equal(got, reference.max_pool2d_backward(*arguments))


@pytest.mark.parametrize(
    ("operation", "rung"), cuda_cases.rungs("max_pool2d_forward", "max_pool2d_backward", in_cuda_c=False)
)
def test_max_pool_in_python_past_one_block_and_one_image(operation, rung):
    shape, *geometry, ceil_mode = (2, 3, 13, 16), (3, 2), (1, 2), (1, 0, 0, 1), (1, 1), False
    x = numbers(shape, "float32")
    out, argmax = reference.max_pool2d_forward(x, *geometry, ceil_mode)
    forward = operation == "max_pool2d_forward"
    arguments = (x, *geometry, ceil_mode) if forward else (out, argmax, shape, *geometry)
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, getattr(reference, operation)(*arguments))


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("max_pool2d_forward"))
def test_a_large_window_of_minus_infinity_picks_its_first_real_cell(operation, rung):
    """Some threads of its warp have seen no real cell."""
    x = np.full((1, 1, 3, 4), -np.inf, np.float32)
    _, argmax = cuda_cases.call(operation, x, (8, 8), (1, 1), (4, 2, 3, 2), (1, 1), False, rung=rung)
    assert argmax.tolist() == [[[[4 * 8 + 3, 4 * 8 + 2], [3 * 8 + 3, 3 * 8 + 2]]]]


# Average ---------------------------------------------------------------------------------------------------------


@on_both
@every_case
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("avg_pool2d_forward", in_cuda_c=True))
def test_avg_pool_forward(operation, rung, count_include_pad, case, dtype):
    shape, kernel, stride, pad, _, ceil_mode = case
    arguments = numbers(shape, dtype), kernel, stride, pad, ceil_mode, count_include_pad
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, reference.avg_pool2d_forward(*arguments))


@on_both
@every_case
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("avg_pool2d_backward", in_cuda_c=True))
def test_avg_pool_backward(operation, rung, count_include_pad, case, dtype):
    shape, kernel, stride, pad, _, ceil_mode = case
    out = reference.avg_pool2d_forward(numbers(shape, dtype), kernel, stride, pad, ceil_mode, True)
    arguments = numbers(out.shape, dtype), shape, kernel, stride, pad, count_include_pad
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, reference.avg_pool2d_backward(*arguments))


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "pad"),
    [
        ((1, 3, 9, 9), (9, 9), (1, 1), (0, 0, 0, 0)),
        ((1, 1, 13, 6), (8, 5), (5, 4), (2, 0, 6, 1)),
        ((2, 3, 13, 11), (3, 2), (1, 2), (1, 0, 0, 1)),
    ],
)
@pytest.mark.parametrize(
    ("operation", "rung"), cuda_cases.rungs("avg_pool2d_forward", "avg_pool2d_backward", in_cuda_c=False)
)
def test_avg_pool_in_python_past_one_block_and_of_large_windows(operation, rung, shape, kernel, stride, pad):
    x = numbers(shape, "float32")
    out = reference.avg_pool2d_forward(x, kernel, stride, pad, False, True)
    if operation == "avg_pool2d_forward":
        arguments = x, kernel, stride, pad, False, True
    else:
        arguments = out, shape, kernel, stride, pad, True
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, getattr(reference, operation)(*arguments))


@pytest.mark.parametrize("rung", ["warps", "halves"])
def test_large_windows_of_padding_alone_are_zero(rung):
    x = np.full((1, 1, 2, 2), 5, np.float32)
    arguments = x, (6, 6), (6, 6), (6, 6, 6, 6), False, False
    got = cuda_cases.call("avg_pool2d_forward", *arguments, rung=rung)
    np.testing.assert_array_equal(got[0, 0], [[0, 0], [0, 5]])
    assert_close("avg_pool2d_forward", got, reference.avg_pool2d_forward(*arguments))
