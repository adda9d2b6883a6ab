"""Columns on CUDA where the random cases are too small: several blocks and images, rows with and without 16 bytes."""

from itertools import pairwise

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda.window import BLOCKS, by_image, jumps

# x, kernel, stride, pad, dilation
CASES = [
    ((3, 5, 13, 12), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),  # rows of 156 numbers, 39 times 16 bytes
    ((2, 7, 9, 9), (3, 2), (1, 1), (0, 2, 1, 0), (1, 1)),  # of 90: 22 times and two more
    ((2, 3, 17, 15), (5, 3), (2, 3), (2, 1, 0, 3), (1, 1)),
    ((1, 4, 20, 18), (3, 3), (4, 6), (0, 0, 0, 0), (6, 4)),  # stride and dilation share a factor
    ((1, 2, 21, 16), (2, 3), (3, 1), (4, 0, 2, 2), (2, 5)),
]
on_both = pytest.mark.parametrize("dtype", ["float32", "float64"])


def numbers(shape, dtype):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


@on_both
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("im2col", in_cuda_c=True))
def test_im2col(operation, rung, case, dtype):
    x, *geometry = numbers(case[0], dtype), *case[1:]
    assert_close(operation, cuda_cases.call(operation, x, *geometry, rung=rung), reference.im2col(x, *geometry))


@on_both
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("col2im", in_cuda_c=True))
def test_col2im(operation, rung, case, dtype):
    x_shape, *geometry = case
    cols = numbers(reference.im2col(np.zeros(x_shape), *geometry).shape, dtype)
    expected = reference.col2im(cols, x_shape, *geometry)
    assert_close(operation, cuda_cases.call(operation, cols, x_shape, *geometry, rung=rung), expected)


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("im2col", "col2im", in_cuda_c=False))
def test_rungs_in_python_past_one_block_and_one_image(operation, rung):
    x, geometry = numbers((2, 2, 13, 11), "float64"), ((2, 3), (2, 1), (1, 0, 1, 1), (1, 1))
    cols = reference.im2col(x, *geometry)
    arguments = (x, *geometry) if operation == "im2col" else (cols, x.shape, *geometry)
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, getattr(reference, operation)(*arguments))


@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("im2col", "col2im"))
def test_a_thread_takes_the_same_place_of_several_images(operation, rung, monkeypatch):
    monkeypatch.setattr("minicnn.kernels.cuda.window.BLOCKS", 2)
    x, geometry = numbers((5, 1, 3, 4), "float32"), ((2, 2), (1, 1), (0, 1, 0, 0), (1, 1))
    cols = reference.im2col(x, *geometry)
    arguments = (x, *geometry) if operation == "im2col" else (cols, x.shape, *geometry)
    got = cuda_cases.call(operation, *arguments, rung=rung)
    assert_close(operation, got, getattr(reference, operation)(*arguments))


def test_as_many_images_side_by_side_as_the_card_has_use_for():
    assert by_image(1000, 3) == ((4, 3), (256,))
    assert by_image(256 * 100, 500) == ((100, BLOCKS // 100), (256,))
    assert by_image(256 * 5000, 500) == ((5000, 1), (256,))
    assert 0 in by_image(0, 5)[0] and 0 in by_image(5, 0)[0]


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (3, 1), (1, 4), (4, 6), (6, 4), (5, 5)])
def test_jumps_lead_from_one_reader_of_a_pixel_to_the_next(stride, dilation):
    ((jump, _), (back, _)) = jumps((stride, 1), (dilation, 1))
    readers = [(i, (60 - i * dilation) // stride) for i in range(13) if (60 - i * dilation) % stride == 0]
    assert {(b[0] - a[0], a[1] - b[1]) for a, b in pairwise(readers)} == {(jump, back)}
