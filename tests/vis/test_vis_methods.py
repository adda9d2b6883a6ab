"""What every way of looking promises, and the ones that need no gradient."""

import ast
import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import Net, vis
from minicnn.errors import UsageError
from minicnn.layers import Conv2d, Linear
from minicnn.vis import activations, filters, inputs
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


def _needs_more(name):
    """True where net, x and unit are not enough, or an optional library may be needed: its own file tests it."""
    more = {key for key, p in _parameters(name).items() if p.default is p.empty} - {"net", "x", "unit"}
    return bool(more) or "extras" in Path(vis.METHODS[name].__file__).read_text(encoding="utf-8")


PLAIN = [name for name in vis.METHODS if not _needs_more(name)]
# What takes many steps takes two here.
_REPEATED = ("steps", "iterations", "generations")


def _call(name, net, x, units=(3, "conv2")):
    """(result, unit), the first unit that the method takes: a class, or a layer where it has to be one."""
    known = _parameters(name)
    given = {"x": x} if "x" in known else {}
    given.update(dict.fromkeys(set(_REPEATED) & set(known), 2))
    if "unit" not in known:
        return getattr(vis, name)(net, **given), None
    try:
        return getattr(vis, name)(net, **given, unit=units[0]), units[0]
    except UsageError:
        if len(units) == 1:
            raise
        return _call(name, net, x, units[1:])


def _arrays(result):
    """Every array of floats in a result, whatever holds them."""
    if isinstance(result, np.ndarray):
        return [result] if result.dtype.kind == "f" else []
    if dataclasses.is_dataclass(result):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if isinstance(result, dict):
        result = list(result.values())
    return [array for part in result for array in _arrays(part)] if isinstance(result, (list, tuple)) else []


def test_the_methods_are_found_by_their_modules():
    folder = Path(inspect.getfile(vis)).parent
    texts = {p.stem: p.read_text(encoding="utf-8") for p in folder.glob("*.py")}
    expected = {stem for stem, text in texts.items() if f"def {stem}(" in text and "def picture(" in text}
    assert expected - {"deconvnet", "guided_backprop", "gradient"} <= set(vis.METHODS) <= set(texts)
    assert {"activations", "class_model", "compare", "filters", "gradient", "saliency"} <= set(vis.METHODS)
    assert {"deconvnet", "guided_backprop"} < set(vis.METHODS)
    assert {"filters", "saliency", "class_model"} <= set(PLAIN)


@pytest.mark.parametrize("name", vis.METHODS)
def test_the_protocol(name):
    function, module = getattr(vis, name), vis.METHODS[name]
    assert inspect.isfunction(function) and function.__module__ == module.__name__
    for shows in (module.picture, getattr(module, "film", module.picture)):
        assert list(inspect.signature(shows).parameters) == ["result", "net", "x", "unit"]
    first = ast.get_docstring(ast.parse(inspect.getsource(module))).splitlines()[0]
    assert first.endswith(".") and len(first) < 100
    assert "\n\nThe picture: " in module.__doc__ and "\n\nCaveat: " in module.__doc__
    parameters = dict(_parameters(name))
    assert next(iter(parameters)) == "net"
    for special in ("net", "x", "unit", "progress"):
        parameters.pop(special, None)
    for option, parameter in parameters.items():
        if parameter.annotation is parameter.empty:
            assert parameter.default is None, f"{option}: no annotation is for Python alone, with the default None"
        elif parameter.annotation not in (inputs.Images, inputs.Pictures):
            assert parameter.annotation in (int, float, str, bool)
            assert isinstance(parameter.default, parameter.annotation)
        assert option == "seed" or f"\n    {option} " in function.__doc__
    assert isinstance(getattr(module, "SIZE", 1), int)


@pytest.mark.parametrize("name", PLAIN)
def test_every_method_makes_a_picture(name, net, x):
    before = x.copy()
    result, unit = _call(name, net, x)
    assert _arrays(result)
    for array in _arrays(result):
        assert np.isfinite(array).all()
    made = vis.METHODS[name].picture(result, net, x=x, unit=unit)
    for part, picture in made if isinstance(made, list) else [("", made)]:
        assert isinstance(part, str) and picture.mode == "RGB" and min(picture.size) > 20
        assert len(np.unique(np.asarray(picture))) > 2
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", PLAIN)
def test_a_frozen_net_on_a_chosen_backend(name, net, x):
    result, unit = _call(name, net.to("numpy").freeze(), x)
    expected, same_unit = _call(name, net, x)
    assert unit == same_unit
    for found, right in zip(_arrays(result), _arrays(expected), strict=True):
        # What is drawn and chosen from, or climbed for many steps, may differ in the last bit, and so in all.
        if {"seed", "learning_rate"} & set(_parameters(name)):
            assert found.shape == right.shape
            continue
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-4 * max(np.abs(right).max(), 1e-30))


def test_activations_are_the_layers_outputs(net, x):
    out, channels = activations(net, x, "relu_conv1")
    np.testing.assert_array_equal(out, np.maximum(net(x, until="conv1"), 0))
    np.testing.assert_array_equal(channels, [range(20)] * 2)
    out, channels = activations(net, x, "conv1:7")
    np.testing.assert_array_equal(out, net(x, until="conv1")[:, 7:8])
    np.testing.assert_array_equal(channels, [[7], [7]])
    scores = activations(net, x, "ip2").out
    assert scores.shape == (2, 10, 1, 1)
    np.testing.assert_array_equal(scores[..., 0, 0], net(x, until="ip2"))
    with pytest.raises(UsageError, match="conv1:7:1,1: activations are of whole channels"):
        activations(net, x, "conv1:7:1,1")
    with pytest.raises(UsageError, match="order is 'size', expected number or strongest"):
        activations(net, x, "conv1", order="size")


def test_activations_sorted_by_their_largest_value(net, x):
    whole = net(x, until="conv1")
    out, channels = activations(net, x, "conv1", order="strongest")
    for n in range(2):
        largest = {c: max(whole[n, c].ravel().tolist()) for c in range(20)}
        assert channels[n].tolist() == sorted(largest, key=largest.get, reverse=True)
        np.testing.assert_array_equal(out[n], whole[n][channels[n]])
    assert channels[0].tolist() != channels[1].tolist()


def test_equal_activations_stay_in_order():
    net = Net([("conv", Conv2d(1, 3, 1))])
    net.load_state_dict({"conv.w": np.reshape([1, 2, 1], (3, 1, 1, 1)), "conv.b": np.zeros(3)})
    assert activations(net, np.ones((1, 1, 2, 2), np.float32), "conv", "strongest").channels.tolist() == [[1, 0, 2]]


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
    assert tuple(picture[-10, 10]) == (255, 128, 0)  # red is raised, green left, blue held back


def test_higher_filters_are_a_grid_of_greys_each():
    net = Net([("a", Conv2d(1, 4, 1)), ("b", Conv2d(4, 2, 1))])
    weights = np.reshape([4, -2, 0, 2, 0, 0, 0, -1], (2, 4, 1, 1))
    net.init(0).load_state_dict({"b.w": weights}, strict=False)
    picture = np.asarray(vis.METHODS["filters"].picture(filters(net, "b"), net, unit="b"))[..., 0].astype(int)
    # Below a title and a number each: two filters of 2 x 2 tiles of 32 pixels with gaps of 1 between them.
    side, gap = 32, 1
    block = 2 * side + gap
    assert picture.shape[1] == 3 * 6 + 2 * block
    found = []
    for left in (6, 2 * 6 + block):
        for row in range(2):
            for column in range(2):
                y = picture.shape[0] - 6 - block + row * (side + gap)
                tile = picture[y : y + side, left + column * (side + gap) :][:, :side]
                assert tile.min() == tile.max()
                found.append(tile.min())
    assert found == [255, 64, 128, 192, 128, 128, 128, 0]  # each filter's scale ends at its own largest weight


def test_the_filters_that_fit_are_shown():
    net = Net([("a", Conv2d(3, 300, 3)), ("b", Conv2d(300, 2000, 3))]).init(0)
    picture = vis.METHODS["filters"].picture(filters(net, "b"), net, unit="b")
    assert picture.width * picture.height < 6e6 and min(picture.size) > 1000


def test_a_net_without_meta_still_shows_gradients():
    net = Net([("conv", Conv2d(3, 2, 3))]).init(0)
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    result = vis.gradient(net, x, "conv:1")
    assert vis.METHODS["gradient"].picture(result, net, x=x, unit="conv:1").width > 7
