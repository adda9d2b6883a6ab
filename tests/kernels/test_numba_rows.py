"""The kernels that go through memory once, on arrays of many pieces, blocks and rows; into a place between guard bands.

Their work is shared among all threads however small it is, in two layouts: as it is, and as channels of a larger array.
"""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import numba_cpu, reference
from minicnn.kernels.numba_cpu import threads

batch_norm, concat, softmax, add, relu = (
    importlib.import_module(f"minicnn.kernels.numba_cpu.{name}")
    for name in ("batch_norm", "concat", "softmax", "add", "relu")
)
GUARD = 12345.5
MARGIN = 256


@pytest.fixture(autouse=True)
def guarded(monkeypatch):
    """Every thread has its share, and results are put between guard bands, which are looked at in the end."""
    places = []

    def empty(shape, dtype):
        size = int(np.prod(shape))
        memory = np.full(size + 2 * MARGIN, GUARD, dtype)
        places.append(memory)
        return memory[MARGIN : MARGIN + size].reshape(shape)

    monkeypatch.setattr(threads, "SMALL", 0)
    monkeypatch.setattr(concat, "FEW_BYTES", 0)
    for module in (batch_norm, concat, softmax, add, relu):
        monkeypatch.setattr(module, "empty", empty)
    yield
    assert places
    for memory in places:
        assert (memory[:MARGIN] == GUARD).all() and (memory[-MARGIN:] == GUARD).all()


@st.composite
def cases(draw, count=2):
    """Arrays of one shape (N, C, ...), normal numbers, each whole or some channels of a larger array."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 70)))
    shape += draw(st.sampled_from([(), (1,), (3, 5), (8, 8), (1, 200), (40, 41), (7,)]))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = []
    for _ in range(count):
        wide = rng.standard_normal((shape[0], shape[1] + 3, *shape[2:])).astype(dtype) + 2
        arrays.append(draw(st.sampled_from([wide[:, 2:-1], np.ascontiguousarray(wide[:, 2:-1])])))
    return arrays


def bound(dtype, terms=0):
    """How far a number of about 1 may be off; a sum of `terms` of them more."""
    return (10 + terms**0.5) * np.finfo(dtype).eps


MANY = settings(max_examples=100)


@MANY
@given(cases())
def test_relu_gate_add_and_concat(arrays):
    dout, x = arrays
    x = x - 2
    np.testing.assert_array_equal(numba_cpu.relu_backward(dout, x), np.where(x > 0, dout, 0))
    np.testing.assert_array_equal(numba_cpu.add(dout, x), dout + x)
    np.testing.assert_array_equal(numba_cpu.concat([dout, x[:, :0], x]), np.concatenate([dout, x], axis=1))


@MANY
@given(cases())
def test_batch_norm(arrays):
    dout, x = arrays
    C, M, axes = x.shape[1], x.size // x.shape[1], (0, *range(2, x.ndim))
    w, b = np.linspace(-1, 2, 2 * C).astype(x.dtype).reshape(2, C)
    exact = x.astype(np.longdouble)
    mean, var = numba_cpu.batch_norm_statistics(x)
    np.testing.assert_allclose(mean, exact.mean(axes).astype(float), rtol=0, atol=4 * bound(float))
    np.testing.assert_allclose(var, exact.var(axes).astype(float), rtol=0, atol=20 * bound(float))
    inverse_std = (var + 0.1) ** -0.5
    out = numba_cpu.batch_norm_forward(x, mean, inverse_std, w, b)
    atol = 5 * bound(x.dtype)
    np.testing.assert_allclose(out, reference.batch_norm_forward(x, mean, inverse_std, w, b), rtol=0, atol=atol)
    sums = numba_cpu.batch_norm_backward_params(dout, x, mean, inverse_std)
    for found, expected in zip(sums, reference.batch_norm_backward_params(dout, x, mean, inverse_std)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=4 * bound(float, M) * M**0.5)
    for given_sums in (None, sums):
        dx = numba_cpu.batch_norm_backward_input(dout, x, mean, inverse_std, w, given_sums)
        expected = reference.batch_norm_backward_input(dout, x, mean, inverse_std, w, given_sums)
        np.testing.assert_allclose(dx, expected, rtol=0, atol=10 * bound(x.dtype))


@MANY
@given(cases(), st.sampled_from([1, 30, 700]))
def test_softmax(arrays, spread):
    dout, x = arrays
    x = x * x.dtype.type(spread)
    out = numba_cpu.softmax_forward(x)
    expected = reference.softmax_forward(x.astype(np.longdouble))
    # Relative to each number, where it is a normal one: the smallest probabilities are right too. x - max is rounded.
    rtol, tiny = bound(x.dtype) + 2 * np.abs(x).max() * np.finfo(float).eps, np.finfo(x.dtype).tiny
    np.testing.assert_allclose(out, expected.astype(float), rtol=rtol, atol=2 * tiny)
    dx = numba_cpu.softmax_backward(dout, out)
    np.testing.assert_allclose(dx, reference.softmax_backward(dout, out), rtol=0, atol=10 * bound(x.dtype))


def test_softmax_of_many_classes():
    x = np.random.default_rng(0).standard_normal((3, 100_000)).astype("float32")
    out = numba_cpu.softmax_forward(x)
    np.testing.assert_allclose(out, reference.softmax_forward(x.astype(float)), rtol=1e-6)
    assert out.sum(axis=1, dtype=float) == pytest.approx(1, abs=1e-6)


def test_a_channel_of_many_pieces_far_from_zero():
    rng, M = np.random.default_rng(0), 150_000
    x = (rng.standard_normal((3, 2, M // 3)) * [[[1e-3], [1]]] + [[[1e3], [-1e7]]]).astype("float32")
    mean, var = numba_cpu.batch_norm_statistics(x)
    exact = x.astype(np.longdouble)
    np.testing.assert_allclose(mean, exact.mean((0, 2)).astype(float), rtol=1e-14)
    np.testing.assert_allclose(var, exact.var((0, 2)).astype(float), rtol=1e-11)
    inverse_std, w, tolerance = var**-0.5, np.ones(2, "float32"), 6 * np.finfo("float32").eps
    xhat = (exact - mean[:, None]) * inverse_std[:, None]
    out = numba_cpu.batch_norm_forward(x, mean, inverse_std, w, w)
    np.testing.assert_allclose(out, (xhat + 1).astype(float), rtol=0, atol=tolerance)
    dout = rng.standard_normal(x.shape).astype("float32")
    sums = M * var**0.5 * [1, 2], M * np.ones(2)
    dx = numba_cpu.batch_norm_backward_input(dout, x, mean, inverse_std, w, sums)
    moving = dout - 1 - xhat * (var**0.5 * [1, 2])[:, None]
    expected = (moving * inverse_std[:, None]).astype(float)
    assert (np.abs(dx - expected) <= tolerance * (np.abs(moving) + np.abs(dout) + 1) * inverse_std[:, None]).all()
