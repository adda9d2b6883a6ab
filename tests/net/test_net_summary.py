"""The table of a net, against figures worked out by hand."""

import pytest

from minicnn import Net
from minicnn.kernels.errors import ShapeError
from minicnn.layers import Conv2d, ReLU

NET = Net([("conv1", Conv2d(3, 4, 3, stride=2, pad=1)), ("relu1", ReLU()), ("conv2", Conv2d(4, 6, (1, 2), groups=2))])


def test_figures_by_hand():
    s = NET.summary((2, 3, 8, 6))
    assert [r.shape for r in s.rows] == [(2, 4, 4, 3), (2, 4, 4, 3), (2, 6, 4, 2)]
    assert [r.params for r in s.rows] == [4 * 3 * 9 + 4, 0, 6 * 2 * 2 + 6]
    # outputs times the products that each one sums
    assert [r.macs for r in s.rows] == [2 * 4 * 4 * 3 * 27, 0, 2 * 6 * 4 * 2 * 4]
    assert [r.bytes for r in s.rows] == [96 * 4, 96 * 4, 96 * 4]
    assert (s.params, s.macs, s.bytes) == (112 + 30, 2592 + 384, 3 * 384)
    assert NET.astype("float64").summary((2, 3, 8, 6)).bytes == 6 * 384


def test_a_shared_layer_counts_once():
    conv = Conv2d(2, 2, 1)
    assert Net([("a", conv), ("b", conv)]).summary((1, 2, 1, 1)).params == 6


def test_it_prints_and_shows_in_a_notebook():
    s = NET.summary((1, 3, 8, 6))
    lines = str(s).splitlines()
    assert lines[1].split() == ["node", "layer", "output", "parameters", "multiply-adds", "memory"]
    assert lines[-1].split() == ["total", "142", "1,488", "576", "B"]
    html = s._repr_html_()
    assert html.count("<tr>") == 5 and "Conv2d(3, 4, 3x3, stride 2, pad 1)" in html


def test_a_shape_is_needed_where_nobody_knows_it():
    with pytest.raises(ShapeError, match="image's shape"):
        NET.summary()
