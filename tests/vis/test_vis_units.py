"""What a unit's text means, what it asks of the net, and how wrong ones are refused."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import UnknownNameError, UsageError
from minicnn.layers import Conv2d, Flatten, Linear, ReLU, Softmax
from minicnn.meta import Meta
from minicnn.vis import gradient
from minicnn.vis.units import Unit, find_unit, unit_title

CLASSES = (
    "tench, Tinca tinca",
    "goldfish, Carassius auratus",
    "crane",
    "great grey owl, great gray owl",
    "crane, lifting crane",
    "maillot",
    "maillot, tank suit",
    "Crane fly",
)


@pytest.fixture
def net():
    nodes = [
        ("conv1", Conv2d(1, 4, 3)),
        ("inception_4c/relu_1.x", ReLU()),
        ("flat", Flatten()),
        ("fc", Linear(16, 8)),
        ("prob", Softmax()),
    ]
    meta = Meta("none", (1, 4, 4), "L", 1.0, (0.0,), (1.0,), "squash", 4, classes=CLASSES)
    return Net(nodes, meta=meta).init(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv1", Unit("conv1")),
        ("conv1:3", Unit("conv1", 3)),
        ("conv1:3:1,0", Unit("conv1", 3, (1, 0))),
        ("inception_4c/relu_1.x:2", Unit("inception_4c/relu_1.x", 2)),
        ("fc:7", Unit("fc", 7)),
        ("5", Unit("fc", 5)),
        (5, Unit("fc", 5)),
        (np.int64(5), Unit("fc", 5)),
        ("goldfish", Unit("fc", 1)),
        ("GoldFish", Unit("fc", 1)),
        ("carassius auratus", Unit("fc", 1)),
        ("goldfish, Carassius auratus", Unit("fc", 1)),
        ("great_gray_owl", Unit("fc", 3)),
        (" tench ", Unit("fc", 0)),
        ("crane", Unit("fc", 2)),  # the whole label, although 4 begins with it
        ("lifting crane", Unit("fc", 4)),
        ("maillot", Unit("fc", 5)),
        ("tank suit", Unit("fc", 6)),
        (Unit("conv1", 1), Unit("conv1", 1)),
    ],
)
def test_what_a_text_means(net, text, expected):
    assert find_unit(net, text) == expected


def test_str_is_the_text_again(net):
    for text in ("conv1", "conv1:3", "conv1:3:1,0"):
        assert str(find_unit(net, text)) == text


def test_a_node_beats_a_class():
    nodes = [("goldfish", Conv2d(1, 2, 3)), ("1", ReLU())]
    net = Net(nodes, meta=Meta("none", (1, 3, 3), "L", 1.0, (0.0,), (1.0,), "squash", 3, classes=("a", "goldfish")))
    assert find_unit(net, "goldfish") == Unit("goldfish")
    assert find_unit(net, "1") == Unit("1")
    assert find_unit(net, 1) == Unit("1", 1)  # a number is always a class


def test_two_classes_that_fit_equally_well(net):
    net.meta = Meta("none", (1, 4, 4), "L", 1.0, (0.0,), (1.0,), "squash", 4, classes=("bow, arrow", "bow, knot"))
    with pytest.raises(UsageError, match="class 'bow' could be 0 or 1: give the number"):
        find_unit(net, "bow")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv2", "no node or class 'conv2'; did you mean conv1"),
        ("conv2:3", "no node 'conv2'; did you mean conv1"),
        ("goldfsh", "no node or class 'goldfsh'; did you mean goldfish"),
        ("tinca", "no node or class 'tinca'; did you mean Tinca tinca"),
        ("", "no node or class ''; there are conv1"),
    ],
)
def test_unknown_names(net, text, message):
    with pytest.raises(UnknownNameError, match=message):
        find_unit(net, text)


def test_a_net_without_classes(net):
    net.meta = None
    with pytest.raises(UnknownNameError, match="no node 'goldfish'; there are conv1"):
        find_unit(net, "goldfish")
    assert find_unit(net, "3") == Unit("fc", 3)


@pytest.mark.parametrize("end", ["", "a", "-1", "1:", "1:2", "1:2,3,4", "1:-1,0"])
def test_malformed(net, end):
    text = f"conv1:{end}"
    with pytest.raises(UsageError, match=f"unit '{text}': expected layer, layer:channel or layer:channel:y,x"):
        find_unit(net, text)


@pytest.mark.parametrize("unit", [None, 1.5, ["conv1"]])
def test_what_is_no_text(net, unit):
    with pytest.raises(UsageError, match=r"expected a text, a class's number or a Unit"):
        find_unit(net, unit)


def test_numbers_beyond_all_reason(net):
    with pytest.raises(UnknownNameError, match="no node or class '9999"):
        find_unit(net, "9" * 5000)
    with pytest.raises(UsageError, match="expected layer, layer:channel"):
        find_unit(net, "conv1:" + "9" * 5000)


def test_a_negative_class(net):
    with pytest.raises(UsageError, match="class -1: classes are numbered from 0"):
        find_unit(net, -1)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("conv1:4", r"conv1:4: channel 4 of 0 to 3 \(conv1 is \(1,4,2,2\)\)"),
        ("conv1:0:2,0", r"conv1:0:2,0: row 2 of 0 to 1"),
        ("conv1:0:0,9", r"conv1:0:0,9: column 9 of 0 to 1"),
        ("fc:1:0,0", r"fc:1:0,0: fc is \(1,8\), which has no positions"),
        (8, r"fc:8: channel 8 of 0 to 7"),
        ("8", r"fc:8: channel 8 of 0 to 7"),
    ],
)
def test_out_of_range(net, unit, message):
    with pytest.raises(UsageError, match=message):
        gradient(net, np.zeros((1, 1, 4, 4), np.float32), unit)


OUT = np.array([[[[1, 5], [5, 2]], [[-4, -3], [-2, -3]]], [[[0, 0], [0, 0]], [[9, 1], [1, 9]]]], np.float32)


@pytest.mark.parametrize(
    ("unit", "ones"),
    [
        (Unit("a", 0), [(0, 0, 0, 1), (1, 0, 0, 0)]),  # a tie goes to the first, also among zeros
        (Unit("a", 1), [(0, 1, 1, 0), (1, 1, 0, 0)]),
        (Unit("a", 1, (0, 1)), [(0, 1, 0, 1), (1, 1, 0, 1)]),
        (Unit("a", 0, (0, 0)), [(0, 0, 0, 0), (1, 0, 0, 0)]),
    ],
)
def test_seed(unit, ones):
    dout = unit.seed(OUT)
    assert dout.dtype == np.float32 and dout.shape == OUT.shape
    assert sorted(zip(*np.nonzero(dout))) == ones
    assert set(dout[dout != 0]) == {1}


def test_seed_of_a_node_and_of_a_vector():
    np.testing.assert_array_equal(Unit("a").seed(OUT), np.ones((2, 2, 2, 2)))
    np.testing.assert_array_equal(Unit("a", 2).seed(np.zeros((2, 4))), [[0, 0, 1, 0]] * 2)


def test_titles(net):
    assert unit_title(net, Unit("fc", 1)) == "goldfish"
    assert unit_title(net, Unit("conv1", 1, (0, 1))) == "conv1:1:0,1"
    assert unit_title(net, Unit("fc")) == "fc"
