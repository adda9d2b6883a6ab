"""Local response normalisation on CUDA where the random cases are too small: many channels, windows across the edges of
tiles, the papers' constants.
"""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import lrn

# x, size, alpha, beta, k
CASES = [
    ((2, 96, 5, 11), 5, 1e-4, 0.75, 1.0),  # AlexNet's and GoogLeNet's
    ((1, 37, 3, 50), 5, 2.0, 0.75, 2.0),
    ((1, 16, 2, 3), 5, 0.5, 0.6, 1.5),
    ((3, 3, 4, 4), 5, 1.0, 0.75, 1.0),  # fewer channels than a window
    ((1, 70, 9, 5), 4, 1.0, 0.75, 1.0),
    ((1, 40, 6, 6), 17, 1.0, 0.5, 1.0),
    ((2, 9, 3, 3), 1, 1.0, 0.75, 1.0),
]


def arguments(operation, case, dtype):
    shape, size, alpha, beta, k = case
    rng = np.random.default_rng(sum(shape))
    x, dout = rng.standard_normal((2, *shape)).astype(dtype)
    if operation == "lrn_forward":
        return x, size, alpha, beta, k
    return dout, x, reference.lrn_forward(x, size, alpha, beta, k)[1], size, alpha, beta


def check(operation, rung, case, dtype):
    args = arguments(operation, case, dtype)
    assert_close(operation, cuda_cases.call(operation, *args, rung=rung), getattr(reference, operation)(*args))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("lrn_forward", "lrn_backward", in_cuda_c=True))
def test_large_cases(operation, rung, case, dtype):
    check(operation, rung, case, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 19, 4, 6), (1, 8, 2, 2), (3, 3, 5, 4)])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("lrn_forward", "lrn_backward", in_cuda_c=True))
def test_several_places_a_thread(monkeypatch, operation, rung, shape, dtype):
    monkeypatch.setattr(lrn, "ENOUGH", 0)
    started = []
    slides = lrn._slides
    monkeypatch.setattr(lrn, "_slides", lambda *args: started.append(slides(*args)) or started[-1])
    check(operation, rung, (shape, 5, 2.0, 0.75, 1.0), dtype)
    assert started[0][0]


@pytest.mark.parametrize("case", [((1, 70, 1, 2), 5, 1e-4, 0.75, 1.0), ((2, 3, 6, 6), 4, 1.0, 0.6, 1.0)])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("lrn_forward", "lrn_backward", in_cuda_c=False))
def test_rungs_in_python_past_one_tile(operation, rung, case):
    check(operation, rung, case, "float32")


def test_a_window_that_a_tile_cannot_hold_takes_another_rung():
    if not cuda_cases.ON_CARD:
        args = arguments("lrn_forward", ((1, 20, 1, 1), 18, 1.0, 0.75, 1.0), "float32")
        assert_close("lrn_forward", cuda_cases.kernels.get("cuda-sim").lrn_forward(*args), reference.lrn_forward(*args))


@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:overflow encountered")
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize(("operation", "rung"), cuda_cases.rungs("lrn_forward"))
def test_what_has_left_the_window_leaves_no_trace(operation, rung, size):
    """Nor does a channel that no window of the others reads."""
    x = np.ones((1, 24, 1, 1), np.float32)
    x[0, 5], x[0, 12], x[0, 19] = np.nan, np.inf, 1e18
    out, scale = cuda_cases.call(operation, x, size, 1.0, 0.75, 1.0, rung=rung)
    expected = reference.lrn_forward(x, size, 1.0, 0.75, 1.0)
    np.testing.assert_allclose(scale, expected[1], rtol=1e-6)
    np.testing.assert_allclose(out, expected[0], rtol=1e-6)
