"""Every rule of relevance: by hand, and against loops over single connections on odd shapes."""

from functools import partial

import numpy as np
import pytest
import twins_relevance as twins

from minicnn.layers import AvgPool2d, Conv2d, ConvTranspose2d, GlobalAvgPool, GlobalMaxPool, Linear, MaxPool2d, Mean
from minicnn.layers.linear import LinearCache
from minicnn.layers.relu import ReLUCache
from minicnn.vis.rules import passed
from minicnn.vis.shares import lrp_rules, share_rules

# One output that reads x = (1, 2, -1) with w = (2, -1, -3) and b = 1: c = (2, -2, 3), z = 4, P = 6 with b, N = -2.
X, W, B = (1.0, 2.0, -1.0), (2.0, -1.0, -3.0), 1.0
BY_HAND = {
    "lrp_epsilon": ({"epsilon": 0.0}, [2 / 4, -2 / 4, 3 / 4]),
    "lrp_epsilon, epsilon 1": ({"epsilon": 1.0}, [2 / 8, -2 / 8, 3 / 8]),  # the root mean square of one number is it
    "lrp_gamma": ({"gamma": 0.5}, [3 / 7, -2 / 7, 4.5 / 7]),  # 4 + 0.5 * 6
    "lrp_alpha_beta": ({"alpha": 2.0}, [2 * 2 / 6, -1, 2 * 3 / 6]),
    "lrp_alpha_beta, alpha 1": ({"alpha": 1.0}, [2 / 6, 0, 3 / 6]),
    "lrp_z_plus": ({}, [2 / 5, 0, 3 / 5]),  # P without b
    "lrp_flat": ({}, [1 / 3, 1 / 3, 1 / 3]),
    # (x - low) w where w > 0, (x - high) w where w < 0: (1+2)*2 = 6, (2-3)*-1 = 1, (-1-3)*-3 = 12
    "lrp_z_box": ({"low": -2.0, "high": 3.0}, [6 / 19, 1 / 19, 12 / 19]),
    "excitation": ({}, [1, 0, 0]),  # the third is a product of two negatives
}


@pytest.mark.parametrize("name", BY_HAND)
def test_one_output_by_hand(name, backend):
    parameters, expected = BY_HAND[name]
    rule = getattr(lrp_rules, name.split(",")[0])
    cache = LinearCache(np.array([X]), np.array([W]), np.array([B]))
    dx = rule(np.array([[10.0]]), cache, **parameters)
    np.testing.assert_allclose(dx, [np.multiply(expected, 10)], rtol=1e-12)


def test_gamma_where_the_output_is_negative():
    # w and b with the other signs: z = -4, and now what pulls down counts more. All contributions change their sign,
    # and so does the sum: the shares are the same.
    cache = LinearCache(np.array([X]), -np.array([W]), -np.array([B]))
    dx = lrp_rules.lrp_gamma(np.array([[10.0]]), cache, gamma=0.5)
    np.testing.assert_allclose(dx, [np.multiply(BY_HAND["lrp_gamma"][1], 10)], rtol=1e-12)


LOW, HIGH = -2.5, 3.5
RULES = {
    "epsilon": (partial(lrp_rules.lrp_epsilon, epsilon=0.3), twins.epsilon(0.3)),
    "gamma": (partial(lrp_rules.lrp_gamma, gamma=0.4), twins.gamma(0.4)),
    "alpha-beta": (partial(lrp_rules.lrp_alpha_beta, alpha=1.7), twins.alpha_beta(1.7)),
    "z-plus": (lrp_rules.lrp_z_plus, twins.z_plus),
    "flat": (lrp_rules.lrp_flat, twins.flat),
    "z-box": (partial(lrp_rules.lrp_z_box, low=LOW, high=HIGH), twins.z_box(LOW, HIGH)),
    "excitation": (lrp_rules.excitation, twins.excitation),
}
CONVOLUTIONS = [
    (Conv2d(2, 3, 3), (2, 2, 5, 4)),
    (Conv2d(3, 2, (3, 2), stride=(2, 1), pad=(1, 0, 0, 1)), (1, 3, 6, 4)),
    (Conv2d(4, 6, (1, 2), stride=3, groups=2, bias=False), (2, 4, 4, 5)),
    (Conv2d(2, 2, 2, dilation=(2, 3), pad=1, groups=2), (1, 2, 3, 5)),
]


def _drawn(layer, shape, seed=0, positive=False):
    """(the layer's cache, x, relevance) of random numbers inside the box, weights of a size that keeps z from 0."""
    rng = np.random.default_rng(seed)
    layer = layer.astype("float64")
    layer.params = {name: rng.uniform(-1, 1, shape) for name, shape in layer.param_shapes.items()}
    x = rng.uniform(0 if positive else LOW, HIGH, shape)
    out, cache = layer.forward(x)
    return layer, cache, x, rng.standard_normal(out.shape)


def _same(dx, expected):
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(dx, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
def test_convolutions_against_loops(name, case, backend):
    _, cache, x, R = _drawn(*CONVOLUTIONS[case])
    links = twins.conv2d_connections(x.shape, cache.w, cache.stride, cache.pad, cache.dilation, cache.groups)
    rule, twin = RULES[name]
    _same(rule(R, cache), twins.shared(twin, R, x, links, cache.b))


@pytest.mark.parametrize("name", RULES)
def test_linear_against_loops(name):
    _, cache, x, R = _drawn(Linear(7, 3), (2, 7))
    rule, twin = RULES[name]
    _same(rule(R, cache), twins.shared(twin, R, x, twins.linear_connections(2, cache.w), cache.b))


@pytest.mark.parametrize("name", RULES)
def test_transposed_convolutions_against_loops(name):
    _, cache, x, R = _drawn(ConvTranspose2d(2, 4, (3, 2), stride=2, pad=(1, 0, 0, 1), groups=2), (2, 2, 3, 4))
    links = twins.transposed_connections(x.shape, cache.w, R.shape, (2, 2), (1, 0, 0, 1), (1, 1), 2)
    rule, twin = RULES[name]
    _same(rule(R, cache), twins.shared(twin, R, x, links, cache.b))


def test_gamma_is_that_of_the_overview_where_it_applies():
    # Inputs >= 0, and relevance only where the output is above 0, as below a ReLU.
    layer, cache, x, R = _drawn(Conv2d(3, 4, 3, pad=1), (2, 3, 5, 4), positive=True)
    R = np.where(layer.forward(x)[0] > 0, R, 0)
    links = twins.conv2d_connections(x.shape, cache.w, pad=cache.pad)
    expected = twins.shared(twins.gamma_of_the_overview(0.25), R, x, links, cache.b)
    _same(lrp_rules.lrp_gamma(R, cache), expected)


@pytest.mark.parametrize("name", RULES)
def test_relevance_is_conserved_without_biases(name):
    _, cache, _, R = _drawn(Conv2d(3, 4, 3, pad=1, bias=False), (2, 3, 7, 6), positive=True)
    rule = partial(lrp_rules.lrp_epsilon, epsilon=1e-12) if name == "epsilon" else RULES[name][0]
    np.testing.assert_allclose(rule(R, cache).sum(axis=(1, 2, 3)), R.sum(axis=(1, 2, 3)), rtol=1e-8)


def test_nobody_to_share_with():
    # No input is active: nothing is sent, and nothing is NaN.
    cache = LinearCache(np.zeros((1, 3)), np.array([W]), np.array([0.0]))
    for name in ("epsilon", "gamma", "alpha-beta", "z-plus", "excitation"):
        np.testing.assert_array_equal(RULES[name][0](np.array([[10.0]]), cache), np.zeros((1, 3)))


def test_float32_stays_float32(backend):
    rng = np.random.default_rng(1)
    layer = Conv2d(2, 3, 3, pad=1).init(0)
    out, cache = layer.forward(rng.standard_normal((2, 2, 5, 5)).astype("float32"))
    for rule, _ in RULES.values():
        assert rule(out, cache).dtype == np.float32


# Layers without weights --------------------


@pytest.mark.parametrize(
    "layer",
    [
        AvgPool2d((3, 2), stride=2, pad=(1, 0, 1, 1), ceil_mode=True),
        AvgPool2d(2, stride=1, pad=1, count_include_pad=False),
    ],
)
def test_averages_against_loops(layer, backend):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 2, 5, 6)) + 2
    out, cache = layer.forward(x)
    R = rng.standard_normal(out.shape)
    links = twins.average_connections(
        x.shape, layer.kernel, layer.stride, layer.pad, layer.ceil_mode, layer.count_include_pad
    )
    _same(share_rules.lrp_average(R, cache, [x], layer), twins.shared(twins.epsilon(1e-9), R, x, links))
    positive = share_rules.lrp_average(R, cache, [x - 2], layer, positive=True)
    np.testing.assert_allclose(positive, twins.shared(twins.z_plus, R, x - 2, links), rtol=0, atol=1e-4)


@pytest.mark.parametrize("layer", [GlobalAvgPool(), Mean((2, 3))])
def test_global_averages(layer):
    x = np.random.default_rng(3).random((2, 3, 4, 5))
    out, cache = layer.forward(x)
    dx = share_rules.lrp_average(np.full(out.shape, 7.0), cache, [x], layer)
    np.testing.assert_allclose(dx, 7 * x / x.sum(axis=(2, 3), keepdims=True), rtol=1e-4)


def test_sums_by_hand():
    from minicnn.layers import Add, Subtract

    a, b = np.array([[3.0, 1.0]]), np.array([[1.0, -3.0]])
    for layer, second in ((Add(), b), (Subtract(), -b)):
        _, cache = layer.forward(a, second)
        da, db = share_rules.lrp_add(np.array([[8.0, 8.0]]), cache, [a, second], layer)
        np.testing.assert_allclose([da[0], db[0]], [[6, -4], [2, 12]], rtol=1e-5)
        da, db = share_rules.lrp_add(np.array([[8.0, 8.0]]), cache, [a, second], layer, positive=True)
        np.testing.assert_allclose([da[0], db[0]], [[6, 8], [2, 0]], rtol=1e-5)


def test_sums_of_inputs_that_broadcast():
    from minicnn.layers import Add

    a, b = np.arange(1.0, 7).reshape(1, 2, 3), np.ones((1, 1, 1))
    _, cache = Add().forward(a, b)
    da, db = share_rules.lrp_add(np.ones((1, 2, 3)), cache, [a, b], Add())
    np.testing.assert_allclose(da, a / (a + 1), rtol=1e-5)
    np.testing.assert_allclose(db, np.reshape((1 / (a + 1)).sum(), (1, 1, 1)), rtol=1e-5)


def test_batch_norm_by_hand():
    from minicnn.layers import BatchNorm2d

    layer = BatchNorm2d(2, eps=1.0).astype("float64")
    layer.params = {"w": np.array([2.0, -3.0]), "b": np.array([1.0, 0.0])}
    layer.buffers = {"running_mean": np.array([3.0, 0.0]), "running_var": np.array([3.0, 0.0])}
    # s = w / sqrt(var + 1) = (1, -3), t = b - s * mean = (-2, 0)
    x = np.array([4.0, 5.0]).reshape(1, 2, 1, 1)
    _, cache = layer.forward(x)
    dx = share_rules.lrp_batch_norm(np.full((1, 2, 1, 1), 6.0), cache, [x], layer)
    np.testing.assert_allclose(dx.ravel(), [6 * 4 / (4 + 2), 6])


def test_activations_pass_all_on():
    R = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(passed(R, ReLUCache(np.zeros(3))), R)


def test_a_product_with_a_constant_passes_all_on():
    from minicnn.layers import Multiply

    x, factor = np.ones((1, 2, 1, 1)), np.full((2, 1, 1), 5.0)
    _, cache = Multiply().forward(factor, x)
    d_factor, dx = share_rules.lrp_factor(np.full((1, 2, 1, 1), 3.0), cache, [factor, x], Multiply(), taker=1)
    np.testing.assert_array_equal(dx, np.full((1, 2, 1, 1), 3.0))
    assert d_factor.shape == (2, 1, 1) and not d_factor.any()


POOLS = [
    (MaxPool2d((3, 2), stride=(2, 1), pad=(1, 0, 0, 1)), (2, 2, 5, 4)),
    (MaxPool2d(2, stride=3, dilation=2), (1, 2, 7, 6)),
    (MaxPool2d(3, stride=2, ceil_mode=True), (1, 2, 6, 8)),
    (GlobalMaxPool(), (2, 2, 3, 4)),
]


@pytest.mark.parametrize("case", range(len(POOLS)))
def test_smooth_pools_against_loops(case, backend):
    layer, shape = POOLS[case]
    rng = np.random.default_rng(case)
    x = rng.standard_normal(shape)
    out, cache = layer.forward(x)
    R = rng.standard_normal(out.shape)
    ceil_mode = getattr(layer, "ceil_mode", False)
    cells = twins.windows(shape, cache.kernel, cache.stride, cache.pad, cache.dilation, ceil_mode)
    assert set(cells) == set(np.ndindex(*out.shape))

    shares, slope, step = np.zeros(shape), np.zeros(shape), 1e-6
    for j, window in cells.items():
        values = [x[i] for i in window]
        squares = sum(v * v for v in values)
        for k, i in enumerate(window):
            shares[i] += x[i] ** 2 / squares * R[j]
            more, less = ([*values[:k], values[k] + s, *values[k + 1 :]] for s in (step, -step))
            slope[i] += R[j] * (twins.smooth_maximum(more) - twins.smooth_maximum(less)) / (2 * step)
    _same(share_rules.lrp_smooth_pool(R, cache, [x], layer), shares)
    np.testing.assert_allclose(share_rules.smooth_max_pool(R, cache, [x], layer), slope, rtol=0, atol=1e-7)
    assert np.abs(slope - layer.backward_input(R, cache)).max() > 0.1  # not the winner's alone


def test_a_window_of_zeros_sends_nothing():
    x = np.zeros((1, 1, 2, 2))
    _, cache = MaxPool2d(2).forward(x)
    for rule in (share_rules.lrp_smooth_pool, share_rules.smooth_max_pool):
        np.testing.assert_array_equal(rule(np.ones((1, 1, 1, 1)), cache, [x], MaxPool2d(2)), x)
