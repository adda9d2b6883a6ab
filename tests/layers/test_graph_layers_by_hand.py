"""Padding, arithmetic and shapes of imported graphs by hand: what PyTorch lacks or says otherwise."""

import math

import numpy as np
import pytest

from minicnn.kernels.errors import DTypeError, MinicnnError, ShapeError
from minicnn.layers import (
    Add,
    AvgPool2d,
    Constant,
    Divide,
    Identity,
    Multiply,
    Pad,
    Reshape,
    Squeeze,
    Subtract,
    Transpose,
    Unsqueeze,
)

inf, nan = math.inf, math.nan


def run(layer, *xs, dout):
    out, cache = layer.forward(*(np.array(x, "float64") for x in xs))
    return out, layer.backward_input(np.array(dout, "float64"), cache)


def same(found, wanted):
    np.testing.assert_array_equal(found, wanted)


# Padding -------------------------------------------------------------------------------------------------------------


def test_pad_with_a_value():
    out, dx = run(Pad(((1, 0), (0, 2)), value=7.0), [[1, 2]], dout=[[1, 2, 3, 4], [5, 6, 7, 8]])
    same(out, [[7, 7, 7, 7], [1, 2, 7, 7]])
    same(dx, [[5, 6]])


def test_pad_mirrors_without_the_border():
    out, dx = run(Pad(((2, 1),), "reflect"), [1, 2, 3], dout=[1, 10, 100, 1000, 10_000, 100_000])
    same(out, [3, 2, 1, 2, 3, 2])
    same(dx, [100, 101_010, 10_001])


def test_pad_repeats_the_edge():
    out, dx = run(Pad(((2, 1),), "edge"), [1, nan, 3], dout=[1, 10, 100, 1000, 10_000, 100_000])
    same(out, [1, 1, 1, nan, 3, 3])
    same(dx, [111, 1000, 110_000])


def test_pad_crops_first_and_mirrors_what_is_left():
    out, dx = run(Pad(((-1, 2),), "reflect"), [1, 2, 3, 4], dout=[1, 10, 100, 1000, 10_000])
    same(out, [2, 3, 4, 3, 2])
    same(dx, [0, 10_001, 1010, 100])
    out, dx = run(Pad(((-2, -1), (1, -1)), value=5.0), np.arange(12).reshape(4, 3), dout=[[1, 2, 3]])
    same(out, [[5, 6, 7]])
    same(dx, [[0, 0, 0], [0, 0, 0], [2, 3, 0], [0, 0, 0]])


def test_pad_corners_belong_to_both_axes():
    out, dx = run(Pad(((1, 0), (1, 0)), "edge"), [[1, 2], [3, 4]], dout=[[1, 2, 4], [8, 16, 32], [64, 128, 256]])
    same(out, [[1, 1, 2], [1, 1, 2], [3, 3, 4]])
    same(dx, [[27, 36], [192, 256]])


def test_pad_may_leave_nothing_and_add_to_nothing():
    assert Pad(((-2, 0),)).forward(np.ones(2))[0].shape == (0,)
    same(run(Pad(((-1, 2),), value=1.0), [9], dout=[1, 1])[1], [0])
    assert Pad(((0, 0), (2, 1)), "reflect").forward(np.ones((0, 3)))[0].shape == (0, 6)


def test_subsampling_is_a_pool_of_one_pixel_and_new_channels():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    pooled, _ = AvgPool2d(1, stride=2).forward(x)
    out, _ = Pad(((0, 0), (1, 1), (0, 0), (0, 0))).forward(pooled)
    same(out[0], [[[0, 0], [0, 0]], [[0, 2], [8, 10]], [[0, 0], [0, 0]]])


# Arithmetic ----------------------------------------------------------------------------------------------------------


def test_add_sums_over_what_was_broadcast():
    out, dxs = run(Add(), [[1, 2, 3]], [[10], [20]], 100, dout=[[1, 2, 4], [8, 16, 32]])
    same(out, [[111, 112, 113], [121, 122, 123]])
    for dx, wanted in zip(dxs, ([[9, 18, 36]], [[7], [56]], 63)):
        same(dx, wanted)


def test_a_sum_over_a_large_batch_is_exact_in_float32():
    # In float32 1 + 2^24 is 2^24 again.
    dout = np.array([2**24, *[1.0] * 64], "float32").reshape(-1, 1)
    _, cache = Add().forward(np.zeros_like(dout), np.zeros(1, "float32"))
    _, dx = Add().backward_input(dout, cache)
    assert dx.dtype == np.float32 and dx.tolist() == [2**24 + 64]


def test_an_input_twice_is_two_gradients():
    out, dxs = run(Multiply(), [0.0, 3.0], [5.0, 0.0], [7.0, 2.0], dout=[1.0, 10.0])
    same(out, [0, 0])
    for dx, wanted in zip(dxs, ([35, 0], [0, 60], [0, 0])):
        same(dx, wanted)


def test_subtract_and_divide():
    out, dxs = run(Subtract(), [[5, 7]], [[1], [2]], dout=[[1, 2], [4, 8]])
    same(out, [[4, 6], [3, 5]])
    same(dxs[0], [[5, 10]])
    same(dxs[1], [[-3], [-12]])
    out, dxs = run(Divide(), [6, 9], 3, dout=[1, 10])
    same(out, [2, 3])
    np.testing.assert_allclose(dxs[0], [1 / 3, 10 / 3])
    np.testing.assert_allclose(dxs[1], -(1 * 6 + 10 * 9) / 9)


def test_a_division_by_zero_is_no_error():
    with np.errstate(divide="ignore", invalid="ignore"):
        same(Divide().forward(np.array([1.0, -1.0, 0.0]), np.zeros(3))[0], [inf, -inf, nan])


@pytest.mark.parametrize("layer", [Add(), Multiply(), Subtract(), Divide()], ids=str)
def test_shapes_that_do_not_broadcast_are_both_named(layer):
    for call in (lambda *s: layer.forward(*map(np.ones, s)), layer.out_shape):
        with pytest.raises(ShapeError, match=r"x1 \(2,3\) and x0 \(4,1,2\) do not broadcast: 3 and 2 on axis 2"):
            call((4, 1, 2), (2, 3))


def test_two_dtypes_are_not_mixed():
    with pytest.raises(DTypeError, match="x0 is float32, x1 is float64"):
        Multiply().forward(np.ones(2, "float32"), np.ones(2))


# Shapes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x_shape", "shape", "allow_zero", "wanted"),
    [
        ((2, 3, 4), (0, -1), False, (2, 12)),
        ((2, 3, 4), (0, 0, 2, 2), False, (2, 3, 2, 2)),
        ((2, 3, 4), (-1,), False, (24,)),
        ((2, 3, 4), (4, 0, -1), False, (4, 3, 2)),
        # A batch of none: what is copied is not counted, so that the rest is known.
        ((0, 3, 4), (0, -1), False, (0, 12)),
        ((0, 3, 4), (-1, 12), False, (0, 12)),
        ((0, 3, 4), (0, 2, 6), True, (0, 2, 6)),
        ((2, 0), (5, 0), True, (5, 0)),
        ((1, 1), (), False, ()),
    ],
)
def test_reshape(x_shape, shape, allow_zero, wanted):
    layer = Reshape(shape, allow_zero)
    x = np.arange(float(math.prod(x_shape))).reshape(x_shape)
    out, cache = layer.forward(x)
    assert out.shape == layer.out_shape(x_shape) == wanted
    same(out.ravel(), x.ravel())
    same(layer.backward_input(out, cache), x)


@pytest.mark.parametrize(
    ("x_shape", "shape", "allow_zero"),
    [
        ((2, 3), (0, 4), False),
        ((2, 3), (4, -1), False),
        ((2, 3), (6, 0, 0), False),  # no third axis to copy
        ((2, 3), (0, 6), True),
        ((0, 3), (0, -1), True),  # anything would fit
        ((2, 3), (), False),
    ],
)
def test_a_reshape_that_cannot_be(x_shape, shape, allow_zero):
    text = r"x \({}\) cannot be reshaped to \({}\)".format(*(",".join(map(str, s)) for s in (x_shape, shape)))
    with pytest.raises(ShapeError, match=text):
        Reshape(shape, allow_zero).forward(np.ones(x_shape))
    with pytest.raises(ShapeError, match=text):
        Reshape(shape, allow_zero).out_shape(x_shape)


def test_transpose_of_three_axes():
    x = np.arange(24.0).reshape(2, 3, 4)
    out, cache = Transpose((1, -1, 0)).forward(x)
    assert out.shape == (3, 4, 2) and out[2, 1, 0] == x[0, 2, 1] == 9
    same(Transpose((1, -1, 0)).backward_input(out, cache), x)


def test_squeeze_without_axes_takes_the_batch_too():
    assert Squeeze().out_shape((1, 3, 1)) == (3,) and Squeeze().out_shape((2, 3, 1)) == (2, 3)
    assert Squeeze().out_shape((0, 3, 1)) == (0, 3)
    assert Squeeze((-1,)).out_shape((1, 3, 1)) == (1, 3)
    assert Unsqueeze((-1, 0)).out_shape((2, 3)) == (1, 2, 3, 1)


def test_a_constant_reads_nothing():
    layer = Constant((2,))
    with pytest.raises(MinicnnError, match=r"Constant\(\(2,\)\) has no value yet"):
        layer.forward()
    layer.init(0)
    out, cache = layer.forward()
    assert out.tolist() == [0, 0] and out.dtype == np.float32
    dx, grads = layer.backward(np.array([3, 4], "float32"), cache)
    assert dx == () and grads["value"].tolist() == [3, 4]
    number = Constant(()).init().astype("float64")
    assert number.forward()[0].shape == number.out_shape() == ()


def test_identity_keeps_nan():
    out, dx = run(Identity(), [nan, 1.0], dout=[2.0, nan])
    same(out, [nan, 1])
    same(dx, [2, nan])
