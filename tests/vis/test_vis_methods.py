"""What every way of looking promises, and the ones that need no gradient."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import Net, vis
from minicnn.errors import UsageError
from minicnn.layers import Conv2d, Linear
from minicnn.vis import activations, filters
from minicnn.vis.units import Unit


@pytest.fixture(scope="module")
def net():
    net = minicnn.build("lenet_relu", seed=0)
    for name, array in net.state_dict().items():
        if name.endswith(".b"):
            array[:] = np.linspace(-0.1, 0.1, len(array))  # at black, all of a net without biases is at its kink
    return net


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((2, 1, 28, 28), np.float32)


def _parameters(name):
    return inspect.signature(getattr(vis, name)).parameters


def _call(name, net, x, unit, **options):
    arguments = {"x": x} if "x" in _parameters(name) else {}
    return getattr(vis, name)(net, **arguments, unit=unit, **options)


def test_the_methods_are_found_by_their_modules():
    folder = Path(inspect.getfile(vis)).parent
    expected = {p.stem for p in folder.glob("*.py") if f"def {p.stem}(" in p.read_text(encoding="utf-8")}
    assert set(vis.METHODS) == expected >= {"activations", "class_model", "compare", "filters", "gradient", "saliency"}
    assert {"deconvnet", "guided_backprop"} < expected


@pytest.mark.parametrize("name", vis.METHODS)
def test_the_protocol(name):
    function, module = getattr(vis, name), vis.METHODS[name]
    assert inspect.isfunction(function) and function.__module__ == module.__name__
    assert list(inspect.signature(module.picture).parameters) == ["result", "net", "x", "unit"]
    first = ast.get_docstring(ast.parse(inspect.getsource(module))).splitlines()[0]
    assert first.endswith(".") and len(first) < 100
    assert "\n\nThe picture: " in module.__doc__ and "\n\nCaveat: " in module.__doc__
    parameters = dict(_parameters(name))
    assert next(iter(parameters)) == "net"
    for special in ("net", "x", "unit", "progress"):
        parameters.pop(special, None)
    for option, parameter in parameters.items():
        assert parameter.annotation in (int, float, str, bool)
        assert isinstance(parameter.default, parameter.annotation)
        assert f"\n    {option} " in function.__doc__


@pytest.mark.parametrize("name", vis.METHODS)
def test_every_method_makes_a_picture(name, net, x):
    unit = "conv2" if name == "filters" else 3
    options = {"steps": 2} if name == "class_model" else {}
    before = x.copy()
    result = _call(name, net, x, unit, **options)
    for array in result.values() if isinstance(result, dict) else [result]:
        assert isinstance(array, np.ndarray) and array.dtype == np.float32
    picture = vis.METHODS[name].picture(result, net, x=x, unit=unit)
    assert picture.mode == "RGB" and min(picture.size) > 20
    assert len(np.unique(np.asarray(picture))) > 2
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", set(vis.METHODS) - {"filters"})
def test_a_frozen_net_on_a_chosen_backend(name, net, x):
    options = {"steps": 2} if name == "class_model" else {}
    frozen = net.to("numpy").freeze()
    result = _call(name, frozen, x, 3, **options)
    expected = _call(name, net, x, 3, **options)
    if not isinstance(result, dict):
        result, expected = {"": result}, {"": expected}
    for key in expected:
        np.testing.assert_allclose(result[key], expected[key], rtol=0, atol=1e-4 * np.abs(expected[key]).max())


def test_activations_are_the_layers_outputs(net, x):
    np.testing.assert_array_equal(activations(net, x, "relu_conv1"), np.maximum(net(x, until="conv1"), 0))
    np.testing.assert_array_equal(activations(net, x, "conv1:7"), net(x, until="conv1")[:, 7:8])
    scores = activations(net, x, "ip2")
    assert scores.shape == (2, 10, 1, 1)
    np.testing.assert_array_equal(scores[..., 0, 0], net(x, until="ip2"))
    with pytest.raises(UsageError, match="conv1:7:1,1: activations are of whole channels"):
        activations(net, x, "conv1:7:1,1")


def test_filters_are_the_weights(net):
    np.testing.assert_array_equal(filters(net), net["conv1"].layer.params["w"])
    np.testing.assert_array_equal(filters(net, "conv2"), net["conv2"].layer.params["w"])
    np.testing.assert_array_equal(filters(net, "conv2:4"), net["conv2"].layer.params["w"][4:5])
    np.testing.assert_array_equal(filters(net, Unit("conv2", 4)), net["conv2"].layer.params["w"][4:5])


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("relu1", "relu1 has no filters; these have: conv1, conv2"),
        ("ip1", "ip1 has no filters; these have: conv1, conv2"),
        ("conv1:1:2,3", "conv1:1:2,3 has no filters"),
        ("conv2:50", "conv2:50: filter 50 of 0 to 49"),
    ],
)
def test_what_has_no_filters(net, unit, message):
    with pytest.raises(UsageError, match=message):
        filters(net, unit)


def test_a_net_without_filters():
    with pytest.raises(UsageError, match="this net has no filters; these have: none"):
        filters(Net([("fc", Linear(3, 2))]).init(0))


def test_first_filters_are_coloured_in_the_nets_order():
    net = Net([("conv", Conv2d(3, 1, 1))])
    net.load_state_dict({"conv.w": np.reshape([2, 0, -2], (1, 3, 1, 1)), "conv.b": np.zeros(1)})
    picture = np.asarray(vis.METHODS["filters"].picture(filters(net), net))
    assert tuple(picture[-5, 5]) == (255, 128, 0)  # red is raised, green left, blue held back


def test_higher_filters_are_a_row_of_greys_each():
    net = Net([("a", Conv2d(1, 2, 1)), ("b", Conv2d(2, 2, 1))])
    net.init(0).load_state_dict({"b.w": np.reshape([4, -2, 0, 1], (2, 2, 1, 1))}, strict=False)
    picture = np.asarray(vis.METHODS["filters"].picture(filters(net, "b"), net, unit="b"))
    rows = picture[-12:, :]  # two rows of tiles of 5 and a gap of 1
    assert [int(rows[3, c, 0]) for c in (3, 9)] == [255, 64]  # 4/4 and -2/4 of the row's scale
    assert [int(rows[9, c, 0]) for c in (3, 9)] == [128, 255]  # 0 and 1/1


def test_a_net_without_meta_still_shows_gradients():
    net = Net([("conv", Conv2d(3, 2, 3))]).init(0)
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    result = vis.gradient(net, x, "conv:1")
    assert vis.METHODS["gradient"].picture(result, net, x=x, unit="conv:1").width > 7
