"""What the layers of imported graphs refuse and how they describe themselves."""

import math

import numpy as np
import pytest

from minicnn.kernels.errors import MinicnnError, ShapeError
from minicnn.layers import (
    ELU,
    AvgPool2d,
    BatchNorm2d,
    Clip,
    Concat,
    Constant,
    ConvTranspose2d,
    Flatten,
    GlobalMaxPool,
    LogSoftmax,
    MatMul,
    MaxPoolIndices,
    Mean,
    Pad,
    PReLU,
    Reshape,
    Softmax,
    Squeeze,
    Transpose,
    Unsqueeze,
)

inf, nan = math.inf, math.nan


# What cannot be ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ConvTranspose2d(3, 4, 3, groups=2), "groups=2 divides not both in_channels=3, out_channels=4"),
        (lambda: ConvTranspose2d(0, 4, 3), "in_channels must be an int >= 1, not 0"),
        (lambda: ConvTranspose2d(1, 1, 3, output_padding=-1), "output_padding must be an int >= 0 or a pair"),
        (lambda: MaxPoolIndices(2, order="diagonal"), "order must be row or column, not 'diagonal'"),
        (lambda: AvgPool2d(2, dilation=0), "dilation must be"),
        (lambda: PReLU(3), "shape must be a tuple of ints, not 3"),
        (lambda: PReLU((3, 0)), r"shape\[1\] must be an int >= 1, not 0"),
        (lambda: ELU(inf), "alpha must be a finite number, not inf"),
        (lambda: Clip(nan), "low must be a number or None, not nan"),
        (lambda: Clip(high="6"), "high must be a number or None, not '6'"),
        (lambda: Softmax(1.0), "axis must be an int, not 1.0"),
        (lambda: Concat(None), "axis must be an int, not None"),
        (lambda: Mean(1), "axes must be a tuple of ints, not 1"),
        (lambda: Pad(((0, 1), 2)), r"pads must be one \(before, after\) of ints an axis, not \(\(0, 1\), 2\)"),
        (lambda: Pad(((0, 1.5),)), "pads must be one"),
        (lambda: Pad(((0, 1),), "wrap"), "mode must be constant, reflect or edge, not 'wrap'"),
        (lambda: Pad(((0, 1),), value=nan), "value must be a number, not nan"),
        (lambda: Reshape((2, -1, -1)), "of which one may be -1"),
        (lambda: Reshape((2, -2)), "shape must be a tuple of ints"),
        (lambda: Reshape(4), "shape must be a tuple of ints"),
        (lambda: Transpose((0, 0)), r"each once, not \(0, 0\)"),
        (lambda: Transpose((0, 2)), r"each once, not \(0, 2\)"),
        (lambda: Squeeze(1), "axes must be a tuple of ints, not 1"),
        (lambda: Unsqueeze((0.5,)), "axis must be an int, not 0.5"),
        (lambda: Constant((2, -1)), r"shape must be a tuple of ints >= 0, not \(2, -1\)"),
    ],
)
def test_a_hyperparameter_that_cannot_be(make, says):
    with pytest.raises(MinicnnError, match=says):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "says"),
    [
        (ConvTranspose2d(4, 2, 3), [(2, 3, 8, 8)], r"x has C=3, w expects 4 \(x \(2,3,8,8\), w \(4,2,3,3\)\)"),
        (ConvTranspose2d(1, 1, 2, pad=(1, 1, 0, 0)), [(1, 1, 1, 5)], r"OH=0: pad \(1, 1, 0, 0\) leaves nothing"),
        (MaxPoolIndices(3), [(1, 1, 2, 5)], "OH=0: a window 3x3 does not fit"),
        (AvgPool2d(2, dilation=3), [(1, 1, 3, 5)], "OH=0: a window 2x2 does not fit an image 3x5"),
        (AvgPool2d(2, dilation=3), [(3, 5)], "x has 2 dimensions"),
        (GlobalMaxPool(), [(1, 2, 0, 3)], r"no maximum over an image without pixels \(x \(1,2,0,3\)\)"),
        (PReLU((3, 1, 1)), [(2, 4, 5, 5)], r"w \(3,1,1\)|x1 \(3,1,1\) and x0 \(2,4,5,5\)"),
        (PReLU((3, 4, 4)), [(2, 3, 1, 1)], r"w \(3,4,4\) does not broadcast to x \(2,3,1,1\)"),
        (Softmax(2), [(3, 5)], r"there is no axis 2 among 2 \(x \(3,5\)\)"),
        (LogSoftmax(-3), [(3, 5)], "there is no axis -3 among 2"),
        (Concat(2), [(3, 5), (3, 5)], "there is no axis 2 among 2"),
        (Concat(0), [(3, 5), (3, 4)], r"x1 \(3,4\) and x0 \(3,5\) must be alike but for axis 0"),
        (Concat(0), [(3,), (3, 1)], "must be alike"),
        (Flatten(-3), [(3, 5)], "none to flatten from axis -3 on"),
        (Mean((1,)), [(3, 0)], r"no mean over nothing \(x \(3,0\), axes \(1,\)\)"),
        (Mean(), [(0, 2)], "no mean over nothing"),
        (Mean((2,)), [(3, 5)], "there is no axis 2 among 2"),
        (MatMul(), [(2, 3), (4, 2)], r"x0 has K=3, x1 expects 4 \(x0 \(2,3\), x1 \(4,2\)\)"),
        (MatMul(), [(2, 1, 3), (4, 3, 2)], r"before the matrices .*2.*4.* \(x0 \(2,1,3\), x1 \(4,3,2\)\)"),
        (MatMul(), [(), (4, 2)], "a single number is no matrix"),
        (BatchNorm2d(2), [(4, 3)], r"x has C=3, w expects 2 \(x \(4,3\), w \(2\)\)"),
        (Pad(((0, 1),)), [(2, 3)], r"x has 2 dimensions, pads is for 1 \(x \(2,3\)"),
        (Pad(((-1, -2),)), [(2,)], r"pads \(-1, -2\) on axis 0 crop more than 2 \(x \(2\)\)"),
        (
            Pad(((0, 0), (0, 3)), "reflect"),
            [(2, 3)],
            r"pads \(0, 3\) on axis 1: reflect cannot, of 3 there",
        ),
        (Pad(((-1, 2),), "reflect"), [(3,)], r"reflect cannot, of 2 there"),
        (Pad(((1, 0),), "edge"), [(0,)], "edge cannot, of 0 there"),
        (Transpose((1, 0)), [(2, 3, 4)], r"x has 3 dimensions, expected .* \(x \(2,3,4\)\)"),
        (Squeeze((1,)), [(2, 3)], r"axis 1 has size 3, only 1 can be taken away \(x \(2,3\)\)"),
        (Squeeze((2,)), [(2, 1)], r"there is no axis 2 among 2 \(x \(2,1\)\)"),
        (Squeeze((1, -1)), [(2, 1)], r"axes \(1, -1\) name one axis twice"),
        (Unsqueeze((4,)), [(2, 3)], r"there is no axis 4 among 3 \(x \(2,3\)\)"),
        (Unsqueeze((0, -4)), [(2, 3)], r"axes \(0, -4\) name one axis twice"),
    ],
    ids=str,
)
def test_an_input_that_does_not_fit(layer, shapes, says, backend):
    with pytest.raises(ShapeError, match=says):
        layer.init(0).forward(*(np.ones(shape, "float32") for shape in shapes))
    with pytest.raises(ShapeError, match=says):
        layer.out_shape(*shapes)


# How they describe themselves ----------------------------------------------------------------------------------------


def test_multiply_adds():
    assert ConvTranspose2d(4, 6, (2, 3), stride=2, groups=2).macs((5, 4, 7, 3)) == 5 * 4 * 7 * 3 * 3 * 2 * 3
    assert MatMul().macs((2, 3, 4), (4, 5)) == 2 * 3 * 4 * 5 and MatMul().macs((4,), (4,)) == 4
    assert ELU().macs((2, 3)) == 0


def test_layers_describe_themselves():
    text = "ConvTranspose2d(4, 6, 2x3, stride 2, pad 1, output_padding 1, groups 2)"
    assert str(ConvTranspose2d(4, 6, (2, 3), stride=2, pad=1, output_padding=1, groups=2)) == text
    assert str(MaxPoolIndices(2, order="column")) == "MaxPoolIndices(2x2, order column)"
    assert str(AvgPool2d(2, dilation=2)) == "AvgPool2d(2x2, dilation 2)"
    assert str(Softmax()) == "Softmax()" and str(Softmax(2)) == "Softmax(axis 2)"
    assert str(LogSoftmax(to_end=True)) == "LogSoftmax(axis 1 to the end)"
    assert str(Clip(0, 6)) == "Clip(low 0, high 6)" and str(Clip(high=6)) == "Clip(high 6)"
    assert str(Mean()) == "Mean()" and str(Mean((2, 3), False)) == "Mean((2, 3), keepdims False)"
    assert str(PReLU((3, 1, 1))) == "PReLU((3, 1, 1))" and str(ELU()) == "ELU()"
