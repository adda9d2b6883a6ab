"""The kernels where definitions are easily bent: ties, NaN, signed zeros, infinities, padding, bad shapes."""

import numpy as np
import pytest

INF, NAN = np.inf, np.nan
ONE = (1, 1)
NO_PAD = (0, 0, 0, 0)

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def image(rows, dtype=np.float64):
    """A batch of one with one channel."""
    return np.array(rows, dtype)[None, None]


def same(got, expected):
    """Equal, NaN to NaN, and zeros of the same sign."""
    expected = np.asarray(expected)
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])


# ReLU --------------------------------------------------------------------------------------------


@both_dtypes
def test_relu_of_special_values(backend, dtype):
    x = np.array([-INF, -1, -0.0, 0, 2, INF, NAN], dtype)
    same(backend.relu_forward(x), [0, 0, 0, 0, 2, INF, NAN])


@both_dtypes
def test_relu_gate_leaves_no_trace_of_what_it_stops(backend, dtype):
    x = np.array([-1, -1, -1, -0.0, 0, NAN, 1, 1, 1], dtype)
    dout = np.array([-5, INF, NAN, 3, 3, 3, -0.0, NAN, -7], dtype)
    same(backend.relu_backward(dout, x), [0, 0, 0, 0, 0, 0, -0.0, NAN, -7])


def test_relu_takes_a_single_number(backend):
    assert backend.relu_forward(np.array(-3.0)).shape == ()


# Max pooling -------------------------------------------------------------------------------------


@both_dtypes
def test_max_pool_tie_goes_to_the_first_in_row_major_order(backend, dtype):
    x = image([[1, 2, 2], [2, 0, 2]], dtype)
    out, argmax = backend.max_pool2d_forward(x, (2, 3), ONE, NO_PAD, ONE, False)
    assert (out.item(), argmax.item()) == (2, 1)
    assert argmax.dtype == np.int32
    dx = backend.max_pool2d_backward(np.full_like(out, 5), argmax, x.shape, (2, 3), ONE, NO_PAD, ONE)
    same(dx[0, 0], [[0, 5, 0], [0, 0, 0]])


@both_dtypes
def test_max_pool_takes_positive_and_negative_zero_as_equal(backend, dtype):
    out, argmax = backend.max_pool2d_forward(image([[-0.0, 0.0]], dtype), (1, 2), ONE, NO_PAD, ONE, False)
    same(out, [[[[-0.0]]]])
    assert argmax.item() == 0


@both_dtypes
def test_max_pool_the_first_nan_wins_even_over_infinity(backend, dtype):
    out, argmax = backend.max_pool2d_forward(image([[INF, NAN], [NAN, 3]], dtype), (2, 2), ONE, NO_PAD, ONE, False)
    assert np.isnan(out.item())
    assert argmax.item() == 1


@both_dtypes
def test_max_pool_nan_reaches_only_its_own_windows(backend, dtype):
    out, _ = backend.max_pool2d_forward(image([[1, 2, NAN, 4, 5]], dtype), (1, 2), ONE, NO_PAD, ONE, False)
    same(out[0, 0], [[2, NAN, NAN, 5]])


@both_dtypes
def test_max_pool_of_minus_infinity_picks_a_real_cell_not_padding(backend, dtype):
    x = np.full((1, 1, 2, 2), -INF, dtype)
    out, argmax = backend.max_pool2d_forward(x, (2, 2), (1, 1), (1, 1, 1, 1), ONE, False)
    assert (out == -INF).all()
    # Each window's first cell inside the image, by its number in the 2x2 window.
    same(argmax[0, 0], [[3, 2, 2], [1, 0, 0], [1, 0, 0]])
    dx = backend.max_pool2d_backward(np.ones_like(out), argmax, x.shape, (2, 2), (1, 1), (1, 1, 1, 1), ONE)
    assert dx.sum() == 9


@both_dtypes
def test_max_pool_window_of_padding_alone_is_minus_infinity_and_has_no_gradient(backend, dtype):
    x = image([[1]], dtype)
    out, argmax = backend.max_pool2d_forward(x, ONE, ONE, (0, 0, 1, 1), ONE, False)
    same(out[0, 0], [[-INF, 1, -INF]])
    same(argmax[0, 0], [[0, 0, 0]])
    dx = backend.max_pool2d_backward(np.array([[[[2, 3, 4]]]], dtype), argmax, x.shape, ONE, ONE, (0, 0, 1, 1), ONE)
    same(dx, [[[[3]]]])


def test_max_pool_ceil_mode_adds_a_window_that_hangs_over(backend):
    x = image([[1, 2, 3, 4, 5, 6]])
    floor, _ = backend.max_pool2d_forward(x, (1, 3), (1, 2), NO_PAD, ONE, False)
    ceil, argmax = backend.max_pool2d_forward(x, (1, 3), (1, 2), NO_PAD, ONE, True)
    same(floor[0, 0], [[3, 5]])
    same(ceil[0, 0], [[3, 5, 6]])
    same(argmax[0, 0], [[2, 2, 1]])


def test_ceil_mode_drops_a_window_that_would_begin_past_the_image(backend):
    # 2 cells, one of padding on either side, stride 3: a second window would begin at 2, in the right padding.
    x = image([[1, 2]])
    out, _ = backend.max_pool2d_forward(x, ONE, (1, 3), (0, 0, 1, 1), ONE, True)
    assert out.shape == (1, 1, 1, 1)
    assert backend.avg_pool2d_forward(x, ONE, (1, 3), (0, 0, 1, 1), True, True).shape == (1, 1, 1, 1)


def test_ceil_mode_lets_a_window_be_larger_than_the_image(backend):
    x = image([[1, 4], [3, 2]])
    out, argmax = backend.max_pool2d_forward(x, (3, 3), (2, 2), NO_PAD, ONE, True)
    assert (out.item(), argmax.item()) == (4, 1)
    dx = backend.max_pool2d_backward(out, argmax, x.shape, (3, 3), (2, 2), NO_PAD, ONE)
    same(dx[0, 0], [[0, 4], [0, 0]])


def test_max_pool_dilation_skips_cells(backend):
    out, argmax = backend.max_pool2d_forward(image([[1, 9, 2, 9, 3]]), (1, 3), ONE, NO_PAD, (1, 2), False)
    assert (out.item(), argmax.item()) == (3, 2)


# Average pooling ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("count_include_pad", "expected"), [(True, [1, 5, 3]), (False, [3, 5, 9])])
def test_avg_pool_counts_padding_only_when_told(backend, count_include_pad, expected):
    x = image([[3, 3, 9]])
    # windows of 3 at -2, 0 and 2 with padding 2 and 2: sums 3, 15, 9 over 1, 3, 1 real cells
    out = backend.avg_pool2d_forward(x, (1, 3), (1, 2), (0, 0, 2, 2), False, count_include_pad)
    np.testing.assert_allclose(out[0, 0], [expected])


def test_avg_pool_never_counts_what_only_ceil_mode_adds(backend):
    out = backend.avg_pool2d_forward(image([[2, 4, 6, 8]]), (1, 3), (1, 2), NO_PAD, True, True)
    np.testing.assert_allclose(out[0, 0], [[4, 7]])
    dx = backend.avg_pool2d_backward(image([[3, 10]]), (1, 1, 1, 4), (1, 3), (1, 2), NO_PAD, True)
    np.testing.assert_allclose(dx[0, 0], [[1, 1, 6, 5]])


def test_avg_pool_window_of_padding_alone_is_zero(backend):
    out = backend.avg_pool2d_forward(image([[5]]), ONE, ONE, (0, 0, 1, 1), False, False)
    same(out[0, 0], [[0, 5, 0]])


def test_avg_pool_nan_reaches_only_its_own_windows(backend):
    out = backend.avg_pool2d_forward(image([[1, 3, NAN, 4, 6]]), (1, 2), ONE, NO_PAD, False, True)
    same(out[0, 0], [[2, NAN, NAN, 5]])


# Columns, convolution, LRN -----------------------------------------------------------------------


def test_stride_larger_than_the_kernel_leaves_cells_unread(backend):
    x = image([[1, 2, 3, 4, 5, 6, 7]])
    cols = backend.im2col(x, (1, 2), (1, 5), NO_PAD, ONE)
    same(cols[0], [[1, 6], [2, 7]])
    same(backend.col2im(cols, x.shape, (1, 2), (1, 5), NO_PAD, ONE)[0, 0], [[1, 2, 0, 0, 0, 6, 7]])


def test_convolution_is_cross_correlation_with_asymmetric_padding(backend):
    x, w = image([[1, 2, 3]]), image([[10, 1]])
    out = backend.conv2d_forward(x, w, np.array([100.0]), ONE, (0, 0, 2, 0), ONE, 1)
    same(out[0, 0], [[100, 101, 112, 123]])
    dx = backend.conv2d_backward_input(np.ones_like(out), w, x.shape, ONE, (0, 0, 2, 0), ONE, 1)
    same(dx[0, 0], [[11, 11, 1]])
    dw = backend.conv2d_backward_weight(np.ones_like(out), x, w.shape, ONE, (0, 0, 2, 0), ONE, 1)
    same(dw[0, 0], [[3, 6]])


def test_groups_see_only_their_own_channels(backend):
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 4, 1, 1)
    w = np.array([[1.0, 1], [2, 0], [0, 3], [1, -1]]).reshape(4, 2, 1, 1)
    out = backend.conv2d_forward(x, w, None, ONE, NO_PAD, ONE, 2)
    same(out.ravel(), [11, 2, 3000, -900])
    dx = backend.conv2d_backward_input(np.ones_like(out), w, x.shape, ONE, NO_PAD, ONE, 2)
    same(dx.ravel(), [3, 1, 1, 2])
    dw = backend.conv2d_backward_weight(np.ones_like(out), x, w.shape, ONE, NO_PAD, ONE, 2)
    same(dw.reshape(4, 2), [[1, 10], [1, 10], [100, 1000], [100, 1000]])


def test_convolution_of_an_infinity_meets_only_its_own_windows(backend):
    out = backend.conv2d_forward(image([[1, 2, INF, 4]]), image([[1, 1]]), None, ONE, NO_PAD, ONE, 1)
    same(out[0, 0], [[3, INF, INF]])


def test_lrn_of_even_size_reads_more_channels_below(backend):
    # size 2: channel c reads c - 1 and c; with beta 1, k 1 and alpha 2 scale is 1 + the sum of squares
    x = np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)
    out, scale = backend.lrn_forward(x, 2, 2.0, 1.0, 1.0)
    np.testing.assert_allclose(scale.ravel(), [2, 6, 14])
    np.testing.assert_allclose(out.ravel(), [1 / 2, 2 / 6, 3 / 14])


# Several inputs, batch normalisation, softmax ----------------------------------------------------


def test_relu_gate_of_channels_of_a_larger_gradient(backend):
    dout = np.arange(1.0, 25).reshape(2, 4, 3)
    x = np.ones((2, 2, 3))
    x[0, 1, 2] = x[1, 0, 0] = -1
    same(backend.relu_backward(dout[:, 1:3], x), [[[4, 5, 6], [7, 8, 0]], [[0, 17, 18], [19, 20, 21]]])


@both_dtypes
def test_a_sum_keeps_the_sign_of_zeros_and_infinities(backend, dtype):
    a, b = np.array([[-0.0, -0.0, INF, INF, 1]], dtype), np.array([[-0.0, 0.0, 1, NAN, 2]], dtype)
    same(backend.add(a, b), [[-0.0, 0.0, INF, NAN, 3]])


@both_dtypes
def test_batch_norm_of_one_value_has_variance_0(backend, dtype):
    mean, var = backend.batch_norm_statistics(np.array([[3, -5]], dtype))
    same(mean, [3.0, -5])
    same(var, [0.0, 0])


@both_dtypes
def test_batch_norm_statistics_of_a_nan_and_an_infinity_are_their_own_channels(backend, dtype):
    x = np.array([[[1, 2], [NAN, 1], [INF, 0]], [[3, 2], [1, 1], [4, 0]]], dtype)
    with np.errstate(invalid="ignore"):
        mean, var = backend.batch_norm_statistics(x)
    same(mean, [2.0, NAN, INF])
    same(var, [0.5, NAN, NAN])


def test_batch_norm_statistics_of_a_narrow_channel_far_from_zero(backend):
    x = np.full((2, 1, 3000, 1), 1000, np.float32)
    x[:, :, ::2] = np.nextafter(np.float32(1000), np.float32(2000))
    gap = float(x[0, 0, 0, 0]) - 1000
    mean, var = backend.batch_norm_statistics(x)
    assert mean[0] == pytest.approx(1000 + gap / 2, rel=1e-15)
    assert var[0] == pytest.approx(gap**2 / 4, rel=1e-9)


@both_dtypes
def test_batch_norm_passes_what_is_no_number(backend, dtype):
    x = np.array([[[1, NAN, INF]]], dtype)
    two, one = np.array([2.0]), np.ones(1, dtype)
    same(backend.batch_norm_forward(x, two, two, one, one), np.array([[[-1, NAN, INF]]]))
    dout = np.array([[[-0.0, 0.0, NAN]]], dtype)
    same(backend.batch_norm_backward_input(dout, x, two, two, one, None), np.array([[[-0.0, 0.0, NAN]]]))


@both_dtypes
def test_softmax_of_large_and_of_lost_scores(backend, dtype):
    same(backend.softmax_forward(np.array([[1e30, 0, -INF]], dtype)), [[1.0, 0, 0]])
    same(backend.softmax_forward(np.array([[-INF, -1e30, -INF]], dtype)), [[0.0, 1, 0]])
    out = backend.softmax_forward(np.array([[0, -80]], dtype))
    np.testing.assert_allclose(out, [[1, 1.8048513878454153e-35]], rtol=1e-5)


@both_dtypes
@pytest.mark.parametrize("score", [NAN, INF])
def test_softmax_without_an_answer_is_nan_there_alone(backend, dtype, score):
    x = np.zeros((1, 2, 3), dtype)
    x[0, 1, 1] = score
    with np.errstate(invalid="ignore"):
        out = backend.softmax_forward(x)
    same(out, [[[0.5, NAN, 0.5], [0.5, NAN, 0.5]]])
