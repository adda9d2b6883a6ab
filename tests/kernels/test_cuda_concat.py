"""Concatenation on CUDA where the random cases are too small: several blocks, more inputs than a launch takes, rows of
which only some begin where 16 bytes can be read at once.
"""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference

# channels of each input, the other dimensions
CASES = [
    ((64, 128, 32, 32), (2, 7, 8)),
    ((3, 5), (3, 9, 11)),
    ((4, 3, 4), (2, 25)),  # rows of out begin at odd places
    ((3, 4, 1), (2, 25)),  # they do not, but the second input in them does
    ((1, 2, 3, 4, 5, 6, 7, 8, 9), (2, 8)),
    ((0, 5, 0), (1, 40)),
    ((6,), (5, 200)),
    ((2, 2), (0, 3)),
]
on_both = pytest.mark.parametrize("dtype", ["float32", "float64"])


def check(rung, channels, others, dtype):
    rng = np.random.default_rng(0)
    N, *rest = others
    xs = [rng.standard_normal((N, C, *rest)).astype(dtype) for C in channels]
    assert_close("concat", cuda_cases.call("concat", xs, rung=rung), reference.concat(xs))


@on_both
@pytest.mark.parametrize(("channels", "others"), CASES)
@pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs("concat", in_cuda_c=True)])
def test_large_cases(rung, channels, others, dtype):
    check(rung, channels, others, dtype)


@pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs("concat", in_cuda_c=False)])
def test_rungs_in_python_past_one_block_and_one_image(rung):
    check(rung, (40, 3), (2, 9), "float32")


@pytest.mark.parametrize("rung", [rung for _, rung in cuda_cases.rungs("concat")])
def test_a_thread_takes_the_same_place_of_several_images(rung, monkeypatch):
    monkeypatch.setattr("minicnn.kernels.cuda.window.BLOCKS", 2)
    check(rung, (3, 2), (7, 4), "float32")


def test_one_input_is_copied():
    x = cuda_cases.to_device(np.ones((2, 3), np.float32))
    assert cuda_cases.backend.concat([x]) is not x
