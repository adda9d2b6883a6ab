"""Winograd's convolution on the card: edges of tiles, portions of the batch, turned filters, errors."""

import gc

import cuda_cases
import numpy as np
import pytest
from cuda_shim import cupy_standin
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import device, winograd

ONE = (1, 1)
RUNGS = {"winograd": winograd.convolve, "winograd_vectors": winograd.convolve_in_c}
TOLERANCES = {"float32": 2e-5, "float64": 1e-13}
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def arrays(N, C, H, W, F, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in ((N, C, H, W), (F, C, 3, 3), (F,))]


def forward(rung, x, w, b, pad):
    return cuda_cases.call("conv2d_forward", x, w, b, ONE, pad, ONE, 1, rung=rung)


def check(rung, x, w, b, pad):
    expected = reference.conv2d_forward(x, w, b, ONE, pad, ONE, 1)
    assert_close("conv2d_forward", forward(rung, x, w, b, pad), expected, TOLERANCES[str(x.dtype)])


def gradient(rung, dout, w, x_shape, pad):
    """The gradient to the input, by the filters turned around."""
    xp = cuda_cases.backend.xp
    dx = xp.empty(x_shape, dout.dtype)
    here = device.Device("cuda", xp, True)
    args = cuda_cases.to_device(dout), cuda_cases.to_device(w), None, (2 - pad[0], 2 - pad[2]), True, dx
    device.on(here, RUNGS[rung])(*args)
    return cuda_cases.to_host(dx)


@both_dtypes
@pytest.mark.parametrize("width", [8, 9, 11])  # whole packs of pixels, and tiles that hang over
@pytest.mark.parametrize("pad", [(1, 1, 1, 1), (0, 2, 2, 0)])
def test_several_tiles_blocks_and_channels_in_cuda_c(width, pad, dtype):
    check("winograd_vectors", *arrays(3, 9, 14, width, 70, dtype), pad)


def test_several_tiles_in_python():
    check("winograd", *arrays(1, 1, 6, 7, 2), (1, 1, 1, 0))


@pytest.mark.parametrize("rung", RUNGS)
def test_a_window_of_padding_an_empty_batch_and_no_bias(rung):
    x, w, b = arrays(1, 2, 1, 1, 1)
    check(rung, x, w, None, (2, 2, 2, 2))
    check(rung, x[:0], w, b, (1, 1, 1, 1))


@both_dtypes
@pytest.mark.parametrize("pad", [(1, 1, 1, 1), (0, 2, 3, 0)])
def test_turned_filters_give_the_gradient_to_the_input(pad, dtype):
    x, w, _ = arrays(2, 10, 9, 8, 7, dtype)
    dout = np.random.default_rng(1).standard_normal((2, 7, 7 + pad[0] + pad[1], 6 + pad[2] + pad[3])).astype(dtype)
    expected = reference.conv2d_backward_input(dout, w, x.shape, ONE, pad, ONE, 1)
    got = gradient("winograd_vectors", dout, w, x.shape, pad)
    assert_close("conv2d_backward_input", got, expected, TOLERANCES[dtype])


def test_turned_filters_in_python():
    _, w, _ = arrays(1, 1, 4, 4, 2)
    dout = np.random.default_rng(1).standard_normal((1, 2, 4, 4)).astype("float32")
    expected = reference.conv2d_backward_input(dout, w, (1, 1, 4, 4), ONE, (1, 1, 1, 1), ONE, 1)
    got = gradient("winograd", dout, w, (1, 1, 4, 4), (1, 1, 1, 1))
    assert_close("conv2d_backward_input", got, expected, TOLERANCES["float32"])


@pytest.mark.parametrize(("workspace", "portions"), [(1, 5), (2 * 36 * (3 + 6) * 2 * 3 * 4, 3)])
def test_a_batch_goes_in_portions_that_the_workspace_holds(monkeypatch, workspace, portions):
    """Five images of 2 x 3 tiles: one at a time, or two."""
    monkeypatch.setattr(winograd, "WORKSPACE", workspace)
    seen = []
    product = winograd.product_in_c
    monkeypatch.setattr(winograd, "product_in_c", lambda *args: (seen.append(1), product(*args)))
    check("winograd_vectors", *arrays(5, 3, 7, 10, 6), (1, 1, 1, 1))
    assert len(seen) == portions


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="a real card's memory is left alone")
@pytest.mark.parametrize("workspace", [2**29, 2 * 36 * (3 + 6) * 2 * 3 * 4])
def test_where_memory_does_not_do_half_the_batch_takes_half_the_workspace(monkeypatch, workspace):
    """Four images at a time, or two: half of them fit."""
    monkeypatch.setattr(winograd, "WORKSPACE", workspace)
    x, w, b = arrays(4, 3, 7, 10, 6)
    at_a_time = 4 if workspace == 2**29 else 2
    workspace = at_a_time * 36 * (3 + 6) * 2 * 3 * 4
    held = x.nbytes + w.nbytes + b.nbytes + 4 * 6 * 7 * 10 * 4 + 36 * 3 * 6 * 4
    pool = cupy_standin.get_default_memory_pool()
    gc.collect()
    pool.free_all_blocks()
    pool.set_limit(size=pool.used_bytes() + held + int(0.7 * workspace))
    try:
        seen = []
        product = winograd.product_in_c
        monkeypatch.setattr(winograd, "product_in_c", lambda *args: (seen.append(1), product(*args)))
        check("winograd_vectors", x, w, b, (1, 1, 1, 1))
    finally:
        pool.set_limit(size=0)
    assert len(seen) == 4 // at_a_time * 2


def test_nan_reaches_only_the_tiles_that_read_it():
    x, w, b = arrays(2, 3, 16, 16, 4)
    x[0, 1, 9, 9] = np.nan  # read by the outputs 8 .. 10 of either axis, all in the tiles that begin at 8
    got = forward("winograd_vectors", x, w, b, (1, 1, 1, 1))
    expected = np.zeros(got.shape, bool)
    expected[0, :, 8:12, 8:12] = True
    np.testing.assert_array_equal(np.isnan(got), expected)


def test_rounding_is_a_small_multiple_of_a_direct_sums():
    """512 channels of numbers of one sign, where errors of the transforms do not average out."""
    rng = np.random.default_rng(0)
    x, w = rng.uniform(0, 1, (1, 512, 8, 8)), rng.uniform(0, 1, (4, 512, 3, 3))
    exact = reference.conv2d_forward(x, w, None, ONE, (1, 1, 1, 1), ONE, 1)
    got = forward("winograd_vectors", x.astype("float32"), w.astype("float32"), None, (1, 1, 1, 1))
    error = np.abs(got - exact).max() / exact.max()
    assert 1e-8 < error < 2e-5


def nothing(*shape, dtype="float32"):
    return np.broadcast_to(np.zeros((), dtype), shape)


@pytest.mark.parametrize(
    ("w", "out", "expected"),
    [
        (nothing(256, 256, 3, 3), (32, 256, 56, 56), True),
        (nothing(512, 512, 3, 3), (32, 512, 14, 14), True),
        (nothing(64, 3, 3, 3), (32, 64, 224, 224), False),  # nothing but transforms
        (nothing(512, 512, 3, 3), (1, 512, 14, 14), False),  # 16 tiles
        (nothing(256, 256, 3, 3, dtype="float64"), (32, 256, 56, 56), False),
    ],
)
def test_where_it_pays(w, out, expected):
    assert winograd.pays(w, out) == expected


def test_what_it_can_compute():
    w = nothing(4, 2, 3, 3)
    assert winograd.can(w, ONE, ONE, 1)
    assert not winograd.can(nothing(4, 2, 3, 1), ONE, ONE, 1)
    assert not winograd.can(w, (2, 1), ONE, 1)
    assert not winograd.can(w, ONE, (1, 2), 1)
    assert not winograd.can(w, ONE, ONE, 2)
    with pytest.raises(cuda_cases.kernels.BackendError, match="'winograd_vectors' of conv2d_forward does not take"):
        x, w, b = arrays(1, 2, 6, 6, 2)
        cuda_cases.call("conv2d_forward", x, w, b, (2, 2), (0, 0, 0, 0), ONE, 1, rung="winograd_vectors")
