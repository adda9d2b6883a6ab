"""Every architecture against the same net in PyTorch: scores and image gradient, random weights."""

import numpy as np
import pytest

from minicnn import zoo

pytest.importorskip("torch")

from compare_with_twin import GRADIENT, LOGITS, differ

import twins_nets

pytestmark = pytest.mark.oracle

# Small images where a net takes them; those with linear layers take one size only.
SIZES = {
    "alexnet": 224,
    "alexnet_caffe": 227,
    "caffenet": 227,
    "googlenet": 224,
    "lenet": 28,
    "lenet_relu": 28,
    "squeezenet1_0": 90,
    "squeezenet1_1": 91,
}
VGGS = ["vgg11", "vgg13", "vgg16", "vgg19"]
FROM_FILES = ["cifar10_quick", "nin_imagenet", "zfnet"]  # in test_zoo_caffe_files.py


def test_every_architecture_is_compared():
    from test_zoo_cifar_vgg import POOLED
    from test_zoo_residual import SIZES as RESIDUAL

    assert {*SIZES, *VGGS, *FROM_FILES, *RESIDUAL, *POOLED} == set(zoo.names())


@pytest.mark.parametrize("name", SIZES)
def test_scores_and_image_gradient(name):
    net = draw_biases(zoo.build(name, seed=1))
    twin = getattr(twins_nets, name)
    x = image(net.meta.input_size[0], SIZES[name])
    check(differ(net, twin, x), "float32")
    check(differ(net.astype("float64"), twin, x.astype("float64")), "float64")


@pytest.mark.parametrize("name", VGGS)
def test_the_convolutions_of_vgg(name):
    """32x32 pixels, without the linear layers: they are the same in all four, and test_zoo_vgg16.py has them."""
    net = zoo.build(name)
    rng = np.random.default_rng(2)
    for node in net.nodes:
        if node.name.startswith("conv"):
            node.layer.init(rng)
    net = draw_biases(net).astype("float64")

    def twin(x, p):
        return twins_nets.vgg_features(name, x, p)

    check(differ(net, twin, image(3, 32).astype("float64"), node="pool5"), "float64")


def check(difference, dtype):
    assert difference.scores <= LOGITS[dtype]
    assert difference.gradient <= GRADIENT[dtype]
    assert difference.others <= (1e-5 * difference.sides if dtype == "float32" else 0)


def draw_biases(net):
    """Random biases: He's rule leaves them at zero, where a misplaced one would not show."""
    rng = np.random.default_rng(3)
    for layer in net.layers().values():
        if "b" in layer.params:
            layer.params["b"] = rng.normal(0, 0.1, layer.params["b"].shape).astype(np.float32)
    return net


def image(channels, size):
    return np.random.default_rng(4).standard_normal((1, channels, size, size)).astype(np.float32)
