"""The compiled backend's algorithms one by one, whichever the convolution would choose.

Each against the definition in float64, within the bound that rounding allows; into a place between guard bands.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import reference
from minicnn.kernels.errors import ShapeError
from minicnn.kernels.numba_cpu import direct, winograd, winograd_weights
from minicnn.kernels.numba_cpu.matmul import matmul
from minicnn.kernels.numba_cpu.taps import forward_taps
from minicnn.kernels.numba_cpu.weight_gradient import weight_gradient
from minicnn.kernels.shapes import conv2d_output

GUARD = 12345.5
MARGIN = 256
MANY = settings(max_examples=1000)


class Guarded:
    """`out`, an array of a shape in the middle of a longer one, every number of which is GUARD."""

    def __init__(self, shape, dtype):
        size = int(np.prod(shape))
        self.memory = np.full(size + 2 * MARGIN, GUARD, dtype)
        self.out = self.memory[MARGIN : MARGIN + size].reshape(shape)

    def check(self):
        assert (self.memory[:MARGIN] == GUARD).all() and (self.memory[-MARGIN:] == GUARD).all()


@st.composite
def convolutions(draw, most_channels=20, most_size=24):
    """(x, w, b, geometry, groups), float32 or float64."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    N, CG, FG = draw(st.integers(1, 3)), draw(st.integers(1, most_channels)), draw(st.integers(1, most_channels))
    H, W = draw(st.integers(1, most_size)), draw(st.integers(1, most_size))
    kernel, stride, dilation = (draw(st.tuples(*[st.integers(1, most)] * 2)) for most in (4, 4, 3))
    if draw(st.booleans()):
        kernel, stride, dilation = draw(st.sampled_from([(1, 1), (3, 3)])), (1, 1), (1, 1)
    pad = draw(st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (0, 2, 3, 1)]))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((N, CG * groups, H, W)).astype(dtype)
    w = rng.standard_normal((FG * groups, CG, *kernel)).astype(dtype)
    b = draw(st.sampled_from([None, rng.standard_normal(FG * groups).astype(dtype)]))
    return x, w, b, (stride, pad, dilation), groups


def fits(x, w, geometry, groups):
    try:
        return conv2d_output(x.shape, w.shape, *geometry, groups)
    except ShapeError:
        return None


def check_bound(found, function, *arrays, terms):
    """|found - exact| <= gamma_n * function(|arrays|): Higham, Accuracy and Stability of Numerical Algorithms, 3.1."""
    exact = function(*(None if a is None else a.astype("float64") for a in arrays))
    sizes = function(*(None if a is None else np.abs(a).astype("float64") for a in arrays))
    n_u = (terms + 2) * np.finfo(found.dtype).eps / 2
    # The exact value is itself computed in float64.
    slack = (terms + 2) * np.finfo("float64").eps / 2
    assert (np.abs(found - exact) <= (n_u / (1 - n_u) + slack) * sizes).all()


@MANY
@given(convolutions())
def test_direct_forward(case):
    x, w, b, geometry, groups = case
    shape = fits(x, w, geometry, groups)
    if shape is None:
        return
    place = Guarded(shape, x.dtype)
    direct.forward(x, w, b, *geometry, groups, place.out)
    place.check()
    check_bound(place.out, lambda *a: reference.conv2d_forward(*a, *geometry, groups), x, w, b, terms=w[0].size + 1)


@MANY
@given(convolutions())
def test_direct_backward_input(case):
    x, w, _, geometry, groups = case
    shape = fits(x, w, geometry, groups)
    if shape is None:
        return
    dout = np.random.default_rng(0).standard_normal(shape).astype(x.dtype)
    place = Guarded(x.shape, x.dtype)
    direct.backward_input(dout, w, *geometry, groups, place.out)
    place.check()
    terms = w.shape[0] // groups * w.shape[2] * w.shape[3]
    check_bound(
        place.out, lambda d, w: reference.conv2d_backward_input(d, w, x.shape, *geometry, groups), dout, w, terms=terms
    )


@MANY
@given(convolutions(), st.booleans())
def test_weight_gradient(case, share_rows):
    x, w, _, (stride, pad, dilation), groups = case
    shape = fits(x, w, (stride, pad, dilation), groups)
    if shape is None:
        return
    dout = np.random.default_rng(0).standard_normal(shape).astype(x.dtype)
    place = Guarded(w.shape, x.dtype)
    with pytest.MonkeyPatch.context() as patch:
        if share_rows:
            patch.setattr("minicnn.kernels.numba_cpu.weight_gradient.PARTIAL_BYTES", 0)
        weight_gradient(dout, x, forward_taps(w.shape[2:], stride, pad, dilation), groups, place.out)
    place.check()
    check_bound(
        place.out,
        lambda d, x: reference.conv2d_backward_weight(d, x, w.shape, stride, pad, dilation, groups),
        dout,
        x,
        terms=shape[0] * shape[2] * shape[3],
    )


@MANY
@given(convolutions(), st.booleans())
def test_winograd(case, small_portions):
    x, w, b, (_, pad, _), _ = case
    x, w = x.astype("float32"), np.resize(w, (*w.shape[:2], 3, 3)).astype("float32")
    x, b = x[:, : w.shape[1]], None if b is None else b.astype("float32")
    geometry = ((1, 1), pad, (1, 1), 1)
    shape = fits(x, w, geometry[:3], 1)
    if shape is None:
        return
    dout = np.random.default_rng(0).standard_normal(shape).astype("float32")
    forward, backward = Guarded(shape, "float32"), Guarded(x.shape, "float32")
    with pytest.MonkeyPatch.context() as patch:
        if small_portions:
            patch.setattr(winograd, "PORTION_BYTES", 0)
            patch.setattr(winograd, "LEAST", 1)
            patch.setattr(winograd, "PRODUCT_BYTES", 0)
        winograd.convolve(x, w, b, (pad[0], pad[2]), False, forward.out)
        winograd.convolve(dout, w, None, (2 - pad[0], 2 - pad[2]), True, backward.out)
    x, w, b, dout = (None if a is None else a.astype("float64") for a in (x, w, b, dout))
    for place, exact in (
        (forward, reference.conv2d_forward(x, w, b, *geometry)),
        (backward, reference.conv2d_backward_input(dout, w, x.shape, *geometry)),
    ):
        place.check()
        # 5e-5 of the largest output is what is promised; of few and small ones, of what they are sums of.
        largest = max(np.abs(exact).max(), np.abs(w).sum(axis=(1, 2, 3)).mean())
        assert np.abs(place.out - exact).max() <= 5e-5 * largest


@MANY
@given(*[st.integers(1, 70)] * 3, *[st.booleans()] * 2, st.sampled_from(["float32", "float64"]))
def test_matmul(M, N, K, a_turned, b_turned, dtype):
    rng = np.random.default_rng(M + 100 * N + 10_000 * K)
    a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
    a, b = (np.asfortranarray(m) if turned else m for m, turned in ((a, a_turned), (b, b_turned)))
    check_bound(matmul(a, b), np.matmul, a, b, terms=K)


def test_matmul_of_many_blocks():
    rng = np.random.default_rng(0)
    for M, N, K in ((700, 1700, 300), (3, 2000, 900), (1000, 5, 1100)):
        a, b = (rng.standard_normal(shape).astype("float32") for shape in ((M, K), (K, N)))
        check_bound(matmul(a, b), np.matmul, a, b, terms=K)
        check_bound(matmul(a, np.asfortranarray(b)), np.matmul, a, b, terms=K)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_matmul_of_nothing(shape):
    M, K, N = shape
    out = matmul(np.ones((M, K), "float32"), np.ones((K, N), "float32"))
    assert out.shape == (M, N) and not out.any()


@MANY
@given(convolutions(), st.booleans())
def test_winograd_weights(case, small_portions):
    x, w, _, (_, pad, _), _ = case
    x = x.astype("float32")
    w_shape, geometry = (len(w), x.shape[1], 3, 3), ((1, 1), pad, (1, 1), 1)
    shape = fits(x, np.zeros(w_shape, "float32"), geometry[:3], 1)
    if shape is None:
        return
    dout = np.random.default_rng(0).standard_normal(shape).astype("float32")
    place = Guarded(w_shape, "float32")
    with pytest.MonkeyPatch.context() as patch:
        if small_portions:
            patch.setattr(winograd_weights, "TILES", 1)
        winograd_weights.weight_gradient(dout, x, (pad[0], pad[2]), place.out)
    place.check()
    x, dout = x.astype("float64"), dout.astype("float64")
    exact = reference.conv2d_backward_weight(dout, x, w_shape, *geometry)
    # 5e-5 of the largest is what is promised; of few and small ones, of what they are sums of.
    largest = max(np.abs(exact).max(), np.abs(dout).sum(axis=(0, 2, 3)).mean())
    assert np.abs(place.out - exact).max() <= 5e-5 * largest
