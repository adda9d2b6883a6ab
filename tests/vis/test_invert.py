"""Inversions: the energy by loops, the descent on nets whose codes have a closed form, layers, seeds and Ctrl-C."""

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import MinicnnError, UnknownNameError, UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.layers import Add, Conv2d, Flatten, Linear, ReLU, Softmax
from minicnn.meta import Meta
from minicnn.vis import METHODS, invert
from minicnn.vis.invert import trunk, usual_variation
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.search.code_descent import Code, Descent, Terms
from minicnn.vis.units import Unit

META = Meta("none", (3, 4, 5), "RGB", 2.0, (0.1, 0.2, 0.3), (0.5, 1.0, 4.0), "squash", 5)
SCALE = np.reshape([4, 2, 0.5], (3, 1, 1))  # range / std
FREE = {"bound": np.inf, "variation": np.inf}  # nothing but the code


def _net(dtype="float64"):
    nodes = [("conv", Conv2d(3, 4, 3, pad=1)), ("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(80, 7))]
    net = Net([*nodes, ("prob", Softmax())], meta=META).init(3).astype(dtype)
    return net.to("numpy") if dtype == "float64" else net  # threads would cost so small a net more than they save


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 3, 4, 5)) * SCALE * 0.3


def _energy(net, layer, image, target, alpha, bound, beta, variation):
    """E of the page, y and its lambdas as they stand there, for one image (C, H, W), by loops."""
    C, H, W = image.shape
    s = 0.27 * np.sqrt(C * H * W)
    lambda_a = s**alpha / (C * H * W * bound**alpha)
    lambda_v = s**beta / (H * W * variation**beta)
    y = image / SCALE / s
    code, found = net(target[None], until=layer), net(image[None], until=layer)
    E = sum((a - b) ** 2 for a, b in zip(code.ravel(), found.ravel())) / sum(a**2 for a in code.ravel())
    for c, i, j in np.ndindex(C, H, W):
        E += lambda_a * abs(y[c, i, j]) ** alpha
        down = y[c, i + 1, j] - y[c, i, j] if i + 1 < H else 0
        right = y[c, i, j + 1] - y[c, i, j] if j + 1 < W else 0
        E += lambda_v * (down**2 + right**2) ** (beta / 2)
    return E


@pytest.mark.parametrize("layer", ["conv", "relu", "fc"])
def test_the_energy_and_its_slope(layer, x):
    net, image = _net(), np.random.default_rng(1).standard_normal((2, 3, 4, 5)) * SCALE * 0.2
    options = {"alpha": 6.0, "bound": 0.4, "beta": 1.5, "variation": 0.3}
    descent = Descent(Code(net, Unit(layer), x), Terms(**options), image / SCALE, 0.9, 0.01)
    energy, _, slope = descent.look()
    for n in range(2):
        np.testing.assert_allclose(energy[n], _energy(net, layer, image[n], x[n], **options), rtol=1e-10)
        for at in [(0, 0, 0), (1, 3, 4), (2, 2, 1)]:
            step = np.zeros((3, 4, 5))
            step[at] = 1e-6
            up, down = (_energy(net, layer, image[n] + sign * step * SCALE, x[n], **options) for sign in (1, -1))
            np.testing.assert_allclose(slope[n][at], (up - down) / 2e-6, rtol=1e-5, atol=1e-8)


def test_momentum_step_by_step(x):
    """Three steps against the formula, with the energy's slope by differences."""
    net, options = _net(), {"alpha": 6.0, "bound": 0.4, "beta": 2.0, "variation": 0.3}
    s = 0.27 * np.sqrt(60)
    noise = np.random.default_rng(7).standard_normal((3, 4, 5))
    y = noise / np.sqrt((noise**2).sum())
    v = np.zeros_like(y)
    for _ in range(3):
        slope = np.zeros_like(y)
        for at in np.ndindex(*y.shape):
            step = np.zeros_like(y)
            step[at] = 1e-5
            up, down = (_energy(net, "fc", s * (y + sign * step) * SCALE, x[0], **options) for sign in (1, -1))
            slope[at] = (up - down) / 2e-5
        v = 0.9 * v - 1e-4 * slope
        y = y + v
    descent = Descent(Code(net, Unit("fc"), x[:1]), Terms(**options), s * (y * 0 + noise / np.linalg.norm(noise))[None],
                      momentum=0.9, rate=1e-4)  # fmt: skip
    for _ in range(3):
        descent.step()
    np.testing.assert_allclose(descent.image[0], s * y, rtol=1e-5, atol=1e-8)


def test_a_code_that_knows_all_gives_the_image_back(x):
    net = Net([("conv", Conv2d(3, 3, 1))], meta=META).init(0).astype("float64").to("numpy")
    net.load_state_dict({"conv.w": np.eye(3).reshape(3, 3, 1, 1) / SCALE[..., None], "conv.b": np.ones(3)})
    result = invert(net, x, "conv", steps=400, **FREE)
    assert result.layers == ("conv",) and result.images.shape == (1, 2, 1, 3, 4, 5)
    np.testing.assert_allclose(result.images[0, :, 0], x, atol=1e-3 * SCALE.max())
    assert result.errors.max() < 1e-3


def test_the_errors_are_those_of_the_images(x):
    net = _net()
    result = invert(net, x, layers="conv fc", inversions=2, steps=5)
    assert result.layers == ("conv", "fc") and result.errors.shape == (2, 2, 2)
    for k, layer in enumerate(result.layers):
        for n in range(2):
            code = net(x[n : n + 1], until=layer)
            for s in range(2):
                away = net(result.images[k, n, s][None], until=layer) - code
                expected = np.linalg.norm(away) / np.linalg.norm(code)
                np.testing.assert_allclose(result.errors[k, n, s], expected, rtol=1e-9)


def test_a_channel_and_a_position_alone(x):
    net = _net()
    for unit, where in (("conv:2", np.s_[:, 2]), ("conv:2:1,3", np.s_[:, 2, 1, 3])):
        result = invert(net, x, unit, steps=200, **FREE)
        code, found = (net(a, until="conv")[where] for a in (x, result.images[0, :, 0]))
        assert np.abs(code - found).max() < 0.05 * np.abs(code).max()
    # The other channels stay free.
    code, found = (net(a, until="conv")[:, 1] for a in (x, result.images[0, :, 0]))
    assert np.abs(code - found).max() > 0.1 * np.abs(code).max()


def test_many_images_are_inverted_each_on_its_own(x, backend):
    net = _net("float32")
    x = x.astype("float32")
    together = invert(net, x, "fc", inversions=2, steps=20, seed=4)
    alone = invert(net, x[1:], "fc", steps=20, seed=5)
    np.testing.assert_allclose(together.images[0, 1, 1], alone.images[0, 0, 0], atol=1e-3)
    assert np.abs(together.images[0, 1, 0] - alone.images[0, 0, 0]).max() > 0.1
    assert together.images.dtype == np.float32


def test_the_terms_keep_it_plain(x):
    net = _net()
    free, flat, near = (
        invert(net, x, "fc", steps=200, **{**FREE, **kept}).images[0, :, 0] / SCALE
        for kept in ({}, {"variation": 0.05}, {"bound": 0.1})
    )
    assert np.abs(np.diff(flat, axis=3)).mean() < 0.5 * np.abs(np.diff(free, axis=3)).mean()
    assert np.abs(near).max() < 0.5 * np.abs(free).max()


def test_a_rate_that_is_too_high_is_halved(x):
    with np.errstate(all="ignore"):
        wild = invert(_net(), x, "fc", rate=1e4, steps=200, **FREE)
    assert np.isfinite(wild.images).all() and wild.errors.max() < 0.1


def test_it_begins_at_the_start_given(x):
    near = x + 0.01 * SCALE
    result = invert(_net(), x, "fc", start=near, steps=1)
    np.testing.assert_allclose(result.images[0, :, 0], near, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"start \(1,3,4,5\) and x \(2,3,4,5\)"):
        invert(_net(), x, "fc", start=x[:1])


def test_every_layer_of_a_graph(x):
    nodes = [
        ("a", Conv2d(3, 3, 1)),
        ("b", Conv2d(3, 3, 1), "a"),
        ("c", Conv2d(3, 3, 1), "a"),
        ("sum", Add(), ("b", "c")),
        ("flat", Flatten()),
        ("fc", Linear(60, 2)),
        ("prob", Softmax()),
    ]
    net = Net(nodes, meta=META).init(0).astype("float64").to("numpy")
    assert trunk(net) == ["a", "sum", "flat", "fc"]
    assert invert(net, x, layers="all", steps=1).layers == ("a", "sum", "flat", "fc")
    skipping = Net([("a", Conv2d(3, 3, 1)), ("sum", Add(), ("a", "data")), ("b", Conv2d(3, 2, 1))])
    assert trunk(skipping) == ["sum", "b"]


def test_deeper_layers_are_kept_plainer():
    net = minicnn.build("lenet_relu")
    names = trunk(net)
    found = [usual_variation(net, name) for name in names]
    np.testing.assert_allclose(found, [8 * 200 ** (-k / len(names)) for k in range(1, len(names) + 1)])
    assert usual_variation(net, "ip2") == pytest.approx(0.04)


def test_interrupted_it_keeps_the_layers_so_far(x, monkeypatch):
    net, passes = _net(), []
    backward = net.backward

    def interrupted(*args, **kwargs):
        passes.append(1)
        if len(passes) == 8:
            raise KeyboardInterrupt
        return backward(*args, **kwargs)

    expected = invert(net, x, layers="conv fc", steps=5)
    monkeypatch.setattr(net, "backward", interrupted)
    with pytest.warns(StoppedEarly, match="invert: interrupted, this is the result so far"):
        result = invert(net, x, layers="conv fc prob", steps=5)
    assert result.layers == ("conv", "fc")
    np.testing.assert_array_equal(result.images[0], expected.images[0])
    assert np.isfinite(result.errors).all() and (result.errors[1] >= expected.errors[1]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, UsageError, "give what to invert as a unit or as layers, one of both"),
        ({"unit": "fc", "layers": "conv"}, UsageError, "one of both"),
        ({"layers": "conv fcc"}, UnknownNameError, "no node 'fcc'; did you mean fc"),
        ({"unit": "fc", "steps": 0}, UsageError, "steps is 0, expected 1 or more"),
        ({"unit": "fc", "rate": 0.0}, MinicnnError, "rate must be a number above 0"),
        ({"unit": "fc", "bound": 0.0}, MinicnnError, "bound must be a number above 0"),
        ({"unit": "fc", "variation": -1.0}, MinicnnError, "variation must be a number above 0"),
        ({"unit": "fc", "momentum": 1.0}, MinicnnError, "momentum must be a number in"),
    ],
)
def test_what_cannot_be(arguments, error, message, x):
    with pytest.raises(error, match=message):
        invert(_net(), x, **arguments)


def test_a_code_of_zeros(x):
    net = _net()
    net.load_state_dict({"conv.b": np.full(4, -1e3)}, strict=False)
    with pytest.raises(UsageError, match="relu is 0 for image 0: there is no code to find again"):
        invert(net, x, "relu")


def test_the_picture_has_a_row_an_image(x):
    net = _net()
    several = METHODS["invert"].picture(invert(net, x, "fc", inversions=3, steps=1), net, x=x, unit="fc")
    layers = METHODS["invert"].picture(invert(net, x[:1], layers="conv relu fc", steps=1), net, x=x[:1])
    assert several.width > 4 * 112 and several.height < 3 * 160
    assert layers.width > 4 * 112 and layers.height < 2 * 160


def test_a_pale_inversion_is_shown_with_more_contrast(x):
    net = _net()
    result = invert(net, x[:1], "fc", steps=1)

    def shown(contrast):
        """The picture of an inversion half of whose columns are that far from the mean colour, in parts of white."""
        images = np.zeros_like(result.images)
        images[..., ::2] = contrast * SCALE
        return np.asarray(METHODS["invert"].picture(result._replace(images=images), net))

    pale, half, strong = map(shown, (0.01, 0.5, 0.6))
    np.testing.assert_array_equal(pale, half)
    assert not np.array_equal(half, strong)


@pytest.mark.data
def test_googlenets_first_layers_know_the_photo(googlenet, photo):
    x = photo[:, :, 80:144, 80:144]
    result = invert(googlenet, x, "conv1/relu_7x7", steps=60)
    assert result.errors[0, 0, 0] < 0.3
    assert np.corrcoef(result.images[0, 0, 0].ravel(), x.ravel())[0, 1] > 0.7
