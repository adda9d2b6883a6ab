"""Attacks on nets that are linear, where each has a closed form, and on a real one."""

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import ImageError, MinicnnError, UsageError
from minicnn.kernels.errors import DTypeError, ShapeError
from minicnn.layers import Conv2d, Flatten, Linear, Softmax
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.vis import METHODS, fool
from minicnn.vis.fool import distortion
from minicnn.vis.progress import StoppedEarly

RNG = np.random.default_rng(11)
W = RNG.standard_normal((4, 12))
B = RNG.standard_normal(4) / 10
STD = (0.5, 1.0, 4.0)
# How far white is from black in each of the 12 values of the net's input.
CONTRAST = np.repeat(2.0 / np.array(STD), 4)


def _net(weights=W, bias=B, **meta):
    """scores = W x + b; x = (2 I - mean) / std with I from 0 to 1, so in I the weights are W * CONTRAST."""
    meta = Meta("none", (3, 2, 2), "RGB", 2.0, (0.1, 0.2, 0.3), STD, "squash", 2, **meta)
    net = Net([("flat", Flatten()), ("fc", Linear(12, len(weights))), ("prob", Softmax())], meta=meta)
    net = net.astype("float64")
    net.load_state_dict({"fc.w": weights, "fc.b": bias})
    return net


BLACK = np.repeat(-np.array([0.1, 0.2, 0.3]) / STD, 4).reshape(1, 3, 2, 2)
SPAN = CONTRAST.reshape(1, 3, 2, 2)


def _x(pictures):
    return BLACK + pictures.reshape(-1, 3, 2, 2) * SPAN


def _pictures(x):
    return ((x - BLACK) / SPAN).reshape(len(x), 12)


def _slopes(k, j):
    """d (score k - score j) / d I."""
    return (W[k] - W[j]) * CONTRAST


@pytest.fixture
def middle():
    """Two images far from black and white."""
    return _x(np.random.default_rng(1).uniform(0.45, 0.55, (2, 12)))


def _of_two():
    """A net of the classes 0 and 1 alone: the loss's gradient is a number times W1 - W0."""
    return _net(W[:2], B[:2])


@pytest.mark.parametrize("target", [0, 1])
def test_fgsm(middle, target):
    net = _of_two()
    expected = _pictures(middle) + 3 / 255 * np.sign(_slopes(target, 1 - target))
    out = fool(net, middle, target, attack="fgsm", eps=3)
    np.testing.assert_allclose(_pictures(out), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("attack", ["fgsm", "iterative", "pgd"])
def test_untargeted_within_a_cube(middle, attack):
    # Away from the class that is there; 20 steps of more than eps / 20 end in the cube's corner.
    net = _of_two()
    there = net(middle, until="fc").argmax(axis=1)
    expected = _pictures(middle) + 5 / 255 * np.sign([_slopes(1 - k, k) for k in there])
    out = fool(net, middle, attack=attack, eps=5)
    np.testing.assert_allclose(_pictures(out), expected, rtol=0, atol=1e-12)


def test_iterative_steps():
    # 1.25 * eps / steps each, which is more than eps where there is only one, and then held to eps.
    x = _x(np.full((1, 12), 0.5))
    for steps in (1, 10):
        moved = _pictures(fool(_of_two(), x, 1, attack="iterative", eps=8, steps=steps))
        np.testing.assert_allclose(np.abs(moved - 0.5), 8 / 255, rtol=1e-9)


def test_the_box_holds():
    pictures = np.where(np.arange(12) % 2, 0.0, 1.0)[None] * np.ones((2, 1))
    for attack in ("fgsm", "iterative", "pgd", "pgd_l2", "deepfool", "szegedy"):
        moved = _pictures(fool(_net(), _x(pictures), attack=attack, eps=40))
        assert moved.min() > -1e-9 and moved.max() < 1 + 1e-9 and np.abs(moved - pictures).max() > 0.01


@pytest.mark.parametrize("target", [0, 1])
def test_pgd_l2(middle, target):
    # In a ball the linear score is largest at radius * w / |w|. What the start has across w shrinks by 1 / (1 + 2.5/n)
    # in each of n steps on the sphere, to a fifth or less: some of them are spent on the way there.
    out = fool(_of_two(), middle, target, attack="pgd_l2", eps=2, steps=50)
    w, r = _slopes(target, 1 - target), _pictures(out) - _pictures(middle)
    np.testing.assert_allclose(np.linalg.norm(r, axis=1), 2 / 255 * np.sqrt(12), rtol=1e-9)
    np.testing.assert_allclose(distortion(_of_two(), middle, out), 2 / 255, rtol=1e-9)
    assert (r @ w > 0.95 * np.linalg.norm(r, axis=1) * np.linalg.norm(w)).all()


def test_deepfool_goes_to_the_nearest_boundary(middle):
    net = _net()
    scores = net(middle, until="fc")
    moved = fool(net, middle, attack="deepfool")
    for n in range(2):
        k = scores[n].argmax()
        # |score k - score j| / |w k - w j| for every rival j
        distances = {j: (scores[n, k] - scores[n, j]) / np.linalg.norm(_slopes(k, j)) for j in range(4) if j != k}
        nearest = min(distances, key=distances.get)
        w = _slopes(nearest, k)
        expected = _pictures(middle)[n] + 1.02 * (distances[nearest] + 1e-4) * w / np.linalg.norm(w)
        np.testing.assert_allclose(_pictures(moved)[n], expected, rtol=0, atol=1e-9)
        assert net(moved[n : n + 1]).argmax() == nearest


def test_deepfool_with_a_target(middle):
    net = _net()
    for target in range(4):
        moved = fool(net, middle, target, attack="deepfool")
        assert (net(moved).argmax(axis=1) == target).all()
        there = net(middle).argmax(axis=1) == target
        np.testing.assert_allclose(moved[there], middle[there], rtol=1e-12)


def test_deepfool_without_a_slope():
    net = _net(np.zeros((4, 12)))
    x = _x(np.full((1, 12), 0.5))
    np.testing.assert_allclose(fool(net, x, attack="deepfool"), x, rtol=1e-12)


def test_szegedy_finds_the_smallest_distortion(middle):
    # Of two classes the smallest |r| is the distance to the boundary. The search for c ends at 2 %.
    net = _of_two()
    gaps = net(middle, until="fc") @ [1, -1]
    w = np.linalg.norm(_slopes(0, 1))
    moved = fool(net, middle, attack="szegedy", steps=50)
    lengths = np.linalg.norm(_pictures(moved) - _pictures(middle), axis=1)
    assert (net(moved).argmax(axis=1) != net(middle).argmax(axis=1)).all()
    assert (lengths >= np.abs(gaps) / w).all()
    np.testing.assert_allclose(lengths, np.abs(gaps) / w, rtol=0.03)
    np.testing.assert_allclose(distortion(net, middle, moved), lengths / np.sqrt(12), rtol=1e-9)


def test_szegedy_in_the_box():
    # Half of the values are at the end of the scale to which the target would move them, and stay there. The others
    # share the whole way, in proportion to their weights.
    w = _slopes(1, 0)
    free = np.arange(12) < 6
    pictures = np.where(free, 0.5, np.where(w > 0, 1.0, 0.0))[None]
    # A bias that puts the boundary a little way off.
    net = _net(W[:2], np.array([0.0, 0.0]))
    gap = net(_x(pictures), until="fc") @ [1, -1]
    net = _net(W[:2], np.array([0.0, gap[0] - 0.5]))
    moved = _pictures(fool(net, _x(pictures), 1, attack="szegedy", steps=50))
    expected = np.where(free, 0.5 * w, 0) / np.square(w[free]).sum()
    np.testing.assert_allclose((moved - pictures)[0], expected, rtol=0.04, atol=1e-6)


def test_szegedy_takes_the_second_likeliest_class(middle):
    net = _net()
    second = np.argsort(net(middle), axis=1)[:, -2]
    np.testing.assert_array_equal(net(fool(net, middle, attack="szegedy")).argmax(axis=1), second)


@pytest.mark.parametrize("attack", ["deepfool", "szegedy"])
def test_an_image_that_is_there_already(middle, attack):
    net = _net()
    target = int(net(middle[:1]).argmax())
    np.testing.assert_allclose(fool(net, middle[:1], target, attack=attack), middle[:1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "pgd_l2", "deepfool", "szegedy"])
def test_scores_with_a_height_and_a_width_of_one(middle, attack):
    # A convolution as large as the image is the same linear net, with scores (N, 4, 1, 1).
    net = Net([("conv", Conv2d(3, 4, 2)), ("prob", Softmax())], meta=_net().meta).astype("float64")
    net.load_state_dict({"conv.w": W.reshape(4, 3, 2, 2), "conv.b": B})
    np.testing.assert_allclose(fool(net, middle, attack=attack), fool(_net(), middle, attack=attack), rtol=0, atol=1e-6)


def test_what_cannot_be_reached_leaves_the_image():
    net = _net(np.concatenate([W[:2], W[:1] * 0]), np.array([0, 0, -1e6]))
    x = _x(np.full((1, 12), 0.5))
    np.testing.assert_array_equal(fool(net, x, 2, attack="szegedy", steps=3), x)


def test_a_mean_image():
    mean = MeanImage(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 2, 2))
    net = _net(W[:2], B[:2], mean_image=mean)
    black = -mean.values / np.reshape(STD, (3, 1, 1))
    # From black, only the pixels that would rise can move.
    w = (_slopes(1, 0)).reshape(3, 2, 2)
    for attack in ("fgsm", "pgd"):
        out = fool(net, black[None].astype(np.float64), 1, attack=attack, eps=10)[0]
        np.testing.assert_array_equal(out - black > 1e-6, w > 0)


LENET_ATTACKS = ["fgsm", "iterative", "pgd", "pgd_l2", "deepfool", "szegedy"]


@pytest.fixture(scope="module")
def lenet():
    return minicnn.load("mnist-lenet")


@pytest.fixture(scope="module")
def digits(lenet):
    """Pictures that the net is sure of, made without any data."""
    from minicnn.vis import fooling

    return fooling(lenet, way="gradient", count=2, confidence=0.9)


@pytest.mark.parametrize("attack", LENET_ATTACKS)
def test_a_real_net_is_fooled(lenet, digits, attack):
    before = lenet(digits).argmax(axis=1)
    out = fool(lenet, digits, attack=attack, eps=25, steps=10)
    assert out.dtype == np.float32 and out.shape == digits.shape
    assert (lenet(out).argmax(axis=1) != before).all()
    limit = {"pgd_l2": 25 / 255}.get(attack, 1)
    assert (distortion(lenet, digits, out) <= limit * 1.0001).all()
    if attack in ("fgsm", "iterative", "pgd"):
        assert np.abs(out - digits).max() * lenet.meta.std[0] <= 25.001 / 255


@pytest.mark.parametrize("attack", ["pgd", "pgd_l2", "deepfool"])
def test_everything_is_an_eight(lenet, digits, attack):
    out = fool(lenet, digits, 8, attack=attack, eps=40)
    assert (lenet(out).argmax(axis=1) == 8).all()


def test_szegedy_moves_least(lenet, digits):
    """Of what reaches the same class none is nearer than the attack that looks for it; to the search's 2 %."""
    made = {attack: fool(lenet, digits, 8, attack=attack, eps=25) for attack in ("pgd", "pgd_l2", "szegedy")}
    assert (lenet(made["szegedy"]).argmax(axis=1) == 8).all()
    sizes = {attack: distortion(lenet, digits, out) for attack, out in made.items()}
    assert (sizes["szegedy"] < 1.02 * sizes["pgd"]).all() and (sizes["szegedy"] < 1.02 * sizes["pgd_l2"]).all()


@pytest.mark.parametrize("attack", ["pgd", "pgd_l2"])
def test_a_seed_repeats_it(lenet, digits, attack):
    def run(seed):
        return fool(lenet, digits[:1], attack=attack, steps=2, seed=seed)

    np.testing.assert_array_equal(run(1), run(1))
    assert np.abs(run(1) - run(2)).max() > 1e-3


def test_interrupted_it_keeps_what_was_found(lenet, digits, monkeypatch):
    from minicnn.vis.attacks import szegedy

    whole = fool(lenet, digits[:1], 8, attack="szegedy")
    calls, inner = [], szegedy._minimise

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return inner(*args)

    monkeypatch.setattr(szegedy, "_minimise", interrupted)
    with pytest.warns(StoppedEarly, match="fool: interrupted"):
        out = fool(lenet, digits[:2], 8, attack="szegedy")
    # The first c reached the class; nothing was begun with the second image.
    assert lenet(out[:1]).argmax() == 8
    assert distortion(lenet, digits[:1], out[:1]) >= distortion(lenet, digits[:1], whole)
    np.testing.assert_array_equal(out[1], digits[1])


def test_the_picture():
    # One pixel a value: red rises by 12 levels, green falls by 3, blue stays.
    meta = Meta("none", (3, 1, 1), "BGR", 255.0, (10.0, 20.0, 30.0), (2.0, 2.0, 2.0), "squash", 1)
    net = Net([("flat", Flatten()), ("fc", Linear(3, 2)), ("prob", Softmax())], meta=meta).init(0)
    x = np.float32([20.0, 20.0, 20.0]).reshape(1, 3, 1, 1)
    result = x + np.float32([0, -3, 12]).reshape(1, 3, 1, 1) / 2
    made = np.asarray(METHODS["fool"].picture(result, net, x=x))
    tiles = [tuple(int(v) for v in made[-5, 5 + 114 * k]) for k in range(4)]
    assert tiles == [(70, 60, 50), (140, 125, 128), (248, 98, 128), (82, 57, 50)]
    assert made.shape[1] == 2 + 4 * 114


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"attack": "luck"}, UsageError, "attack is 'luck', expected fgsm, iterative, pgd, pgd_l2, deepfool, szegedy"),
        ({"eps": 0.0}, UsageError, "eps is 0.0, expected a number above 0"),
        ({"eps": float("nan")}, UsageError, "eps is nan"),
        ({"steps": 0}, UsageError, "steps is 0, expected 1 or more"),
        ({"unit": "flat:3"}, UsageError, "flat:3: a class is needed, 0 to 3"),
        ({"unit": 4}, UsageError, "fc:4: a class is needed, 0 to 3"),
        ({"x": np.full((1, 3, 2, 2), np.nan)}, ImageError, "x: 12 of 12 values are NaN"),
        ({"x": np.zeros((1, 1, 2, 2))}, ShapeError, r"x is \(1,1,2,2\), the net's images \(N,3,H,W\)"),
        ({"x": np.zeros((1, 3, 2, 2), np.float32)}, DTypeError, "x is float32, the net computes in float64"),
    ],
)
def test_what_cannot_be(middle, options, error, message):
    with pytest.raises(error, match=message):
        fool(_net(), **{"x": middle, **options})


def test_a_net_without_meta(middle):
    net = _net()
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        fool(net, middle)


@pytest.mark.data
def test_a_flamingo_is_an_ostrich(googlenet, photo):
    assert googlenet(photo).argmax() == 130
    out = fool(googlenet, photo, "ostrich", attack="pgd", eps=4, steps=8)
    assert googlenet(out)[0, 9] > 0.5
    assert np.abs(out - photo).max() <= 4.001
