"""What pictures reach: each figure against one worked out here, on the net of drawn shapes."""

import numpy as np
import pytest

from minicnn import load
from minicnn.benchmarks import reached
from minicnn.train.shapes import Shapes
from minicnn.train.standardise import standardise
from minicnn.vis import class_model, invert


@pytest.fixture(scope="module")
def net():
    return load("shapes")


@pytest.fixture(scope="module")
def x(net):
    drawn = Shapes(1, net.meta.input_size[1])
    return standardise(np.stack([drawn.item(k).image for k in range(2)]), net.meta)


def test_a_class_picture_has_the_probability_of_its_class(net):
    name = net.meta.classes[2]
    scores = net(class_model(net, name, steps=3), until=net.scores)[0].astype(np.float64)
    expected = np.exp(scores[2]) / np.exp(scores).sum()
    assert reached.class_model(net, [name], steps=3) == {name: pytest.approx(expected, rel=1e-5)}


def test_codes_are_compared_squared(net, x):
    layer = net.nodes[2].name
    images = invert(net, x, layer, steps=3).images[0, :, 0]
    there, here = (np.asarray(net(one, until=layer), np.float64) for one in (x, images))
    expected = [np.sum((h - t) ** 2) / np.sum(t**2) for h, t in zip(here, there)]
    np.testing.assert_allclose(reached.invert(net, x, [layer], steps=3)[layer], expected, rtol=1e-4)


def test_norms_before_and_after_each_octave(net, x):
    layer = net.nodes[2].name
    norms = reached.dream(net, x[:1], layer, octaves=1, steps=2)
    assert len(norms) == 1 and norms[0][0] < norms[0][1]
    assert norms[0][0] == pytest.approx(np.linalg.norm(net(x[:1], until=layer)), rel=1e-5)


def test_few_steps_leave_a_larger_error_than_many(net, x):
    few, many = (reached.integrated_gradients(net, x, steps=steps) for steps in (1, 200))
    assert len(many) == 2 and max(many) < 0.02 < max(few)


def test_the_table():
    document = {
        "net": "alexnet", "date": "today", "class_model": {"cat": 0.99991, "dog": 1.0},
        "dream": [[2.0, 3.0], [1.0, 4.0]], "invert": {"conv2": [0.01, 0.03]},
        "style": [50.0, 0.5], "integrated_gradients": [0.001, 0.004],
    }  # fmt: skip
    row = {"fooled": 3, "photos": 4, "mean_distortion_levels": 7.91}
    lines = reached.reached_table(document, {"attacks": {"fgsm": row}}).splitlines()
    assert lines[2] == "| class_model | probability of 2 classes in pictures of them | at least 0.9999 |"
    assert lines[3].endswith("| 1.5, 4.0 times |") and lines[4].endswith("| 2.0%, 3.0% at most |")
    assert lines[5].endswith("| 100 times |") and lines[6].endswith("| 0.4% off at most |")
    assert lines[7].startswith("| fool, fgsm |") and "3 of 4 fooled" in lines[7] and "7.9 levels" in lines[7]
