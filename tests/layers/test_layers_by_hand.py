"""Layers on numbers small enough to work out by hand."""

import math

import numpy as np
import pytest

import naive
from minicnn.layers import (
    LRN,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

inf, nan = math.inf, math.nan


def run(layer, x, dout):
    out, cache = layer.forward(np.array(x, "float64"))
    return out, layer.backward_input(np.array(dout, "float64"), cache)


def image(*rows):
    return np.array([[rows]], "float64")


def same(found, wanted):
    """Equal to the bit: NaN equals NaN, -0.0 is not 0.0."""
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


def test_relu_in_the_nine_sign_cases(backend):
    x = [-2.0, -2.0, -2.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0]
    dout = [-5.0, 0.0, 7.0] * 3
    out, dx = run(ReLU(), x, dout)
    same(out, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0])
    same(dx, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -5.0, 0.0, 7.0])


def test_relu_of_what_is_no_ordinary_number(backend):
    out, dx = run(ReLU(), [-0.0, -1.0, -1.0, 1.0, inf, -inf, nan, -1.0], [-1.0, inf, nan, -inf, -0.0, 2.0, 4.0, -0.0])
    same(out, [0.0, 0.0, 0.0, 1.0, inf, 0.0, nan, 0.0])
    # Gated, not multiplied: no NaN of inf * 0, no -0.0 of -1 * 0; NaN is not above 0, so its gate is shut.
    same(dx, [0.0, 0.0, 0.0, -inf, -0.0, 0.0, 0.0, 0.0])


def test_leaky_relu():
    out, dx = run(LeakyReLU(0.25), [-4.0, 0.0, 1e-300, 4.0, inf, -inf, nan], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 1.0])
    same(out, [-1.0, 0.0, 1e-300, 4.0, inf, -inf, nan])
    same(dx, [0.25, 0.25, 1.0, 1.0, 2.0, 0.5, 0.25])


def test_sigmoid_far_out():
    out, dx = run(Sigmoid(), [0.0, math.log(3), -math.log(3), 1e4, -1e4, nan], [8.0, 16.0, 16.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(out, [0.5, 0.75, 0.25, 1.0, 0.0, nan], rtol=1e-15)
    np.testing.assert_allclose(dx, [2.0, 3.0, 3.0, 0.0, 0.0, nan], rtol=1e-15)
    assert Sigmoid().forward(np.array([-700.0]))[0][0] == pytest.approx(math.exp(-700))  # not rounded to 0


def test_tanh():
    # tanh(log 2) = (2 - 1/2) / (2 + 1/2)
    out, dx = run(Tanh(), [0.0, math.log(2)], [3.0, 25.0])
    np.testing.assert_allclose(out, [0.0, 0.6], rtol=1e-15)
    np.testing.assert_allclose(dx, [3.0, 16.0], rtol=1e-14)


def test_softmax():
    out, dx = run(Softmax(), [[math.log(1), math.log(3)], [1000.0, 1000.0]], [[1.0, 0.0], [1.0, -1.0]])
    np.testing.assert_allclose(out, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)
    np.testing.assert_allclose(dx, [[0.1875, -0.1875], [0.5, -0.5]], rtol=1e-14)


def test_max_pool_and_its_switches(backend):
    x = image([1.0, 5.0, 5.0, 0.0], [2.0, 5.0, 4.0, 9.0], [7.0, 7.0, nan, 3.0], [7.0, 8.0, 3.0, 99.0])
    out, cache = MaxPool2d(2).forward(x)
    same(out, image([5.0, 9.0], [8.0, nan]))
    assert cache.argmax.tolist() == [[[[1, 3], [3, 0]]]]  # the first of two fives; a NaN beats all
    dx = MaxPool2d(2).backward_input(image([1.0, 2.0], [3.0, 4.0]), cache)
    same(dx, image([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 4.0, 0.0], [0.0, 3.0, 0.0, 0.0]))


def test_max_pool_adds_up_where_windows_overlap(backend):
    _, dx = run(MaxPool2d(2, stride=1), image([0.0, 9.0, 0.0]).repeat(2, axis=2), image([1.0, 10.0]))
    same(dx, image([0.0, 11.0, 0.0], [0.0, 0.0, 0.0]))


def test_average_pool_counts_its_padding_or_not(backend):
    x, dout = image([4.0, 8.0], [12.0, 16.0]), image([4.0, 0.0], [0.0, 0.0])
    out, dx = run(AvgPool2d(2, pad=1), x, dout)
    same(out, image([1.0, 2.0], [3.0, 4.0]))
    same(dx, image([1.0, 0.0], [0.0, 0.0]))
    out, dx = run(AvgPool2d(2, pad=1, count_include_pad=False), x, dout)
    same(out, image([4.0, 8.0], [12.0, 16.0]))
    same(dx, image([4.0, 0.0], [0.0, 0.0]))


def test_ceil_mode_adds_the_window_that_hangs_over(backend):
    x = image([1.0, 2.0, 3.0])
    same(MaxPool2d((1, 2), ceil_mode=True).forward(x)[0], image([2.0, 3.0]))
    same(MaxPool2d((1, 2)).forward(x)[0], image([2.0]))
    same(AvgPool2d((1, 2), ceil_mode=True).forward(x)[0], image([1.5, 3.0]))


def test_global_average():
    out, dx = run(GlobalAvgPool(), image([1.0, 2.0, 6.0]), [[[[6.0]]]])
    same(out, image([3.0]))
    same(dx, image([2.0, 2.0, 2.0]))


def test_lrn_in_the_wide_window_of_the_definition(backend):
    # size 3, alpha 3: scale = 1 + the squares of a channel and its two neighbours
    x = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    out, cache = LRN(3, alpha=3.0, beta=0.5).forward(x)
    np.testing.assert_allclose(out.ravel(), [1 / 6**0.5, 2 / 15**0.5, 3 / 14**0.5], rtol=1e-14)
    dx = LRN(3, alpha=3.0, beta=0.5).backward_input(np.array([1.0, 0.0, 0.0]).reshape(x.shape), cache)
    # out[0] = x0 / sqrt(1 + x0^2 + x1^2)
    np.testing.assert_allclose(dx.ravel(), [5 / 6**1.5, -2 / 6**1.5, 0.0], rtol=1e-13, atol=1e-15)


def test_convolution_is_the_definition(backend):
    rng = np.random.default_rng(0)
    layer = Conv2d(4, 6, (2, 3), stride=(2, 3), pad=(1, 0, 2, 1), dilation=(2, 1), groups=2).init(1).astype("float64")
    layer.params["b"] = rng.standard_normal(6)
    x = rng.standard_normal((2, 4, 5, 6))
    out, cache = layer.forward(x)
    geometry = ((2, 3), (1, 0, 2, 1), (2, 1), 2)
    np.testing.assert_allclose(
        out, naive.conv2d_forward(x, layer.params["w"], layer.params["b"], *geometry), atol=1e-12
    )
    dout = rng.standard_normal(out.shape)
    dx, grads = layer.backward(dout, cache)
    np.testing.assert_allclose(dx, naive.conv2d_backward_input(dout, layer.params["w"], x.shape, *geometry), atol=1e-12)
    dw = naive.conv2d_backward_weight(dout, x, layer.params["w"].shape, *geometry)
    np.testing.assert_allclose(grads["w"], dw, atol=1e-12)
    np.testing.assert_allclose(grads["b"], [math.fsum(dout[:, f].flat) for f in range(6)], atol=1e-12)


def test_linear(backend):
    layer = Linear(2, 3)
    layer.params = {"w": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), "b": np.array([10.0, 20.0, 30.0])}
    out, cache = layer.forward(np.array([[1.0, -1.0]]))
    same(out, [[9.0, 19.0, 29.0]])
    dx, grads = layer.backward(np.array([[1.0, 0.0, -1.0]]), cache)
    same(dx, [[-4.0, -4.0]])
    np.testing.assert_array_equal(grads["w"], [[1.0, -1.0], [0.0, 0.0], [-1.0, 1.0]])
    same(grads["b"], [1.0, 0.0, -1.0])


def test_a_small_step_against_every_weight_turns_a_linear_classifier_round(backend):
    x = np.array([[2, -1, 3, -2, 2, 2, 1, -4, 5, 1]], "float64")
    classifier, sigmoid = Linear(10, 1, bias=False), Sigmoid()
    classifier.params = {"w": np.array([[-1, -1, 1, -1, 1, -1, 1, 1, -1, 1]], "float64")}

    score, cache = classifier.forward(x)
    assert score.item() == -3
    assert round(sigmoid.forward(score)[0].item(), 4) == 0.0474
    dx = classifier.backward_input(np.ones((1, 1)), cache)
    assert np.array_equal(dx, classifier.params["w"])

    score, _ = classifier.forward(x + 0.5 * np.sign(dx))
    assert score.item() == 2
    assert round(sigmoid.forward(score)[0].item(), 4) == 0.8808


def test_batch_norm_in_training_and_then_in_evaluation():
    layer = BatchNorm2d(1, eps=1e-12, momentum=0.5).init().astype("float64")
    layer.params = {"w": np.array([10.0]), "b": np.array([1.0])}
    x = np.array([1.0, 3.0, 1.0, 3.0]).reshape(2, 1, 1, 2)  # mean 2, variance 1, unbiased 4/3
    out, cache = layer.forward(x, train=True)
    np.testing.assert_allclose(out.ravel(), [-9.0, 11.0, -9.0, 11.0], rtol=1e-11)
    np.testing.assert_allclose(layer.buffers["running_mean"], [1.0])
    np.testing.assert_allclose(layer.buffers["running_var"], [0.5 + 0.5 * 4 / 3])
    # Neither a shift of dout nor a multiple of xhat moves x: both parts are taken off, and here nothing is left.
    dx, grads = layer.backward(np.array([0.0, 1.0, 0.0, 1.0]).reshape(x.shape), cache)
    np.testing.assert_allclose(dx, np.zeros(x.shape), atol=1e-10)
    np.testing.assert_allclose([*grads["w"], *grads["b"]], [2.0, 2.0])

    layer.buffers = {"running_mean": np.array([1.0]), "running_var": np.array([4.0])}
    out, cache = layer.forward(x)
    np.testing.assert_allclose(out.ravel(), [1.0, 11.0, 1.0, 11.0])
    np.testing.assert_allclose(layer.backward_input(np.ones(x.shape), cache), np.full(x.shape, 5.0))
    assert layer.buffers["running_mean"] == 1.0


def test_batch_statistics_survive_a_large_mean_in_float32():
    layer = BatchNorm2d(1).init()
    x = (10_000 + np.array([-1, 1, -1, 1], "float32")).reshape(1, 1, 2, 2)
    np.testing.assert_allclose(layer.forward(x, train=True)[0].ravel(), [-1, 1, -1, 1], rtol=1e-4)


def test_dropout():
    x = np.arange(1.0, 10_001.0).reshape(100, 100)
    layer = Dropout(0.75)
    same(layer.forward(x)[0], x)
    out, cache = layer.forward(x, train=True, rng=np.random.default_rng(3))
    again, _ = layer.forward(x, train=True, rng=np.random.default_rng(3))
    same(out, again)
    assert set(np.unique(out / x)) == {0.0, 4.0}
    assert 0.23 < np.mean(out > 0) < 0.27
    same(layer.backward_input(np.ones_like(x), cache), np.where(out > 0, 4.0, 0.0))
    # What is dropped is gone, whatever it was.
    out, _ = layer.forward(np.full((10, 10), inf), train=True, rng=np.random.default_rng(3))
    assert set(np.unique(out)) == {0.0, inf}


def test_flatten_concat_and_add():
    a, b = np.arange(12.0).reshape(1, 2, 2, 3), np.arange(6.0).reshape(1, 1, 2, 3)
    out, cache = Flatten().forward(a)
    same(out, [list(range(12))])
    same(Flatten().backward_input(out, cache), a)
    out, cache = Concat().forward(a, b, a)
    same(out[0, :, 1, 2], [5.0, 11.0, 5.0, 5.0, 11.0])
    for found, wanted in zip(Concat().backward_input(out, cache), (a, b, a)):
        same(found, wanted)
    out, cache = Add().forward(a, a, a)
    same(out, 3 * a)
    for dx in Add().backward_input(out, cache):
        same(dx, 3 * a)
