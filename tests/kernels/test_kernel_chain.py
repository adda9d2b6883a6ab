"""The chain on which all numbers hang: naive loops -> NumPy reference -> every other backend; and the adjoints."""

import kernel_cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import CASES
from tolerances import assert_close

import naive
from minicnn.kernels import contract, reference

operations = pytest.mark.parametrize("operation", CASES)


def test_every_kernel_has_cases_and_a_naive_definition():
    kernels = {n for n, f in vars(contract).items() if callable(f)} - {"to_device", "to_host"}
    assert set(CASES) == kernels
    assert kernels <= set(vars(naive))


def arrays_in(args):
    """The arrays among the arguments, and among what is in their lists and tuples."""
    found = []
    for a in args:
        found += [a] if isinstance(a, np.ndarray) else arrays_in(a) if isinstance(a, (list, tuple)) else []
    return found


@operations
@settings(max_examples=200)
@given(data=st.data())
def test_reference_does_what_the_definition_says(operation, data):
    args = data.draw(CASES[operation])
    expected = getattr(naive, operation)(*args)
    assert_close(operation, getattr(reference, operation)(*args), expected)


@pytest.mark.parametrize("backend", ["numba"], indirect=True)
@operations
@settings(max_examples=300)
@given(data=st.data())
def test_backend_does_what_the_reference_does(operation, backend, data):
    args = data.draw(CASES[operation])
    before = [a.copy() for a in arrays_in(args)]
    got = getattr(backend, operation)(*args)
    assert_close(operation, got, getattr(reference, operation)(*args))
    for now, then in zip(arrays_in(args), before):
        np.testing.assert_array_equal(now, then)  # no input was written


def inner(a, b):
    return float(np.sum(a.astype(np.float64) * b))


def assert_adjoint(left, right, *operands):
    size = max(np.sqrt(inner(a, a)) for a in operands) ** 2 + 1
    assert abs(left - right) <= 1e-12 * size


def double(args):
    """The same case in float64."""
    return [a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in args]


@settings(max_examples=60)
@given(case=CASES["col2im"])
def test_col2im_is_the_adjoint_of_im2col(backend, case):
    cols, x_shape, *geometry = double(case)
    x = np.random.default_rng(0).standard_normal(x_shape)
    left = inner(backend.im2col(x, *geometry), cols)
    assert_adjoint(left, inner(x, backend.col2im(cols, x_shape, *geometry)), x, cols)


@settings(max_examples=60)
@given(case=kernel_cases.conv2d())
def test_convolutions_backward_passes_are_its_adjoints(backend, case):
    x, w, _, dout, geometry = *double(case[:4]), case[4]
    left = inner(backend.conv2d_forward(x, w, None, *geometry), dout)
    dx = backend.conv2d_backward_input(dout, w, x.shape, *geometry)
    dw = backend.conv2d_backward_weight(dout, x, w.shape, *geometry)
    assert_adjoint(left, inner(x, dx), x, dout, w)
    assert_adjoint(left, inner(w, dw), x, dout, w)


@settings(max_examples=60)
@given(case=CASES["avg_pool2d_forward"])
def test_avg_pool_backward_is_its_adjoint(backend, case):
    x, kernel, stride, pad, ceil_mode, count_include_pad = double(case)
    out = backend.avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad)
    dout = np.random.default_rng(0).standard_normal(out.shape)
    dx = backend.avg_pool2d_backward(dout, x.shape, kernel, stride, pad, count_include_pad)
    assert_adjoint(inner(out, dout), inner(x, dx), x, dout)


@settings(max_examples=60)
@given(case=CASES["max_pool2d_backward"])
def test_max_pool_backward_is_the_adjoint_of_picking_the_switches(backend, case):
    dout, argmax, x_shape, kernel, stride, pad, dilation = double(case)
    # Where each window's switch stands, by the numbering of the cells alone: a column's row that matches it is picked.
    x = np.random.default_rng(0).standard_normal(x_shape)
    picked = 0.0
    for n, c, oy, ox in np.ndindex(*dout.shape):
        i, j = divmod(int(argmax[n, c, oy, ox]), kernel[1])
        y, xx = oy * stride[0] - pad[0] + i * dilation[0], ox * stride[1] - pad[2] + j * dilation[1]
        if 0 <= y < x_shape[2] and 0 <= xx < x_shape[3]:
            picked += x[n, c, y, xx] * dout[n, c, oy, ox]
    dx = backend.max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation)
    assert_adjoint(picked, inner(x, dx), x, dout)


def naive_batch_norm(x, w):
    mean, var = naive.batch_norm_statistics(x)
    return naive.batch_norm_forward(x, mean, (var + 0.1) ** -0.5, w, np.zeros_like(w))


def assert_is_the_derivative(dx, f, x, dout):
    """dx is the gradient of <f(x), dout>: central differences, one number of x after the other."""
    h = 1e-5
    for at in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[at] = h
        assert inner(dout, (f(x + step) - f(x - step)) / (2 * h)) == pytest.approx(dx[at], abs=1e-9)


def test_naive_batch_norm_backward_agrees_with_central_differences():
    x, dout = np.random.default_rng(0).standard_normal((2, 3, 2, 2, 1))
    w = np.array([0.7, -1.3])
    mean, var = naive.batch_norm_statistics(x)
    inverse_std = (var + 0.1) ** -0.5
    sums = naive.batch_norm_backward_params(dout, x, mean, inverse_std)
    of_x = naive.batch_norm_backward_input(dout, x, mean, inverse_std, w, sums)
    assert_is_the_derivative(of_x, lambda x: naive_batch_norm(x, w), x, dout)
    assert_is_the_derivative(sums[0], lambda w: naive_batch_norm(x, w), w, dout)
    forward = lambda x, b: naive.batch_norm_forward(x, mean, inverse_std, w, b)  # noqa: E731
    constant = naive.batch_norm_backward_input(dout, x, mean, inverse_std, w, None)
    assert_is_the_derivative(constant, lambda x: forward(x, w), x, dout)
    assert_is_the_derivative(sums[1], lambda b: forward(x, b), w, dout)


def test_naive_softmax_backward_agrees_with_central_differences():
    x, dout = np.random.default_rng(0).standard_normal((2, 2, 4, 2))
    dx = naive.softmax_backward(dout, naive.softmax_forward(x))
    assert_is_the_derivative(dx, naive.softmax_forward, x, dout)


def test_naive_lrn_backward_agrees_with_central_differences():
    x, dout = np.random.default_rng(0).standard_normal((2, 1, 6, 2, 1))
    size, alpha, beta, k = 4, 0.9, 0.75, 1.5
    _, scale = naive.lrn_forward(x, size, alpha, beta, k)
    dx = naive.lrn_backward(dout, x, scale, size, alpha, beta)
    assert_is_the_derivative(dx, lambda x: naive.lrn_forward(x, size, alpha, beta, k)[0], x, dout)
