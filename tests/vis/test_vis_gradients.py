"""Gradient, saliency, deconvnet, guided backprop and their comparison: by hand, against slow twins, on one tape."""

import numpy as np
import pytest

import twins_vis
from minicnn import Net
from minicnn.errors import ImageError, UnknownNameError
from minicnn.kernels.errors import DTypeError
from minicnn.layers import Conv2d, MaxPool2d, ReLU, Sigmoid
from minicnn.vis import compare, deconvnet, gradient, guided_backprop, saliency
from minicnn.vis.passes import look, walk
from minicnn.vis.rules import RULES

METHODS = {"gradient": gradient, "deconvnet": deconvnet, "guided_backprop": guided_backprop}

# Two layers of 1x1 convolutions on an image of one pixel with two channels, x = (1, 1).
#
#   hidden = W1 x:   row (1, 2) gives 3,   row (3, -1) gives 2,   row (-2, 1) gives -1
#   relu   = (3, 2, 0)
#   score  = W2 relu, W2 = (2, -1, 3):  2*3 - 1*2 + 3*0 = 4
#
# What arrives at the ReLU from above is W2 = (2, -1, 3).
#
#   gradient         passes where hidden > 0:       (2, -1, 0)   2*(1,2) - 1*(3,-1)   = (-1, 5)
#   deconvnet        passes where from above > 0:   (2,  0, 3)   2*(1,2) + 3*(-2,1)   = (-4, 7)
#   guided backprop  passes where both:             (2,  0, 0)   2*(1,2)              = ( 2, 4)
#   saliency         max(|-1|, |5|) = 5
BY_HAND = {"gradient": (-1, 5), "deconvnet": (-4, 7), "guided_backprop": (2, 4)}


@pytest.fixture
def two_layers():
    net = Net([("hidden", Conv2d(2, 3, 1)), ("relu", ReLU()), ("score", Conv2d(3, 1, 1))])
    net.load_state_dict(
        {
            "hidden.w": np.reshape([[1, 2], [3, -1], [-2, 1]], (3, 2, 1, 1)),
            "hidden.b": np.zeros(3),
            "score.w": np.reshape([2, -1, 3], (1, 3, 1, 1)),
            "score.b": np.zeros(1),
        }
    )
    return net


ONE_PIXEL = np.ones((1, 2, 1, 1), np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_two_layers_by_hand(two_layers, name, backend):
    assert two_layers(ONE_PIXEL).item() == 4
    dx = METHODS[name](two_layers, ONE_PIXEL, "score:0")
    assert dx.shape == (1, 2, 1, 1) and dx.dtype == np.float32
    np.testing.assert_array_equal(dx.ravel(), BY_HAND[name])


def test_saliency_by_hand(two_layers):
    out = saliency(two_layers, ONE_PIXEL, "score:0")
    assert out.shape == (1, 1, 1) and out.item() == 5
    assert saliency(two_layers, ONE_PIXEL, "hidden:2").item() == 2  # of the row (-2, 1)


def test_compare_by_hand(two_layers):
    result = compare(two_layers, ONE_PIXEL, "score:0")
    assert {name: tuple(dx.ravel()) for name, dx in result.items()} == BY_HAND


def _small_net(rng):
    convs = [rng.standard_normal((4, 2, 3, 3)), rng.standard_normal((5, 4, 3, 3))]
    nodes = []
    for i, w in enumerate(convs, 1):
        nodes += [(f"conv{i}", Conv2d(w.shape[1], len(w), 3, bias=False)), (f"relu{i}", ReLU())]
        nodes += [(f"pool{i}", MaxPool2d(2, 2))]
    net = Net(nodes).astype("float64")
    net.load_state_dict({f"conv{i}.w": w for i, w in enumerate(convs, 1)})
    return net, convs


@pytest.mark.parametrize("name", METHODS)
def test_whole_pictures_against_a_slow_twin(name, backend):
    rng = np.random.default_rng(5)
    net, convs = _small_net(rng)
    x = rng.standard_normal((3, 2, 15, 14))
    largest = []
    for channel in range(5):
        dx = METHODS[name](net, x, f"pool2:{channel}")
        expected = np.stack([twins_vis.picture(name, image, convs, channel) for image in x])
        np.testing.assert_allclose(dx, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
        largest.append(np.abs(expected).max())
    assert sum(size > 1 for size in largest) >= 4  # a channel may be silent, but not all


def test_the_rules_differ_on_whole_pictures():
    rng = np.random.default_rng(6)
    net, _ = _small_net(rng)
    pictures = list(compare(net, rng.standard_normal((1, 2, 15, 14)), "pool2:1").values())
    for k, one in enumerate(pictures):
        for other in pictures[k + 1 :]:
            assert np.abs(one - other).max() > 0.1


def test_one_tape_for_all_rules_gives_what_separate_passes_give():
    rng = np.random.default_rng(7)
    net, _ = _small_net(rng)
    x = rng.standard_normal((2, 2, 15, 14))
    together = compare(net, x, "pool2:3")
    for name, method in METHODS.items():
        np.testing.assert_array_equal(together[name], method(net, x, "pool2:3"))
    # ... and again, in another order, on a tape that was walked before.
    tape, dout = look(net, x, "pool2:3")
    for name in [*reversed(RULES), *RULES]:
        np.testing.assert_array_equal(walk(net, tape, dout, RULES[name]), together[name])


def test_a_class_is_its_score_before_the_softmax():
    import minicnn

    net = minicnn.build("lenet_relu", seed=1)
    x = np.random.default_rng(8).random((2, 1, 28, 28), np.float32)
    np.testing.assert_array_equal(gradient(net, x, 7), gradient(net, x, "ip2:7"))
    assert np.abs(gradient(net, x, 7) - gradient(net, x, "prob:7")).max() > 1e-3


def test_a_batch_is_its_images_one_by_one():
    rng = np.random.default_rng(9)
    net, _ = _small_net(rng)
    x = rng.standard_normal((3, 2, 15, 14))
    for method in (*METHODS.values(), saliency):
        single = np.concatenate([method(net, x[n : n + 1], "pool2:2") for n in range(3)])
        np.testing.assert_allclose(method(net, x, "pool2:2"), single, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_in_the_image(two_layers, bad):
    x = ONE_PIXEL.copy()
    x[0, 1] = bad
    with pytest.raises(ImageError, match="x: 1 of 2 values are NaN or infinite"):
        gradient(two_layers, x, "score:0")


def test_other_images(two_layers):
    with pytest.raises(DTypeError, match="data is float64, the net computes in float32"):
        gradient(two_layers, ONE_PIXEL.astype("float64"), "score:0")
    with pytest.raises(DTypeError, match="data is list"):
        gradient(two_layers, ONE_PIXEL.tolist(), "score:0")


def test_a_net_without_relu_has_no_deconvnet():
    net = Net([("conv", Conv2d(2, 3, 1)), ("sigmoid", Sigmoid())]).init(0)
    with pytest.raises(UnknownNameError, match="no node of the type 'ReLU'"):
        deconvnet(net, ONE_PIXEL, "sigmoid:0")


@pytest.mark.oracle
@pytest.mark.data
@pytest.mark.parametrize("name", METHODS)
def test_googlenet_against_pytorch(name, googlenet, photo):
    pytest.importorskip("torch")
    import twins_nets

    # In float64, so that no value lies within rounding of a kink.
    net, x = googlenet.astype("float64"), photo.astype("float64")
    dscores = np.zeros((1, 1000))
    dscores[0, 130] = 1
    with twins_vis.torch_relu(name):
        _, expected = twins_nets.scores_and_gradient(twins_nets.googlenet, x, twins_nets.Weights(net), dscores)
    np.testing.assert_allclose(METHODS[name](net, x, 130), expected, rtol=0, atol=1e-9 * np.abs(expected).max())
