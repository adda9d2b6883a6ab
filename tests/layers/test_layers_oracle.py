"""Every layer, forward and backward, against PyTorch and against its own differences, on random configurations."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import layers

torch = pytest.importorskip("torch")
import graph_layer_cases  # noqa: E402  these need PyTorch
import layer_cases  # noqa: E402

pytestmark = pytest.mark.oracle
CASES = {**layer_cases.CASES, **graph_layer_cases.CASES}
# The other layers are written in array functions alone, which are NumPy's under both backends: one run says all.
WITH_KERNELS = {"conv2d", "conv_transpose2d", "linear", "matmul", "relu", "lrn"}
WITH_KERNELS |= {"max_pool2d", "avg_pool2d", "global_max_pool"}
RUNS = [(name, backend) for name in CASES for backend in ("numpy", "numba")[name not in WITH_KERNELS :]]


def test_every_layer_is_here():
    classes = {name.lower() for name, value in vars(layers).items() if isinstance(value, type)} - {"layer"}
    assert classes == {name.replace("_", "") for name in CASES} | {"maxpoolindices"}


@pytest.mark.parametrize(("name", "backend"), RUNS, indirect=["backend"])
@settings(max_examples=200)
@given(data=st.data())
def test_agrees_with_pytorch_and_passes_gradcheck(name, data, backend):
    draw, twin, *moved = CASES[name]
    layer, shapes = draw(data.draw)
    train = layer.has_modes and data.draw(st.booleans())
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    layer = with_arrays(layer, rng, dtype)
    xs = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    for move in moved:
        xs = move(*xs)

    twin_xs, twin_params = [tensor(x, True) for x in xs], {k: tensor(a, True) for k, a in layer.params.items()}
    twin_buffers = {k: tensor(a) for k, a in layer.buffers.items()}
    expected = twin(layer, twin_params, twin_buffers, train, *twin_xs)
    assume(torch.isfinite(expected).all())  # a window of nothing but padding has no largest value

    modes = {"train": train, "rng": np.random.default_rng(layer_cases.SEED)} if layer.has_modes else {}
    out, cache = layer.forward(*xs, **modes)
    dout = rng.standard_normal(out.shape).astype(dtype)
    dx, grads = layer.backward(dout, cache)
    dxs = dx if isinstance(dx, tuple) else (dx,)
    expected_grads = torch.autograd.grad(expected, [*twin_xs, *twin_params.values()], tensor(dout))

    assert out.shape == tuple(layer.out_shape(*shapes))
    close(out, expected.detach(), dtype)
    assert list(grads) == list(twin_params)
    for found, wanted in zip([*dxs, *grads.values()], expected_grads):
        close(found, wanted, dtype)
    for key, moved in twin_buffers.items():
        close(layer.buffers[key], moved, dtype)

    report = minicnn.gradcheck(layer, *[x.astype("float64") for x in xs], full=False, train=train)
    assert report.ok and report.kinks <= 1, report


@settings(max_examples=200)
@given(data=st.data())
def test_places_of_maxima_agree_with_pytorch(data, backend):
    layer, (shape,) = graph_layer_cases.max_pool_indices(data.draw)
    # Few different numbers: ties must be told, too.
    x = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).integers(-1, 2, shape).astype("float64")
    expected = graph_layer_cases.max_pool_indices_twin(layer, tensor(x)).numpy()
    out, cache = layer.forward(x)
    assert out.dtype == np.int64 and out.shape == tuple(layer.out_shape(shape))
    np.testing.assert_array_equal(out, expected)
    dx = layer.backward_input(np.ones(out.shape), cache)
    assert dx.shape == x.shape and dx.dtype == x.dtype and not dx.any()


def with_arrays(layer, rng, dtype):
    """Parameters and running statistics that are all different, none of them 0 or 1; variances stay positive."""
    layer.init(rng)
    for arrays in (layer.params, layer.buffers):
        arrays.update({key: rng.uniform(0.3, 2, a.shape) for key, a in arrays.items() if (a == a.flat[0]).all()})
    return layer.astype(dtype)


def tensor(array, needs_gradient=False):
    return torch.tensor(array, requires_grad=needs_gradient)


def close(found, wanted, dtype):
    wanted = wanted.numpy()
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * max(1, np.abs(wanted).max()))
