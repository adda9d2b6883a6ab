"""VGG16 at its full size: 138 million parameters, 224x224 pixels."""

import tracemalloc

import numpy as np
import pytest

from minicnn import zoo
from minicnn.layers import Conv2d, Linear


@pytest.fixture(scope="module")
def vgg16():
    return zoo.build("vgg16", seed=0)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)


def test_an_image_gradient_computes_no_parameter_gradient(vgg16, x, monkeypatch):
    def refuse(dout, cache):
        raise AssertionError("a parameter gradient was computed")

    for layer in (Conv2d, Linear):
        monkeypatch.setattr(layer, "backward_params", staticmethod(refuse))
    dscores = np.zeros((1, 1000), np.float32)
    dscores[0, 281] = 1

    tracemalloc.start()
    _, tape = vgg16.forward(x, until="fc8")
    dx, grads = vgg16.backward(dscores, tape, params=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert grads == {} and dx.shape == x.shape and np.abs(dx).max() > 0
    # The gradients of its parameters alone would take 553 MB.
    assert peak < 350e6, f"{peak / 1e6:.0f} MB"
    with pytest.raises(AssertionError, match="a parameter gradient was computed"):
        vgg16.backward(dscores, tape)


@pytest.mark.oracle
def test_scores_and_image_gradient_of_all_of_vgg16(vgg16, x):
    pytest.importorskip("torch")
    from compare_with_twin import GRADIENT, LOGITS, differ

    import twins_nets

    difference = differ(vgg16, twins_nets.vgg16, x)
    assert difference.scores <= LOGITS["float32"]
    assert difference.gradient <= GRADIENT["float32"]
    assert difference.others <= 1e-5 * difference.sides
