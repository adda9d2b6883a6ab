"""Layers and whole nets on the CUDA backends: the reference's numbers, and no copy between host and card inside."""

import copy
import json
from importlib import import_module
from pkgutil import iter_modules

import cuda_cases
import numpy as np
import pytest
from cuda_shim import cupy_standin
from PIL import Image

import minicnn
from minicnn import Net, kernels, layers
from minicnn.cli.digits import draw_digit
from minicnn.cli.main import main
from minicnn.kernels import reference
from minicnn.kernels.cuda.graph import Graph
from minicnn.kernels.cuda.rungs import LADDERS
from minicnn.kernels.errors import OutOfMemoryError
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
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
)
from minicnn.layers.relu import ReLUCache
from minicnn.vis.rules import relu_deconvnet, relu_guided
from minicnn.weights import native

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def cuda_is_there():
    with cuda_cases.by_name():
        yield


def close(got, expected):
    assert got.shape == expected.shape and got.dtype == expected.dtype
    largest = max(np.abs(expected).max(initial=0), 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE.get(str(expected.dtype), 0) * largest)


# Layers ----------------------------------------------------------------------------------------------------------

LAYERS = [
    (layer, shapes, train)
    for file in iter_modules(layers.__path__)
    for layer, *shapes in getattr(import_module(f"minicnn.layers.{file.name}"), "CASES", [])
    if isinstance(layer, layers.Layer) and shapes
    for train in ((False, True) if layer.has_modes else (False,))
]


def run_layer(backend, layer, xs, train, to_device, to_host):
    """Everything that a layer answers on a backend, on the host."""
    modes = {"train": train, "rng": np.random.default_rng(3)} if layer.has_modes else {}
    with kernels.use(backend):
        layer = copy.copy(layer)
        layer.params = {name: to_device(a) for name, a in layer.params.items()}
        layer.buffers = {name: to_device(a) for name, a in layer.buffers.items()}
        outs, cache = layer.forward(*map(to_device, xs), **modes)
        outs = outs if isinstance(outs, tuple) else (outs,)
        rng = np.random.default_rng(4)
        douts = [to_device(rng.standard_normal(out.shape).astype(xs[0].dtype)) for out in outs]
        dxs, grads = layer.backward(tuple(douts) if len(douts) > 1 else douts[0], cache)
        dxs = dxs if isinstance(dxs, tuple) else (dxs,)
        return [to_host(a) for a in (*outs, *dxs, *grads.values(), *layer.buffers.values())]


@pytest.mark.parametrize(("layer", "shapes", "train"), LAYERS, ids=str)
def test_every_layer_computes_on_the_cards_arrays_what_it_computes_on_numpys(layer, shapes, train):
    layer = copy.copy(layer).init(0)
    xs = [np.random.default_rng(i).standard_normal(shape, dtype="float32") for i, shape in enumerate(shapes)]
    expected = run_layer("numpy", layer, xs, train, np.copy, np.copy)
    found = run_layer("cuda", layer, xs, train, cuda_cases.to_device, cuda_cases.to_host)
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected):
        close(got, wanted)


# Nets ------------------------------------------------------------------------------------------------------------


def branching(dropout=False):
    """Every kernel of the contract in one small net with two branches."""
    return Net(
        [
            ("conv1", Conv2d(3, 4, 3, pad=1)),
            ("bn1", BatchNorm2d(4)),
            ("relu1", ReLU()),
            ("lrn1", LRN(3, alpha=0.5)),
            ("pool1", MaxPool2d(3, stride=2, ceil_mode=True)),
            ("left", Conv2d(4, 4, 1), "pool1"),
            ("right", Conv2d(4, 4, 3, pad=1, groups=2, bias=False), "pool1"),
            ("sum", Add(), ("left", "right")),
            ("both", Concat(), ("sum", "pool1")),
            ("pool2", AvgPool2d(2, stride=1)),
            *([("drop", Dropout(0.5))] if dropout else []),
            ("conv2", Conv2d(8, 5, 3, stride=2)),
            ("relu2", ReLU()),
            ("pool3", GlobalAvgPool()),
            ("flat", Flatten()),
            ("fc", Linear(5, 6)),
            ("prob", Softmax()),
        ]
    ).init(seed=1)


def passes(net, x, dout, train=False):
    """(out, dx, grads) of a forward and a backward pass, on the net's own arrays."""
    out, tape = net.forward(x, train=train)
    return out, *net.backward(dout, tape)


def examples(dtype="float32", N=2):
    rng = np.random.default_rng(7)
    return rng.standard_normal((N, 3, 9, 8)).astype(dtype), rng.standard_normal((N, 6)).astype(dtype)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_net_on_the_card_says_what_it_says_on_the_reference(dtype, train):
    net = branching().astype(dtype)
    x, dout = examples(dtype)
    out, dx, grads = passes(net.to("numpy"), x, dout, train)
    there = net.to("cuda")
    found = passes(there, *map(cuda_cases.to_device, (x, dout)), train)
    close(cuda_cases.to_host(found[0]), out)
    close(cuda_cases.to_host(found[1]), dx)
    assert set(found[2]) == set(grads)
    for key, grad in grads.items():
        close(cuda_cases.to_host(found[2][key]), grad)


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="this process's Numba compiles for the card")
def test_a_net_on_the_simulator_says_what_it_says_on_the_reference():
    net = Net(
        [
            ("conv", Conv2d(1, 2, 3, pad=1)),
            ("relu", ReLU()),
            ("pool", MaxPool2d(2)),
            ("flat", Flatten()),
            ("fc", Linear(8, 3)),
            ("prob", Softmax()),
        ]
    ).init(seed=1)
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((1, 1, 4, 4), dtype="float32"), rng.standard_normal((1, 3), dtype="float32")
    for got, expected in zip(passes(net.to("cuda-sim"), x, dout)[:2], passes(net.to("numpy"), x, dout)[:2]):
        close(got, expected)


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="the stand-in counts copies")
@pytest.mark.parametrize("train", [False, True])
def test_nothing_is_copied_between_host_and_card_inside_a_pass(train):
    x, dout = examples()
    net = branching().to("cuda")
    there = [cuda_cases.to_device(a) for a in (x, dout)]
    before = dict(cupy_standin.copies)
    _, dx, _ = passes(net, *there, train)
    assert cupy_standin.copies == before
    cuda_cases.to_host(dx)
    assert cupy_standin.copies == {**before, "to_host": before["to_host"] + 1}


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="the stand-in counts copies")
def test_dropout_in_training_takes_its_one_mask_from_the_host():
    """It is drawn there, so that a seed means the same on every backend."""
    x, _ = examples()
    net, there = branching(dropout=True).to("cuda"), cuda_cases.to_device(x)
    before = dict(cupy_standin.copies)
    net.forward(there, train=True, rng=np.random.default_rng(0))
    assert cupy_standin.copies == {**before, "to_device": before["to_device"] + 1}


def test_a_net_goes_there_and_back_with_the_same_weights():
    net = branching()
    back = net.to("cuda").to("numpy")
    for key, array in net.state_dict().items():
        assert isinstance(back.state_dict()[key], np.ndarray)
        np.testing.assert_array_equal(back.state_dict()[key], array)


def test_weights_are_loaded_into_a_net_on_the_card():
    net, other = branching().to("cuda"), branching()
    state = {key: array + 1 for key, array in other.state_dict().items()}
    net.load_state_dict(state)
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(cuda_cases.to_host(array), state[key])


def test_a_net_of_the_card_is_saved_and_frozen(tmp_path):
    native.save(tmp_path / "net.safetensors", branching().to("cuda").freeze())
    read = native.read(tmp_path / "net.safetensors").tensors
    for key, array in branching().state_dict().items():
        np.testing.assert_array_equal(read[key], array)


@pytest.mark.skipif(cuda_cases.ON_CARD, reason="a real card's memory is left alone")
@pytest.mark.parametrize(("share", "images", "fits"), [(0.7, 8, True), (0.3, 8, False), (0.1, 1, False)])
def test_a_batch_that_does_not_fit_is_tried_in_halves_once(share, images, fits):
    """share: of the memory that 8 images take together."""
    net, (x, _) = branching(), examples(N=8)
    there, expected = net.to("cuda"), net.to("numpy")(x)
    pool = cupy_standin.get_default_memory_pool()

    def scores(x):
        return cuda_cases.to_host(there(cuda_cases.to_device(x)))

    pool.peak = used = pool.used_bytes()
    scores(x)
    pool.free_all_blocks()
    pool.set_limit(size=used + int(share * (pool.peak - used)))
    try:
        if fits:
            close(scores(x), expected)
        else:
            with pytest.raises(OutOfMemoryError, match="a smaller batch needs less"):
                scores(x[:images])
    finally:
        pool.set_limit(size=0)


def test_a_pass_is_recorded_as_a_graph():
    net = branching().to("cuda")
    x, dout = map(cuda_cases.to_device, examples())
    graph = Graph(lambda x: net.backward(dout, net.forward(x, once=True)[1], params=False)[0], x)
    y = cuda_cases.to_device(examples()[0] * 2 - 1)
    _, dx, _ = passes(net, y, dout)
    np.testing.assert_array_equal(cuda_cases.to_host(graph(y)), cuda_cases.to_host(dx))


def test_kernels_of_the_reference_are_those_that_the_net_calls():
    """That the net above has every kernel but the two that only the reference's convolution is made of."""
    called = set()
    spied = type(reference)("minicnn.kernels.reference")
    spied.__dict__.update(vars(reference))
    for name in cuda_cases.KERNELS:
        real = getattr(reference, name)
        setattr(spied, name, lambda *args, name=name, real=real: (called.add(name), real(*args))[1])
    with kernels.use(spied):
        passes(branching(), *examples(), train=True)
    assert called == set(cuda_cases.KERNELS) - {"im2col", "col2im"}


def test_the_net_that_ships_reads_a_digit_as_on_the_processor():
    net = minicnn.load("mnist-lenet")
    x = np.random.default_rng(0).random((1, *net.meta.input_size), dtype="float32")
    same_scores_and_gradient(net, x)


@pytest.mark.skipif(not cuda_cases.ON_CARD, reason="needs a card: the stand-in takes minutes")
@pytest.mark.parametrize("name", ["vgg16", "googlenet", "resnet50"])
def test_large_nets_say_on_the_card_what_they_say_on_the_processor(name):
    net = minicnn.build(name, seed=0)
    same_scores_and_gradient(net, np.random.default_rng(0).standard_normal((2, *net.meta.input_size), dtype="float32"))


def same_scores_and_gradient(net, x):
    """Scores to 1e-4 and the gradient of the largest to 1e-3 of their largest number."""
    answers = []
    for backend in ("numba", "cuda"):
        there, module = net.to(backend), kernels.get(backend)
        scores, tape = there.forward(module.to_device(x), until=net.scores, once=True)
        scores = module.to_host(scores)
        dout = (scores == scores.max(axis=1, keepdims=True)).astype("float32")
        dx, _ = there.backward(module.to_device(dout), tape, params=False)
        answers.append((scores, module.to_host(dx)))
    for cpu, card, tolerance in zip(*answers, (1e-4, 1e-3)):
        np.testing.assert_allclose(card, cpu, rtol=0, atol=tolerance * np.abs(cpu).max())


@pytest.mark.parametrize("rung", [name for _, name in cuda_cases.rungs("relu_backward")])
@pytest.mark.parametrize(("rule", "launches"), [(relu_deconvnet, 1), (relu_guided, 2)])
def test_the_rules_of_relu_are_launches_of_its_own_kernel(monkeypatch, rule, launches, rung):
    ran, found = [], LADDERS["relu_backward"].rungs[rung]
    run = lambda *args: (ran.append(rung), found.run(*args))  # noqa: E731
    monkeypatch.setitem(LADDERS["relu_backward"].rungs, rung, found._replace(run=run))
    x, dout = np.random.default_rng(0).standard_normal((2, 3, 5, 7), dtype="float32")
    dout[0, 0] = np.nan
    with kernels.use("cuda") as cuda, cuda_cases.use(relu_backward=rung):
        dx = cuda.to_host(rule(cuda.to_device(dout), ReLUCache(cuda.to_device(np.maximum(x, 0)))))
    passes = (dout > 0) & ((x > 0) | (rule is relu_deconvnet))
    np.testing.assert_array_equal(dx, np.where(passes, dout, np.float32(0)))
    assert len(ran) == launches


# The command line ------------------------------------------------------------------------------------------------


def printed(capsys, *argv):
    assert main([str(word) for word in argv]) == 0
    return capsys.readouterr().out


def test_a_digit_is_read_and_explained_on_the_card(tmp_path, capsys):
    draw_digit(3).save(tmp_path / "3.png")
    pictures = {}
    for backend in ("numba", "cuda"):
        folder = tmp_path / backend
        found = json.loads(printed(capsys, "predict", tmp_path / "3.png", "--backend", backend, "--json"))
        assert found["backend"] == backend and found["results"][0]["classes"][0]["class"] == 3
        printed(capsys, "vis", "deconvnet", tmp_path / "3.png", "--unit", "3", "--backend", backend, "--out", folder)
        (path,) = folder.glob("*.png")
        pictures[backend] = np.asarray(Image.open(path), float)
    assert np.abs(pictures["cuda"] - pictures["numba"]).max() <= 1


@pytest.mark.parametrize("layer", ["batch_norm2d"])
def test_gradients_are_checked_on_the_card(layer, capsys):
    assert "cuda backend, float64: all gradients are right" in printed(capsys, "gradcheck", layer, "--backend", "cuda")


def test_a_net_on_the_card_is_drawn_there():
    net = Net([("fc", Linear(3, 2))]).to("cuda").init(seed=1)
    expected = Net([("fc", Linear(3, 2))]).init(seed=1)
    np.testing.assert_array_equal(cuda_cases.to_host(net.state_dict()["fc.w"]), expected.state_dict()["fc.w"])
