"""The convolution's forward pass on the card beyond the random cases: several tiles and parts, edges, layouts."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import conv_forward, device, tiles
from minicnn.kernels.cuda.rungs import LADDERS
from minicnn.kernels.errors import DTypeError, ShapeError

NAMES = [name for _, name in cuda_cases.rungs("conv2d_forward") if "winograd" not in name]
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
any_rung = pytest.mark.parametrize("rung", NAMES)

ONE, NO_PAD = (1, 1), (0, 0, 0, 0)


def arrays(x_shape, w_shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, w_shape[:1])]


def check(rung, x, w, b, *geometry):
    got = cuda_cases.call("conv2d_forward", x, w, b, *geometry, rung=rung)
    assert_close("conv2d_forward", got, reference.conv2d_forward(x, w, b, *geometry))


@pytest.fixture
def sizes(monkeypatch):
    """sizes(large): tiles in CUDA C are large, where all lines begin at 16 bytes; the list of cuts that are made."""
    cuts = []

    def cut_so(large):
        monkeypatch.setattr(tiles, "BLOCKS", 0 if large else 10**6)
        monkeypatch.setattr(tiles, "WASTE", 1000)
        monkeypatch.setattr(tiles, "SHORTEST_PART", 10**6)
        monkeypatch.setattr(conv_forward, "cut", lambda *args: cuts.append(tiles.cut(*args)) or cuts[-1])
        return cuts

    return cut_so


# x, w, stride, pad, dilation, groups
SEVERAL_TILES = {
    "3x3": ((3, 12, 9, 11), (140, 12, 3, 3), ONE, (1, 1, 1, 1), ONE, 1),
    "whole packs": ((2, 8, 12, 12), (128, 8, 3, 3), ONE, (1, 1, 1, 1), ONE, 1),
    "7x7, stride 2": ((2, 3, 23, 25), (66, 3, 7, 7), (2, 2), (3, 3, 3, 3), ONE, 1),
    "asymmetric, dilated": ((2, 4, 11, 13), (70, 4, 2, 3), (1, 2), (2, 0, 1, 4), (3, 2), 1),
    "groups": ((2, 8, 9, 9), (136, 4, 3, 3), ONE, (1, 1, 1, 1), ONE, 2),
    "1x1": ((3, 20, 8, 7), (132, 20, 1, 1), ONE, NO_PAD, ONE, 1),
    "1x1 without packs": ((3, 19, 7, 7), (131, 19, 1, 1), ONE, NO_PAD, ONE, 1),
    "1x1 in groups": ((3, 24, 6, 8), (140, 12, 1, 1), ONE, NO_PAD, ONE, 2),
    "1x1, stride 2": ((3, 12, 9, 16), (132, 12, 1, 1), (2, 2), NO_PAD, ONE, 1),
    "1x1, padded": ((2, 4, 9, 9), (68, 4, 1, 1), ONE, (1, 0, 0, 1), ONE, 1),
}
WITHOUT_PACKS = {"7x7, stride 2", "1x1 without packs"}


@both_dtypes
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("case", SEVERAL_TILES)
def test_tiles_in_cuda_c(sizes, case, large, dtype):
    x_shape, w_shape, *geometry = SEVERAL_TILES[case]
    cuts = sizes(large)
    check("implicit_gemm_vectors", *arrays(x_shape, w_shape, dtype), *geometry)
    large &= case not in WITHOUT_PACKS
    assert [cut.size for cut in cuts] == ["large" if large else "small"]
    assert cuts[0].grid[0] > 1


@both_dtypes
@pytest.mark.parametrize("case", ["3x3", "groups", "1x1 without packs"])
@pytest.mark.parametrize("biased", [True, False])
def test_parts_of_the_sum_are_added_and_the_bias_once(monkeypatch, case, biased, dtype):
    monkeypatch.setattr(tiles, "SHORTEST_PART", 1)
    x_shape, w_shape, *geometry = SEVERAL_TILES[case]
    x, w, b = arrays(x_shape, w_shape, dtype)
    assert tiles.cut(w_shape[0] // geometry[-1], x[:, 0].size, w[0].size, geometry[-1], x.itemsize).parts > 1
    check("implicit_gemm_vectors", x, w, b if biased else None, *geometry)


@pytest.mark.parametrize(
    ("rung", "x_shape", "w_shape", "geometry"),
    [
        ("naive", (3, 4, 7, 6), (6, 2, 2, 3), ((2, 1), (2, 0, 1, 3), (2, 2), 2)),
        ("tiled", (1, 2, 2, 5), (9, 2, 3, 2), (ONE, (1, 1, 0, 1), ONE, 1)),  # 10 windows, 12 terms
        ("tiled", (1, 4, 3, 3), (18, 2, 1, 1), (ONE, NO_PAD, ONE, 2)),  # 9 filters a group
        ("tiled", (1, 2, 6, 7), (3, 2, 2, 3), ((2, 1), (2, 0, 1, 3), (2, 2), 1)),
        ("implicit_gemm", (2, 2, 4, 10), (10, 2, 3, 3), (ONE, (1, 1, 1, 1), ONE, 1)),  # 80 windows, 18 terms
        ("implicit_gemm", (1, 4, 3, 4), (140, 2, 1, 1), (ONE, NO_PAD, ONE, 2)),  # 70 filters a group
        ("implicit_gemm", (2, 3, 6, 7), (3, 3, 2, 3), ((2, 1), (2, 0, 1, 3), (2, 2), 1)),
    ],
)
def test_several_blocks_and_steps_in_python(rung, x_shape, w_shape, geometry):
    check(rung, *arrays(x_shape, w_shape, np.float32), *geometry)


@any_rung
def test_an_empty_batch_and_one_pixel(rung):
    check(rung, *arrays((0, 2, 5, 5), (3, 2, 3, 3), np.float32), ONE, NO_PAD, ONE, 1)
    check(rung, *arrays((0, 2, 5, 5), (3, 2, 1, 1), np.float32), ONE, NO_PAD, ONE, 1)
    check(rung, *arrays((1, 1, 1, 1), (1, 1, 1, 1), np.float32), ONE, NO_PAD, ONE, 1)
    check(rung, *arrays((1, 1, 1, 1), (1, 1, 3, 3), np.float32), ONE, (1, 1, 1, 1), ONE, 1)


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # the simulator's, which computes in NumPy
@any_rung
@pytest.mark.parametrize("kernel", [(3, 2), (1, 1)])
def test_nan_and_infinity_reach_only_their_windows(rung, kernel):
    """A pixel spoils the windows that hold it, in its own image; a filter spoils its own channel, padding included."""
    x, w, b = arrays((2, 2, 5, 6), (5, 2, *kernel), np.float32)
    pad = (1, 1, 1, 1) if kernel != (1, 1) else NO_PAD
    x[1, 0, 2, 3], w[4, 0, 0, 0] = np.nan, np.inf  # right after the other image, whose sums end within a step
    got = cuda_cases.call("conv2d_forward", x, w, b, ONE, pad, ONE, 1, rung=rung)
    with np.errstate(invalid="ignore"):
        expected = reference.conv2d_forward(x, w, b, ONE, pad, ONE, 1)
    spoilt = ~np.isfinite(expected)
    assert spoilt[1, 0].any() and not spoilt[:, :4].all() and not spoilt[0, :4].any() and spoilt[:, 4].all()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))
    assert_close("conv2d_forward", np.where(spoilt, 0, got), np.where(spoilt, np.float32(0), expected))


@any_rung
def test_images_and_filters_that_begin_anywhere(rung):
    x, w, b = arrays((3, 3, 4, 5), (6, 3, 1, 1), np.float32)
    backend, to_device = cuda_cases.backend, cuda_cases.to_device
    with cuda_cases.use(conv2d_forward=rung):
        got = backend.conv2d_forward(to_device(x)[1:], to_device(w)[1:], to_device(b)[1:], ONE, NO_PAD, ONE, 1)
    expected = reference.conv2d_forward(x[1:], w[1:], b[1:], ONE, NO_PAD, ONE, 1)
    assert_close("conv2d_forward", cuda_cases.to_host(got), expected)


def test_two_runs_are_equal_to_the_bit(monkeypatch):
    monkeypatch.setattr(tiles, "SHORTEST_PART", 1)
    case = (*arrays((2, 12, 6, 6), (20, 12, 3, 3), np.float32), ONE, (1, 1, 1, 1), ONE, 1)
    first, second = (cuda_cases.call("conv2d_forward", *case, rung="implicit_gemm_vectors") for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "groups", "expected"),
    [
        ((1, 3, 32, 32), (8, 3, 3, 3), 1, "implicit_gemm_vectors"),
        ((1, 32, 8, 8), (32, 1, 3, 3), 32, "few_a_group_vectors"),  # one filter a group
        ((32, 256, 56, 56), (256, 256, 3, 3), 1, "winograd_vectors"),
        ((1, 256, 14, 14), (256, 256, 3, 3), 1, "implicit_gemm_vectors"),
    ],
)
def test_which_rung_is_the_default(x_shape, w_shape, groups, expected):
    nothing = lambda shape: np.broadcast_to(np.float32(0), shape)  # noqa: E731
    out = nothing((x_shape[0], w_shape[0], *x_shape[2:]))
    args = (nothing(x_shape), nothing(w_shape), None, ONE, (1, 1, 1, 1), ONE, groups, out)
    choose = device.on(device.Device("cuda", np, True), LADDERS["conv2d_forward"].choose)
    assert choose(*args).name == expected


def test_errors_are_the_references():
    x, w, b = arrays((1, 3, 4, 4), (2, 2, 3, 3), np.float32)
    with pytest.raises(ShapeError, match="x has C=3, w expects 2"):
        cuda_cases.call("conv2d_forward", x, w, b, ONE, NO_PAD, ONE, 1)
    with pytest.raises(DTypeError, match="b is float64"):
        cuda_cases.call("conv2d_forward", x[:, :2], w, b.astype(np.float64), ONE, NO_PAD, ONE, 1)
