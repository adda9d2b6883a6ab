"""Activations, softmaxes, means and products of imported graphs on numbers small enough to work out by hand."""

import math

import numpy as np
import pytest

from minicnn.layers import ELU, BatchNorm2d, Clip, Concat, Flatten, LogSoftmax, MatMul, Mean, PReLU, Softmax

inf, nan = math.inf, math.nan


def run(layer, *xs, dout):
    out, cache = layer.forward(*(np.array(x, "float64") for x in xs))
    return out, layer.backward_input(np.array(dout, "float64"), cache)


def same(found, wanted):
    np.testing.assert_array_equal(found, wanted)


# Activations ---------------------------------------------------------------------------------------------------------


def test_prelu():
    layer = PReLU((2, 1))
    layer.params = {"w": np.array([[0.5], [-2.0]])}
    out, cache = layer.forward(np.array([[[4.0, -4.0, 0.0], [nan, -1.0, inf]]]))
    same(out, [[[4.0, -2.0, 0.0], [nan, 2.0, inf]]])
    dx, grads = layer.backward(np.array([[[1.0, 10.0, 100.0], [0.0, 3.0, inf]]]), cache)
    same(dx, [[[1.0, 5.0, 50.0], [0.0, -6.0, inf]]])
    # Gated: an infinite dout where x is above 0 does not reach w.
    same(PReLU((1,)).init().params["w"], np.float32([0.25]))
    assert grads["w"][0, 0] == -40 and math.isnan(grads["w"][1, 0])
    _, cache = layer.forward(np.array([[[1.0], [1.0]]]))
    same(layer.backward_params(np.full((1, 2, 1), inf), cache)["w"], [[0.0], [0.0]])


def test_elu():
    x = [2.0, 0.0, -math.log(2), -inf, inf, 1000.0, nan, -1e-20]
    with np.errstate(all="raise"):  # exp never sees what it cannot hold
        out, dx = run(ELU(3.0), x, dout=[5.0, 5.0, 4.0, 7.0, 7.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(out, [2.0, 0.0, -1.5, -3.0, inf, 1000.0, nan, -3e-20], rtol=1e-15)
    np.testing.assert_allclose(dx, [5.0, 15.0, 6.0, 0.0, 7.0, 1.0, nan, 3.0], rtol=1e-15)


def test_clip_passes_at_its_bounds():
    x, dout = [-inf, -2.0, -1.0, 0.0, 1.0, 2.0, inf, nan], [1.0, inf, 3.0, 4.0, 5.0, -1.0, inf, 8.0]
    out, dx = run(Clip(-1, 1), x, dout=dout)
    same(out, [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0, nan])
    same(dx, [0.0, 0.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0])
    assert not np.signbit(dx).any()
    same(run(Clip(high=1), x, dout=dout)[0][:2], [-inf, -2.0])
    same(run(Clip(), x, dout=dout)[1], [*dout[:-1], 0.0])
    out, dx = run(Clip(2, 1), x, dout=dout)
    same(out, [1.0] * 7 + [nan])
    same(dx, np.zeros(8))
    # The bound itself is a float32 there, and so is no less than its out.
    low = np.float32([0.1, 0.0])
    out, cache = Clip(low=0.1).forward(low)
    assert out.dtype == np.float32 and out.tolist() == [low[0], low[0]]
    assert Clip(low=0.1).backward_input(np.ones(2, "float32"), cache).tolist() == [1, 0]


@pytest.mark.oracle
@pytest.mark.parametrize(("low", "high"), [(-1, 1), (None, 1), (-1, None), (1, -1), (0, 0), (0.1, 0.7)])
def test_kinks_are_where_pytorch_has_them(low, high):
    torch = pytest.importorskip("torch")
    x = np.array([-inf, -2, -1, -0.5, 0, 0.1, 0.5, 0.7, 1, 2, inf, nan], "float32")
    dout = np.arange(1, 13, dtype="float32")
    cases = [
        (Clip(low, high), lambda t: torch.clamp(t, low, high)),
        (ELU(0.5), lambda t: torch.nn.functional.elu(t, 0.5)),
    ]
    prelu = PReLU((1,)).init()
    cases += [(prelu, lambda t: torch.nn.functional.prelu(t, torch.tensor([0.25])))]
    for layer, twin in cases:
        t = torch.tensor(x, requires_grad=True)
        expected = twin(t)
        expected.backward(torch.tensor(dout))
        out, cache = layer.forward(x)
        np.testing.assert_allclose(out, expected.detach(), rtol=1e-6)
        numbers = slice(None) if isinstance(layer, Clip) else slice(-1)  # at NaN only those of Clip agree
        np.testing.assert_allclose(layer.backward_input(dout, cache)[numbers], t.grad[numbers], rtol=1e-6)


def test_softmax_over_an_axis_and_over_all_that_follow():
    x = np.log(np.array([[[1.0, 3.0], [4.0, 8.0]]]))
    np.testing.assert_allclose(Softmax(-1).forward(x)[0], [[[1 / 4, 3 / 4], [1 / 3, 2 / 3]]], rtol=1e-14)
    np.testing.assert_allclose(Softmax().forward(x)[0], [[[1 / 5, 3 / 11], [4 / 5, 8 / 11]]], rtol=1e-14)
    whole = np.array([[[1 / 16, 3 / 16], [4 / 16, 8 / 16]]])
    np.testing.assert_allclose(Softmax(to_end=True).forward(x)[0], whole, rtol=1e-14)
    np.testing.assert_allclose(Softmax(0, to_end=True).forward(x)[0], whole, rtol=1e-14)
    np.testing.assert_allclose(LogSoftmax(-2, to_end=True).forward(x)[0], np.log(whole), rtol=1e-14)
    # d log out[0,0] = [1, 0; 0, 0] - out
    _, dx = run(LogSoftmax(to_end=True), x, dout=[[[16.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(dx, [[[15.0, -3.0], [-4.0, -8.0]]], rtol=1e-13)


def test_log_softmax_far_out():
    out, _ = LogSoftmax().forward(np.array([[1000.0, 0.0], [-1000.0, -1000.0], [nan, 0.0], [-inf, 0.0]]))
    same(out[0], [0.0, -1000.0])
    np.testing.assert_allclose(out[1], [-math.log(2)] * 2)
    assert np.isnan(out[2]).all()
    same(out[3], [-inf, 0.0])


@pytest.mark.parametrize(
    "layer", [Softmax(), LogSoftmax(0), Softmax(0, to_end=True), LogSoftmax(1, to_end=True)], ids=str
)
@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 2)])
def test_softmax_of_nothing(layer, shape):
    out, cache = layer.forward(np.ones(shape))
    assert out.shape == shape and layer.backward_input(out, cache).shape == shape


# Shapes, means and products ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "wanted"), [(0, (1, 24)), (1, (2, 12)), (2, (6, 4)), (3, (24, 1)), (-1, (6, 4))])
def test_flatten_always_leaves_two_axes(axis, wanted):
    x = np.arange(24.0).reshape(2, 3, 4)
    out, cache = Flatten(axis).forward(x)
    assert out.shape == Flatten(axis).out_shape(x.shape) == wanted
    same(out.ravel(), x.ravel())
    same(Flatten(axis).backward_input(out, cache), x)
    assert Flatten(axis).out_shape((0, 3, 4)) == {0: (1, 0), 1: (0, 12), 3: (0, 1)}.get(axis, (0, 4))


def test_concat_along_another_axis():
    a, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    out, dxs = run(Concat(0), a, b, dout=[[1, 2], [3, 4], [5, 6]])
    same(out, [[1, 2], [3, 4], [5, 6]])
    same(dxs[0], [[1, 2]])
    same(dxs[1], [[3, 4], [5, 6]])
    same(run(Concat(-1), a, a, dout=[[1, 2, 3, 4]])[1][1], [[3, 4]])


def test_mean():
    x = np.arange(12.0).reshape(2, 3, 2)
    out, dx = run(Mean((1,), keepdims=False), x, dout=[[3, 6], [9, 12]])
    same(out, [[2, 3], [8, 9]])
    same(dx, [[[1, 2]] * 3, [[3, 4]] * 3])
    out, dx = run(Mean(keepdims=False), x, dout=24)
    assert out.shape == () and out == 5.5
    same(dx, np.full(x.shape, 2.0))
    assert Mean().out_shape((2, 3)) == (1, 1) and Mean((), False).out_shape((2, 3)) == (2, 3)
    assert Mean((1, -1)).forward(np.ones((0, 3, 2)))[0].shape == (0, 1, 1)
    ones = np.full(100_000, 0.1, "float32")
    assert Mean().forward(ones)[0].item() == np.float32(0.1)  # in float64; float32 would lose digits


@pytest.mark.parametrize(
    ("shape0", "shape1", "wanted"),
    [
        ((3,), (3,), ()),
        ((3,), (3, 2), (2,)),
        ((2, 3), (3,), (2,)),
        ((4, 2, 3), (3,), (4, 2)),
        ((3,), (4, 3, 2), (4, 2)),
        ((5, 1, 2, 3), (4, 3, 2), (5, 4, 2, 2)),
        ((0, 2, 3), (3, 2), (0, 2, 2)),
        ((0, 2, 3), (0, 3, 2), (0, 2, 2)),
        ((2, 0), (0, 3), (2, 3)),
    ],
)
def test_products_by_the_rules_of_numpy(shape0, shape1, wanted, backend):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(shape0), rng.standard_normal(shape1)
    out, cache = MatMul().forward(a, b)
    assert out.shape == MatMul().out_shape(shape0, shape1) == wanted
    np.testing.assert_allclose(out, a @ b, atol=1e-13)
    dxs = MatMul().backward_input(np.ones(wanted), cache)
    assert [dx.shape for dx in dxs] == [shape0, shape1]


def test_a_product_gives_each_its_gradient(backend):
    out, (da, db) = run(MatMul(), [[[1, 2]], [[3, 4]]], [[5, 6], [7, 8]], dout=[[[1, 10]], [[100, 1000]]])
    same(out, [[[19, 22]], [[43, 50]]])
    same(da, [[[65, 87]], [[6500, 8700]]])
    same(db, [[301, 3010], [402, 4020]])
    _, (da, db) = run(MatMul(), [1, 2], [[3, 4]] * 2, dout=[1, 10])
    same(da, [43, 43])
    same(db, [[1, 10], [2, 20]])


def test_batch_norm_of_vectors():
    layer = BatchNorm2d(2, eps=1e-12).init().astype("float64")
    layer.params = {"w": np.array([1.0, 10.0]), "b": np.array([0.0, 1.0])}
    for shape in ((4, 2), (2, 2, 2), (1, 2, 1, 2, 2)):
        x = np.moveaxis(np.array([[1.0, 3.0, 1.0, 3.0], [4.0, 4.0, 8.0, 8.0]]).reshape(2, shape[0], *shape[2:]), 0, 1)
        out, cache = layer.forward(x, train=True)
        np.testing.assert_allclose(np.moveaxis(out, 1, 0).reshape(2, 4), [[-1, 1, -1, 1], [-9, -9, 11, 11]], rtol=1e-11)
        grads = layer.backward_params(np.ones(shape), cache)
        np.testing.assert_allclose([grads["w"], grads["b"]], [[0, 0], [4, 4]], atol=1e-11)
    layer.buffers = {"running_mean": np.array([1.0, 2.0]), "running_var": np.array([4.0, 1.0])}
    out, cache = layer.forward(np.array([[3.0, 2.5]]))
    np.testing.assert_allclose(out, [[1.0, 6.0]])
    np.testing.assert_allclose(layer.backward_input(np.ones((1, 2)), cache), [[0.5, 10.0]])
