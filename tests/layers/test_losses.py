"""The losses: against hand-computed values, against PyTorch, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn
from minicnn.kernels.errors import DTypeError, MinicnnError, ShapeError
from minicnn.layers import (
    hinge_backward,
    hinge_forward,
    logistic_backward,
    logistic_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
)

LOSSES = {
    "softmax_cross_entropy": (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
    "hinge": (hinge_forward, hinge_backward),
    "logistic": (logistic_forward, logistic_backward),
    "squared_error": (squared_error_forward, squared_error_backward),
}
CLASSIFIERS = ["softmax_cross_entropy", "hinge"]


def array(*values, dtype="float64"):
    return np.array(values, dtype)


# By hand ---------------------------------------------------------------------------------------------------------


def test_cross_entropy_of_equal_scores_is_log_of_the_number_of_classes():
    loss, cache = softmax_cross_entropy_forward(np.full((2, 4), 7.0), [0, 3])
    assert loss == pytest.approx(math.log(4), rel=1e-15)
    expected = array([-0.75, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, -0.75]) / 2
    np.testing.assert_allclose(softmax_cross_entropy_backward(1.0, cache), expected, rtol=1e-15)


def test_cross_entropy_neither_overflows_nor_loses_a_tiny_probability():
    loss, cache = softmax_cross_entropy_forward(array([1000.0, 0.0], [0.0, 1000.0]), [1, 1])
    assert loss == 500.0
    assert softmax_cross_entropy_backward(1.0, cache).tolist() == [[0.5, -0.5], [0.0, 0.0]]


def test_hinge_by_hand():
    # Margins of the first row: 5.1 - 3.2 + 1 = 2.9 and -1.7 - 3.2 + 1 < 0; of the second, none is broken.
    loss, cache = hinge_forward(array([3.2, 5.1, -1.7], [1.0, 4.9, 2.0]), [0, 1])
    assert loss == pytest.approx(2.9 / 2, rel=1e-14)
    assert hinge_backward(1.0, cache).tolist() == [[-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_hinge_has_gradient_zero_where_the_margin_is_exactly_met():
    loss, cache = hinge_forward(np.array([[2.0, 1.0]]), [0])
    assert loss == 0.0
    assert hinge_backward(1.0, cache).tolist() == [[0.0, 0.0]]


def test_logistic_by_hand():
    # sigmoid(log 3) = 3/4
    loss, cache = logistic_forward(array(math.log(3), math.log(3)), [1, 0])
    assert loss == pytest.approx((-math.log(0.75) - math.log(0.25)) / 2, rel=1e-14)
    np.testing.assert_allclose(logistic_backward(1.0, cache), [-0.125, 0.375], rtol=1e-14)


def test_logistic_does_not_overflow():
    loss, cache = logistic_forward(array(-1000.0, 1000.0), [1, 0])
    assert loss == 1000.0
    assert logistic_backward(1.0, cache).tolist() == [-0.5, 0.5]


def test_squared_error_by_hand():
    loss, cache = squared_error_forward(array([1.0, 2.0], [0.0, -1.0]), array([0.0, 2.0], [2.0, 1.0]))
    assert loss == (1 + 0 + 4 + 4) / 2 / 2
    assert squared_error_backward(3.0, cache).tolist() == [[1.5, 0.0], [-3.0, -3.0]]


def test_sums_are_carried_in_float64():
    # 1e8 and then ten thousand ones: in float32 the ones are lost, one after the other.
    scores = np.ones(10_001, "float32")
    scores[0] = 1e4
    loss, _ = squared_error_forward(scores, np.zeros_like(scores))
    assert loss == 0.5 * (1e8 + 1e4) / 10_001


def test_nan_is_not_hidden():
    scores = array([np.nan, 1.0], [1.0, 2.0])
    for name in CLASSIFIERS:
        assert math.isnan(LOSSES[name][0](scores, [0, 1])[0])
        assert math.isnan(LOSSES[name][0](scores, [1, 1])[0])
    assert math.isnan(logistic_forward(scores[0], [0, 1])[0])
    assert math.isnan(squared_error_forward(scores, np.zeros((2, 2)))[0])


# Against PyTorch -------------------------------------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=200)
@given(data=st.data())
def test_agrees_with_pytorch_and_passes_gradcheck(name, data, backend):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    forward, backward = LOSSES[name]
    N, C = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dtype, spread = data.draw(st.sampled_from(["float32", "float64"])), data.draw(st.sampled_from([0.1, 1, 30]))
    shape = data.draw(st.sampled_from([(N,), (N, 1)])) if name == "logistic" else (N, C)
    scores = (spread * rng.standard_normal(shape)).astype(dtype)
    labels = rng.integers(0, 2 if name == "logistic" else C, N)
    if name == "squared_error":
        labels = rng.standard_normal(shape).astype(dtype)

    s, y, dout = torch.tensor(scores, requires_grad=True), torch.tensor(labels), data.draw(st.floats(-3, 3))
    expected = {
        "softmax_cross_entropy": lambda: functional.cross_entropy(s, y),
        "hinge": lambda: functional.multi_margin_loss(s, y) * C,  # theirs divides by C
        "logistic": lambda: functional.binary_cross_entropy_with_logits(s, y.reshape(shape).to(s.dtype)),
        "squared_error": lambda: functional.mse_loss(s, y, reduction="sum") / 2 / N,
    }[name]()
    (expected_dscores,) = torch.autograd.grad(expected * dout, s)

    loss, cache = forward(scores, labels)
    dscores = backward(dout, cache)
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    assert type(loss) is float
    assert loss == pytest.approx(expected.item(), rel=tolerance, abs=tolerance)
    assert dscores.dtype == dtype and dscores.shape == scores.shape
    np.testing.assert_allclose(dscores, expected_dscores.numpy(), rtol=0, atol=tolerance * max(1, abs(scores).max()))
    if spread <= 1:  # far out a loss is flat to the last bit, and has no differences
        fixed = labels.astype("float64") if name == "squared_error" else labels
        report = minicnn.gradcheck((lambda s: forward(s, fixed), backward), scores)
        assert report.ok and not report.kinks, report


# What they refuse ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(
    ("labels", "error", "says"),
    [
        ([0, 3], MinicnnError, r"labels\[1\] is 3, expected 0 to 2"),
        ([-1, 0], MinicnnError, r"labels\[0\] is -1, expected 0 to 2"),
        ([0.0, 1.0], DTypeError, "labels are float64, expected integers from 0 to 2"),
        ([0, 1, 2], ShapeError, r"labels \(3\) and the batch \(2\)"),
        ([[0], [1]], ShapeError, r"labels \(2,1\) and the batch \(2\)"),
    ],
)
def test_bad_labels(name, labels, error, says):
    with pytest.raises(error, match=says):
        LOSSES[name][0](np.zeros((2, 3)), labels)


def test_bad_scores():
    with pytest.raises(MinicnnError, match=r"labels\[1\] is 2, expected 0 to 1"):
        logistic_forward(np.zeros(2), [0, 2])
    with pytest.raises(ShapeError, match=r"scores \(2,2\) must be"):
        logistic_forward(np.zeros((2, 2)), [0, 1])
    with pytest.raises(ShapeError, match="scores has 1 dimensions"):
        hinge_forward(np.zeros(3), [0])
    with pytest.raises(ShapeError, match=r"scores \(2,1\) and targets \(2\)"):
        squared_error_forward(np.zeros((2, 1)), np.zeros(2))
    with pytest.raises(DTypeError, match="scores is int64"):
        softmax_cross_entropy_forward(np.zeros((2, 2), int), [0, 1])


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch_has_no_mean(name):
    labels = np.zeros((0, 3)) if name == "squared_error" else np.zeros(0, int)
    with pytest.raises(ShapeError, match="this one is empty"):
        LOSSES[name][0](np.zeros((0,) if name == "logistic" else (0, 3)), labels)
