"""What every layer promises: shapes, empty batches, untouched inputs, use from several threads, clear refusals."""

import copy
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

from minicnn import kernels, layers
from minicnn.kernels.errors import DTypeError, MinicnnError, ShapeError
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
)

FILES = [import_module(f"minicnn.layers.{file.name}") for file in iter_modules(layers.__path__)]
LAYERS = [
    (layer, shapes, train)
    for file in FILES
    for layer, *shapes in getattr(file, "CASES", [])
    if isinstance(layer, layers.Layer)
    for train in ((False, True) if layer.has_modes else (False,))
]


def each(cases):
    return pytest.mark.parametrize(("layer", "shapes", "train"), cases, ids=str)


every_layer = each(LAYERS)
every_layer_with_inputs = each([case for case in LAYERS if case[1]])
# In training batch norm needs a batch, and moves its running statistics.
OTHERS = [case for case in LAYERS if not (isinstance(case[0], BatchNorm2d) and case[2])]
every_other_layer = each(OTHERS)


def drawn(layer):
    return copy.copy(layer).init(0)


def images(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def of_no_image(shapes):
    """The shapes with a batch of none; what has fewer axes than others is broadcast over the batch and stays."""
    ndim = max(map(len, shapes))
    return [(0, *shape[1:]) if len(shape) == ndim else shape for shape in shapes]


def run(layer, xs, train=False, seed=0):
    """(out, cache, dxs, grads) for a dout of ones."""
    modes = {"train": train, "rng": np.random.default_rng(seed)} if layer.has_modes else {}
    out, cache = layer.forward(*xs, **modes)
    dx, grads = layer.backward(np.ones_like(out), cache)
    return out, cache, dx if isinstance(dx, tuple) else (dx,), grads


@every_layer
def test_shapes_and_dtypes(layer, shapes, train, backend):
    layer = drawn(layer)
    out, cache, dxs, grads = run(layer, images(shapes), train)
    assert isinstance(cache, tuple) and hasattr(cache, "_fields")
    assert out.shape == tuple(layer.out_shape(*shapes)) and out.dtype == np.float32
    assert [dx.shape for dx in dxs] == [tuple(shape) for shape in shapes]
    assert {name: g.shape for name, g in grads.items()} == layer.param_shapes
    assert all(a.dtype == np.float32 for a in (*dxs, *grads.values()))


@each([case for case in OTHERS if case[1]])
def test_a_batch_of_none(layer, shapes, train, backend):
    layer, shapes = drawn(layer), of_no_image(shapes)
    out, _, dxs, grads = run(layer, images(shapes), train)
    assert out.shape == tuple(layer.out_shape(*shapes))
    assert [dx.shape for dx in dxs] == shapes
    assert all(not g.any() and g.shape == layer.param_shapes[name] for name, g in grads.items())


@every_layer
def test_nothing_given_is_written_to(layer, shapes, train, backend):
    layer, xs = drawn(layer), images(shapes)
    for a in (*xs, *layer.params.values()):
        a.flags.writeable = False
    modes = {"train": train, "rng": np.random.default_rng(0)} if layer.has_modes else {}
    out, cache = layer.forward(*xs, **modes)
    dout = np.ones_like(out)
    for a in (out, dout, *(a for a in cache if isinstance(a, np.ndarray))):
        a.flags.writeable = False
    first, second = layer.backward(dout, cache), layer.backward(dout, cache)
    np.testing.assert_equal(first, second)


@every_other_layer
def test_several_threads_share_a_layer(layer, shapes, train, backend):
    layer = drawn(layer)
    alone = [run(layer, images(shapes, seed), train, seed) for seed in range(8)]

    def in_thread(seed):
        with kernels.use(backend):
            return run(layer, images(shapes, seed), train, seed)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(in_thread, range(8)))
    np.testing.assert_equal(together, alone)


@every_layer
def test_a_dout_of_another_shape_is_refused(layer, shapes, train, backend):
    layer = drawn(layer)
    out, cache, _, _ = run(layer, images(shapes), train)
    with pytest.raises(ShapeError, match="dout"):
        layer.backward_input(np.ones((1, *out.shape), out.dtype), cache)
    if layer.param_shapes:
        with pytest.raises(ShapeError, match="dout"):
            layer.backward_params(np.ones((2 * len(out), *out.shape[1:]), out.dtype), cache)


@every_layer_with_inputs
def test_whole_numbers_are_refused(layer, shapes, train, backend):
    with pytest.raises(DTypeError, match="int64"):
        run(drawn(layer), [np.ones(shape, "int64") for shape in shapes], train)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Conv2d(3, 4, 3, groups=2), "groups=2 divides not both in_channels=3, out_channels=4"),
        (lambda: Conv2d(4, 3, 3, groups=2), "groups=2 divides not both"),
        (lambda: Conv2d(0, 3, 3), "in_channels must be an int >= 1, not 0"),
        (lambda: Conv2d(1, 3, 3, groups=0), "groups must be an int >= 1, not 0"),
        (lambda: Conv2d(1, 3, 0), "kernel must be"),
        (lambda: Conv2d(1, 3, 2, pad=-1), "pad must be"),
        (lambda: Linear(3, 0), "out_features must be an int >= 1, not 0"),
        (lambda: Linear(2.5, 1), "in_features must be an int >= 1, not 2.5"),
        (lambda: LeakyReLU(0), "slope must be a number above 0, not 0"),
        (lambda: LeakyReLU(float("nan")), "slope must be a number above 0, not nan"),
        (lambda: MaxPool2d(2, stride=0), "stride must be"),
        (lambda: MaxPool2d((2, 2, 2)), "kernel must be"),
        (lambda: AvgPool2d(-1), "kernel must be"),
        (lambda: LRN(size=0), "size must be an int >= 1, not 0"),
        (lambda: LRN(k=0), "k must be a number above 0, not 0"),
        (lambda: LRN(alpha=-1), "alpha must be a number >= 0, not -1"),
        (lambda: BatchNorm2d(0), "channels must be an int >= 1, not 0"),
        (lambda: BatchNorm2d(1, eps=0), "eps must be a number above 0, not 0"),
        (lambda: BatchNorm2d(1, momentum=1.5), r"momentum must be a number in \[0, 1\], not 1.5"),
        (lambda: Dropout(1.0), r"p must be a probability in \[0, 1\), not 1.0"),
        (lambda: Dropout(-0.1), r"p must be a probability in \[0, 1\), not -0.1"),
        (lambda: Dropout("half"), r"p must be a probability in \[0, 1\), not 'half'"),
    ],
)
def test_a_hyperparameter_that_cannot_be(make, says):
    with pytest.raises(MinicnnError, match=says):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "says"),
    [
        (Conv2d(4, 2, 3), [(2, 3, 8, 8)], r"x has C=3, w expects 4 \(x \(2,3,8,8\), w \(2,4,3,3\), groups 1\)"),
        (Linear(4, 2), [(2, 3)], r"x has D=3, w expects 4 \(x \(2,3\), w \(2,4\)\)"),
        (Linear(12, 2), [(1, 3, 2, 2)], r"x has 4 dimensions, expected \(N, D\)"),
        (MaxPool2d(3), [(1, 1, 2, 5)], "OH=0: a window 3x3 does not fit an image 2x5"),
        (AvgPool2d(3), [(1, 1, 5, 2)], "OW=0: a window 3x3 does not fit an image 5x2"),
        (MaxPool2d(1), [(3, 5)], r"x has 2 dimensions, expected \(N, C, H, W\)"),
        (GlobalAvgPool(), [(1, 2, 0, 3)], r"no mean over an image without pixels \(x \(1,2,0,3\)\)"),
        (LRN(), [(3, 5)], "x has 2 dimensions"),
        (BatchNorm2d(2), [(1, 3, 4, 4)], r"x has C=3, w expects 2 \(x \(1,3,4,4\), w \(2\)\)"),
        (BatchNorm2d(2), [(2,)], r"x has no channels: its dimensions are \(N, C, ...\) \(x \(2\)\)"),
        (Flatten(3), [(3, 5)], r"x has 2 dimensions, none to flatten from axis 3 on \(x \(3,5\)\)"),
        (Concat(), [(1, 2, 3, 3), (1, 2, 3, 4)], r"x1 \(1,2,3,4\) and x0 \(1,2,3,3\) must be alike"),
        (
            Add(),
            [(2, 3, 3), (3, 1), (1, 4, 3)],
            r"x2 \(1,4,3\) and x0 \(2,3,3\) do not broadcast: 4 and 3",
        ),
    ],
    ids=str,
)
def test_an_input_that_does_not_fit(layer, shapes, says, backend):
    with pytest.raises(ShapeError, match=says):
        drawn(layer).forward(*images(shapes))
    with pytest.raises(ShapeError, match=says):
        layer.out_shape(*shapes)


def test_training_says_what_it_needs():
    x = np.zeros((1, 2, 1, 1), np.float32)
    with pytest.raises(MinicnnError, match="needs rng"):
        Dropout().forward(x, train=True)
    with pytest.raises(ShapeError, match=r"need 2 values a channel, here are 1 \(x \(1,2,1,1\)\)"):
        drawn(BatchNorm2d(2)).forward(x, train=True)
    frozen = drawn(BatchNorm2d(2))
    for a in frozen.buffers.values():
        a.flags.writeable = False
    with pytest.raises(MinicnnError, match="running_mean is read-only"):
        frozen.forward(np.zeros((2, 2, 1, 1), np.float32), train=True)


def test_parameters_are_neither_invented_nor_mixed():
    with pytest.raises(MinicnnError, match="has no w yet: call init"):
        Linear(2, 3).forward(np.zeros((1, 2), np.float32))
    with pytest.raises(DTypeError, match="x is float64, w is float32"):
        drawn(Linear(2, 3)).forward(np.zeros((1, 2)))


def test_drawn_weights_keep_the_variance_of_what_passes():
    w = Linear(400, 300).init(7).params["w"]
    assert abs(w.std() / (2 / 400) ** 0.5 - 1) < 0.01 and abs(w.mean()) < 1e-3
    assert not Linear(4, 3).init(7).params["b"].any()
    fresh = BatchNorm2d(3).init(7)
    assert fresh.params["w"].tolist() == fresh.buffers["running_var"].tolist() == [1, 1, 1]
    assert fresh.params["b"].tolist() == fresh.buffers["running_mean"].tolist() == [0, 0, 0]


def test_multiply_adds():
    assert Conv2d(4, 6, (2, 3), groups=2).macs((2, 4, 5, 5)) == 2 * 6 * 4 * 3 * 2 * 2 * 3
    assert Linear(7, 5).macs((3, 7)) == 3 * 7 * 5
    assert ReLU().macs((3, 7)) == 0


def test_layers_describe_themselves():
    assert str(Conv2d(4, 6, (2, 3), stride=2, pad=1, groups=2)) == "Conv2d(4, 6, 2x3, stride 2, pad 1, groups 2)"
    assert str(MaxPool2d(3, stride=2, ceil_mode=True)) == "MaxPool2d(3x3, stride 2, ceil_mode True)"
    assert str(AvgPool2d(2)) == "AvgPool2d(2x2)"
    assert str(Linear(3, 2, bias=False)) == "Linear(3, 2, no bias)"
