"""Maximise: closed forms on linear nets, a plain-loop twin of the tidying, gradients, grids, films and Ctrl-C."""

from dataclasses import replace

import numpy as np
import pytest

import minicnn
from minicnn import Net, vis
from minicnn.errors import ImageError, MinicnnError, UnknownNameError, UsageError
from minicnn.layers import Conv2d, Flatten, Linear, ReLU
from minicnn.meta import Meta
from minicnn.vis import maximise
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.search.ascent import Ascent
from minicnn.vis.search.objectives import ask, find_objective
from minicnn.vis.search.recipes import RECIPES, find_recipe
from minicnn.vis.units import Unit

W = np.random.default_rng(4).standard_normal((3, 12))
S = np.repeat([4, 2, 0.5], 4)  # range / std of the linear net, a value a pixel
META = Meta("none", (3, 2, 2), "RGB", 2.0, (0.1, 0.2, 0.3), (0.5, 1.0, 4.0), "squash", 2)


def _linear_net():
    """score = W x + b, so that d score / dI = S * W[k] everywhere."""
    net = Net([("flat", Flatten()), ("fc", Linear(12, 3))], meta=META).astype("float64")
    net.load_state_dict({"fc.w": W, "fc.b": np.ones(3)})
    return net


def _conv_net(order="RGB"):
    meta = Meta("none", (3, 8, 7), order, 1.0, (0.5, 0.45, 0.4), (0.2, 0.25, 0.3), "squash", 8)
    return Net([("conv", Conv2d(3, 4, 3)), ("relu", ReLU())], meta=meta).init(3).astype("float64")


@pytest.fixture(scope="module")
def lenet():
    """Random weights and biases: without these, black is where all ReLUs are at their kink."""
    net, rng = minicnn.build("lenet_relu", seed=2), np.random.default_rng(2)
    for name, array in net.state_dict().items():
        if name.endswith(".b"):
            array[:] = rng.standard_normal(array.shape) / 10
    return net


def _one(films):
    ((label, film),) = films.items()
    return label, film


# The table ------------------------------------------------------------------------------------------------------------


def test_the_four_recipes_are_the_papers():
    # Yosinski et al. 2015, table 1: decay, blur width, blur every, norm percentile, contribution percentile.
    paper = [(0, 0.5, 4, 50, 0), (0.3, 0, 0, 20, 0), (0.0001, 1.0, 4, 0, 0), (0, 0.5, 4, 0, 90)]
    for k, numbers in enumerate(paper, 1):
        r = RECIPES[f"yosinski_{k}"]
        assert (r.decay, r.blur, r.blur_every, r.clip_norm, r.clip_contribution) == numbers


def test_recipes_are_changed_by_what_is_given():
    recipe = find_recipe("olah", steps=7, jitter=0, rate=-1, space="", penalty=-1.0)
    assert recipe == replace(RECIPES["olah"], steps=7, jitter=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0, expected 1 or more"),
        ({"rate": 0.0}, "rate is 0.0, expected a number above 0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"penalty": -2.0}, "penalty is -2.0, expected 0 or more"),
        ({"recipe": "simonyan", "penalty": 2.5}, "penalty is 2.5, expected below 2.5, half a step"),
        ({"decay": 1.0}, "decay is 1.0, expected 0 to below 1"),
        ({"clip_norm": 101.0}, "clip_norm is 101.0, expected 0 to 100"),
        ({"jitter": 2.0}, "jitter is 2.0, expected 0 to 1"),
        ({"zoom": 1.0}, "zoom is 1.0, expected 0 to below 1"),
        ({"blur": 1.0}, "blur is 1.0 and blur_every 0, expected both above 0 or neither"),
        ({"seeds": 0}, "seeds is 0, expected 1 or more"),
        ({"frames": 0}, "frames is 0, expected 1 or more"),
    ],
)
def test_numbers_that_make_no_sense(changes, message):
    with pytest.raises(UsageError, match=message):
        maximise(_linear_net(), 1, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "yosinski_5"}, "no recipe 'yosinski_5'; did you mean yosinski_"),
        ({"recipe": "olah, "}, "no recipe ''"),
        ({"space": "wavelets"}, "no space 'wavelets'; there are pixels, fourier"),
        ({"start": "grey"}, "no start 'grey'; there are zeros, noise"),
        ({"objective": "median"}, "no objective 'median'"),
    ],
)
def test_words_that_are_not_there(changes, message):
    with pytest.raises(UnknownNameError, match=message):
        maximise(_linear_net(), 1, **changes)


# The ascent -----------------------------------------------------------------------------------------------------------


def test_simonyan_on_a_linear_net():
    # I <- I + rate * (S W - 2 * penalty * I) from 0 sums to a geometric series; x = S I.
    series = (1 - (1 - 2 * 0.3 * 0.05) ** 7) / (2 * 0.05)
    label, film = _one(maximise(_linear_net(), 1, recipe="simonyan", steps=7, rate=0.3, penalty=0.05))
    assert label == "fc:1" and film.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(film.ravel(), S * series * S * W[1], rtol=1e-12)


def test_simonyan_is_class_model(lenet):
    expected = vis.class_model(lenet, 4, steps=5)
    found = _one(maximise(lenet, 4, recipe="simonyan", steps=5))[1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_normed_steps_have_one_length():
    g = S * W[2]
    options = {"recipe": "robust", "start": "zeros", "steps": 3, "rate": 0.001}
    film = _one(maximise(_linear_net(), 2, **options))[1]
    np.testing.assert_allclose(film.ravel(), S * 3 * 0.001 * g / np.sqrt(np.mean(g**2)), rtol=1e-10)


def test_penalties_of_normed_steps_weigh_alike_whatever_the_unit():
    # From 0: a step of rate * g / rms(g), then one that both penalties shorten, g as it was.
    options = {"recipe": "robust", "start": "zeros", "steps": 2, "rate": 0.01, "penalty": 0.5, "variation": 2.0}
    g = (S * W[2]).reshape(3, 2, 2)
    g, L = g / np.sqrt(np.mean(g**2)), 2 * np.array([[1, -1], [-1, 1]])
    first = 0.01 * g
    expected = first + 0.01 * (g - 0.5 * 2 * first - 2 * (L @ first + first @ L))
    for factor in (1, 1000):
        net = _linear_net()
        net.load_state_dict({"fc.w": factor * W, "fc.b": np.ones(3)})
        film = _one(maximise(net, 2, **options))[1]
        np.testing.assert_allclose(film.ravel(), S * expected.ravel(), rtol=1e-10)


def test_a_price_on_variation_makes_smooth_pictures():
    # 60 steps at a recipe's own weight, and without: what is left of the differences between neighbours.
    net, rough = _conv_net(), {}
    for weight in (0.0, RECIPES["variation"].variation):
        film = _one(maximise(net, "conv:1", recipe="variation", steps=60, variation=weight, jitter=0.0))[1]
        image = film / (1 / np.reshape(net.meta.std, (3, 1, 1)))
        rough[weight] = sum(np.square(np.diff(image, axis=axis)).mean() for axis in (2, 3))
    assert rough[RECIPES["variation"].variation] < 0.25 * rough[0.0]


def test_clip_stays_between_black_and_white():
    film = _one(maximise(_linear_net(), 2, recipe="robust", start="zeros", steps=60, rate=5.0))[1]
    black = -np.repeat([0.1, 0.2, 0.3], 4) / np.repeat([0.5, 1.0, 4.0], 4)
    np.testing.assert_allclose(film.ravel(), np.where(W[2] > 0, black + S, black), atol=1e-12)


def test_the_tidying_by_a_plain_loop():
    """Decay, then blur, then both clips, after each step, as the paper's r_theta."""
    recipe = replace(RECIPES["yosinski_1"], start="zeros", climb="plain", rate=0.1, decay=0.25, blur_every=2)
    recipe = replace(recipe, clip_norm=30, clip_contribution=30, blur=0.4)
    g, image = (S * W[0]).reshape(3, 2, 2), np.zeros((3, 2, 2))
    # It reaches two pixels; of a row of two, mirrored, those are the pixel, itself and the other, twice the other.
    near, far, further = (np.exp(-k * k / (2 * 0.4**2)) for k in range(3))
    whole = near + 2 * far + 2 * further
    same, other = (near + far) / whole, (far + 2 * further) / whole
    mix = np.array([[same, other], [other, same]])
    for step in range(1, 6):
        image = (image + 0.1 * g) * 0.75
        if step % 2 == 0:
            image = mix @ image @ mix.T
        norms = np.sqrt((image**2).sum(axis=0))
        image = np.where(norms < np.percentile(norms, 30), 0, image)
        worth = np.abs((image * g).sum(axis=0))
        image = np.where(worth < np.percentile(worth, 30), 0, image)
    ascent = Ascent(_linear_net(), Unit("fc", 0), "mean", recipe)
    for _ in range(5):
        ascent.step()
    np.testing.assert_allclose(ascent.image().ravel(), S * image.ravel(), rtol=1e-10, atol=1e-12)


def test_the_penalties_pull():
    options = {"recipe": "simonyan", "steps": 150, "rate": 0.05}
    small = _one(maximise(_linear_net(), 1, **options, penalty=1.0))[1]
    flat = _one(maximise(_linear_net(), 1, **options, penalty=1.0, variation=4.0))[1]
    np.testing.assert_allclose(small.ravel(), S * S * W[1] / 2, rtol=1e-6)
    # With both, the slope is zero where S W = 2 I + 4 * (L I + I L), L the squared differences of two pixels.
    image, L = flat.reshape(3, 2, 2) / S.reshape(3, 2, 2), 2 * np.array([[1, -1], [-1, 1]])
    np.testing.assert_allclose(2 * image + 4 * (L @ image + image @ L), (S * W[1]).reshape(3, 2, 2), atol=1e-6)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("objective", ["mean", "strongest", "norm"])
def test_the_gradient_through_all_of_it(order, objective):
    """Waves, colours, sigmoid, penalties, shift, scale and turn: a plain step is rate times the slope of all."""
    recipe = replace(RECIPES["olah"], climb="plain", rate=1e-9, penalty=0.3, variation=0.2, jitter=0.3, turn=20)
    net, unit = _conv_net(order), Unit("conv", 2)

    def ascent():
        return Ascent(net, unit, objective, recipe, seed=5)

    def total(params):
        trial = ascent()
        trial.params[...] = params
        trial.current = trial._read()
        image = trial.current[0]
        tv = ((image[..., 1:] - image[..., :-1]) ** 2).sum() + ((image[:, :, 1:] - image[:, :, :-1]) ** 2).sum()
        return trial.step() - 0.3 * (image**2).sum() - 0.2 * tv

    one = ascent()
    before = one.params.copy()
    one.step()
    slope = (one.params - before) / 1e-9
    for seed in range(3):
        way = np.random.default_rng(seed).standard_normal(before.shape) * 1e-4
        expected = total(before + way) - total(before - way)
        assert 2 * (slope * way).sum() == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_sigmoid_never_leaves_black_to_white():
    net = _conv_net()
    film = _one(maximise(net, "conv:1", steps=60, rate=0.5))[1]
    mean, std = np.reshape(net.meta.mean, (3, 1, 1)), np.reshape(net.meta.std, (3, 1, 1))
    pixels = film * std + mean
    assert pixels.min() >= 0 and pixels.max() <= 1 and pixels.min() < 0.05 and pixels.max() > 0.95


# Nets of 224 pixels are certain after short steps; this one's scores, of random weights, need longer ones.
_LONGER = {"yosinski_2": {"rate": 0.1}, "yosinski_4": {"rate": 0.02}, "variation": {"rate": 0.02, "variation": 0.1}}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_raises_its_unit(recipe, lenet):
    film = _one(maximise(lenet, 3, recipe=recipe, steps=25, frames=2, **_LONGER.get(recipe, {})))[1]
    assert film.dtype == np.float32 and film.shape == (2, 1, 28, 28)
    before, after = lenet(film, until="ip2")[:, 3]
    assert after > before + 1


@pytest.mark.parametrize("unit", ["conv2:7:3,4", "conv2:7", "conv2", "relu_conv1:3", "ip1", "5", 5, Unit("ip2", 5)])
def test_every_kind_of_unit(backend, lenet, unit):
    from minicnn.vis.units import find_unit

    u = find_unit(lenet, unit)
    films = maximise(lenet, unit, recipe="robust", steps=8, frames=2)
    out = lenet(_one(films)[1], until=u.layer)
    values = [ask(out[k : k + 1], u, find_objective("", u))[0] for k in range(2)]
    assert values[1] > values[0]


# Objectives -----------------------------------------------------------------------------------------------------------


def test_objectives_by_hand():
    out = np.array([[[1.0, -2.0], [3.0, 3.0]], [[0.0, 5.0], [-1.0, 0.0]]])[None]
    one = np.zeros_like(out)
    one[0, 0, 1, 0] = 1
    assert ask(out, Unit("a", 0), "mean")[0] == 1.25
    np.testing.assert_array_equal(ask(out, Unit("a", 0), "mean")[1][0], [[[0.25] * 2] * 2, [[0] * 2] * 2])
    value, dout = ask(out, Unit("a", 0), "strongest")  # the first of two
    assert value == 3
    np.testing.assert_array_equal(dout, one)
    value, dout = ask(out, Unit("a"), "norm")
    assert value == (1 + 4 + 9 + 9 + 25 + 1) / 2
    np.testing.assert_array_equal(dout, out)
    for objective in ("mean", "strongest"):
        value, dout = ask(out, Unit("a", 0, (1, 0)), objective)
        assert value == 3
        np.testing.assert_array_equal(dout, one)
    assert ask(np.array([[2.0, 7.0]]), Unit("fc", 1), "mean")[0] == 7


def test_the_usual_objectives():
    assert [find_objective("", Unit("a", *rest)) for rest in ((), (1,), (1, (0, 0)))] == ["norm", "mean", "mean"]
    assert find_objective("strongest", Unit("a")) == "strongest"


# Starts, grids and films ----------------------------------------------------------------------------------------------


def test_it_starts_from_photos(lenet):
    x = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    for recipe in ("robust", "simonyan"):
        films = maximise(lenet, 3, x, recipe=recipe, steps=4, frames=2)
        assert list(films) == ["photo 0", "photo 1"]
        for k in range(2):
            np.testing.assert_allclose(films[f"photo {k}"][0], x[k], atol=1e-6)
            assert np.abs(films[f"photo {k}"][1] - x[k]).max() > 1e-3
    np.testing.assert_allclose(_one(maximise(lenet, 3, x[:1] * 0.9 + 0.05, steps=1, frames=2))[1][0], x[0] * 0.9 + 0.05,
                               atol=1e-5)  # fmt: skip
    with pytest.raises(ImageError):
        maximise(lenet, 3, np.full((1, 1, 28, 28), np.nan, np.float32))


def test_a_grid_of_units_recipes_and_seeds(lenet):
    options = {"steps": 3, "frames": 2}
    films = maximise(lenet, "3; conv2:7", recipe="olah, robust", seeds=2, **options)
    assert list(films) == [f"{u}, {r}, seed {s}" for u in ("3", "conv2:7") for r in ("olah", "robust") for s in (0, 1)]
    # Each is what it is alone.
    alone = maximise(lenet, "conv2:7", recipe="olah", seed=1, **options)
    assert list(alone) == ["conv2:7"]
    np.testing.assert_array_equal(films["conv2:7, olah, seed 1"], alone["conv2:7"])
    assert not np.array_equal(films["conv2:7, olah, seed 0"], alone["conv2:7"])
    assert list(maximise(lenet, [3, Unit("conv2", 7)], **options)) == ["3", "conv2:7"]


def test_two_classes_of_one_name(lenet):
    lenet = Net([(n.name, n.layer, n.inputs) for n in lenet.nodes], meta=replace(lenet.meta, classes=("crane",) * 10))
    assert list(maximise(lenet, "2;3", steps=1)) == ["crane (ip2:2)", "crane (ip2:3)"]


def test_the_film_of_an_ascent(lenet):
    whole = _one(maximise(lenet, 3, steps=6, frames=7))[1]
    assert len(whole) == 7
    np.testing.assert_array_equal(_one(maximise(lenet, 3, steps=6, frames=4))[1], whole[::2])
    np.testing.assert_array_equal(_one(maximise(lenet, 3, steps=6))[1], whole[6:])
    assert len(_one(maximise(lenet, 3, steps=2, frames=9))[1]) == 3  # no more than there are
    films = maximise(lenet, "3;4", steps=6, frames=4)
    frames = vis.METHODS["maximise"].film(films, lenet)
    assert len(frames) == 4 and len({frame.size for frame in frames}) == 1
    strip = vis.METHODS["maximise"].picture(films, lenet)
    last = vis.METHODS["maximise"].picture({k: film[-1:] for k, film in films.items()}, lenet)
    assert strip.width > 4 * 112 and strip.height > 2 * 112 and last.width < strip.width
    np.testing.assert_array_equal(frames[-1], last)


def test_pictures_in_range_are_shown_as_they_are():
    net = _conv_net("BGR")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 7)) / 255
    x = (pixels - np.reshape(net.meta.mean, (3, 1, 1))) / np.reshape(net.meta.std, (3, 1, 1))
    shown = vis.METHODS["maximise"]._shown(net, x)
    np.testing.assert_array_equal(shown, np.round(pixels[:, ::-1].transpose(0, 2, 3, 1) * 255))
    # Beyond black and white: mid-grey is the mean colour, on the last image's scale.
    x[1, 0, 0, 0] = 50
    shown = vis.METHODS["maximise"]._shown(net, x * 0 + np.reshape([[0], [50]], (2, 1, 1, 1)))
    assert (shown[0] == 128).all() and shown[1].max() == 255
    # Pale: likewise, here of 0.1 of the contrast all over.
    shown = vis.METHODS["maximise"]._shown(net, (x[:1] * 0 + 0.1) / np.reshape(net.meta.std, (3, 1, 1)))
    assert (shown == 255).all()


def test_interrupted_it_keeps_what_it_has(monkeypatch, lenet):
    expected = maximise(lenet, "3;4", steps=3, frames=4)
    net = Net([(n.name, n.layer, n.inputs) for n in lenet.nodes], meta=lenet.meta)
    passes, backward = [], net.backward

    def interrupted(*args, **kwargs):
        passes.append(1)
        if len(passes) == 6:
            raise KeyboardInterrupt
        return backward(*args, **kwargs)

    monkeypatch.setattr(net, "backward", interrupted)
    with pytest.warns(StoppedEarly, match="maximise: interrupted, this is the result so far"):
        films = maximise(net, "3;4;5", steps=3, frames=4)
    assert list(films) == ["3", "4"]
    np.testing.assert_array_equal(films["3"], expected["3"])
    np.testing.assert_array_equal(films["4"], expected["4"][:3])
    assert vis.METHODS["maximise"].picture(films, net).width > 4 * 112


def test_no_slope_is_searched_for_at_random():
    # relu(x - 3/10) of one pixel, or not at all: the noise finds the first, never the second.
    meta = Meta("none", (1, 1, 1), "L", 1.0, (0.5,), (1.0,), "squash", 1)
    net = Net([("conv", Conv2d(1, 1, 1)), ("relu", ReLU())], meta=meta)
    net.load_state_dict({"conv.w": np.ones((1, 1, 1, 1), np.float32), "conv.b": np.full(1, -0.1, np.float32)})
    film = _one(maximise(net, "relu:0", recipe="robust", start="zeros", steps=100))[1]
    assert film[0, 0, 0, 0] == pytest.approx(0.5)
    net.load_state_dict({"conv.w": np.zeros((1, 1, 1, 1), np.float32), "conv.b": np.full(1, -0.1, np.float32)})
    with pytest.raises(MinicnnError, match="relu:0 does not change with the image around the start"):
        maximise(net, "relu:0", steps=5)


def test_a_net_without_meta():
    net = _linear_net()
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        maximise(net, "fc:1")


@pytest.mark.data
@pytest.mark.parametrize("recipe", ["yosinski_1", "yosinski_2", "yosinski_3", "yosinski_4", "variation"])
def test_googlenets_flamingo_by_every_recipe(googlenet, recipe):
    x = _one(maximise(googlenet, "flamingo", recipe=recipe, steps=30))[1]
    assert googlenet(x)[0, 130] > 0.9


@pytest.mark.data
def test_googlenet_classes_reach_99_percent(googlenet):
    for name, number in (("flamingo", 130), ("goldfish", 1)):
        x = _one(maximise(googlenet, name, steps=20))[1]
        assert googlenet(x)[0, number] > 0.99
