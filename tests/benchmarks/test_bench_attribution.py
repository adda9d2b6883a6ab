"""The table of what points at the drawn shapes: its two figures by hand, and all of its rows with a net of guesses."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.benchmarks import attribution
from minicnn.errors import MinicnnError
from minicnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from minicnn.meta import Meta
from minicnn.train.shapes import CLASSES, Shapes

MASK = np.array([[False, True], [False, True]])


@pytest.mark.parametrize(
    ("heat", "expected"),
    [
        ([[1, 3], [0, 4]], (1, 7 / 8)),
        ([[5, 3], [-9, 2]], (0, 5 / 10)),  # what is below zero does not count
        ([[2, 2], [2, 2]], (1 / 2, 1 / 2)),
        ([[2, 2], [2, 1]], (1 / 3, 3 / 7)),  # three point, one of them inside
        ([[0, -1], [0, -1]], (0, 0)),  # nothing points anywhere
        ([[-5, 1e-9], [-5, -5]], (1, 1)),
    ],
)
def test_the_two_figures_by_hand(heat, expected):
    assert attribution.score(np.array(heat, np.float32), MASK) == pytest.approx(expected)


@pytest.fixture(scope="module")
def guessing():
    """A net of random weights, right in about one of ten."""
    nodes = [
        ("conv1", Conv2d(3, 6, 3, pad=1)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(6, 6, 3, pad=1)),
        ("relu2", ReLU()),
        ("flat", Flatten()),
        ("fc", Linear(6 * 8 * 8, 10)),
    ]
    return Net(nodes, meta=Meta("none", (3, 16, 16), "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "squash", 16, CLASSES)).init(
        0
    )


def test_every_row_of_the_table(guessing):
    results = attribution.measure(guessing, images=5, seed=3, progress=False)
    assert [r.method for r in results] == list(attribution.maps()) and len(results) > 20
    for r in results:
        assert r.images == 5 and 0 <= r.pointing <= 1 and 0 <= r.inside <= 1
    figures = {r.method: r for r in results}

    # The two that need no net, from the masks alone.
    right, index = [], 0
    while len(right) < 5:
        item = Shapes(3, 16).item(index)
        x = ((item.image[None] / 255 - 0.5) / 0.25).astype(np.float32)
        right += [item.mask] if guessing(x).argmax() == item.label else []
        index += 1
    assert figures["everywhere"].inside == pytest.approx(np.mean(right))
    assert figures["centre"].pointing == pytest.approx(np.mean([mask[8, 8] for mask in right]))

    table = attribution.attribution_table(results, attribution.about(results, "guesses"))
    assert table.count("\n| ") == len(results) and "| grad_cam | " in table and "5 drawn shapes" in table


def test_a_net_of_other_classes(guessing):
    other = Net([(node.name, node.layer) for node in guessing.nodes])
    with pytest.raises(MinicnnError, match="needs a net of these classes: arrow, circle"):
        attribution.measure(other, 2)
