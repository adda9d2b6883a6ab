"""gradcheck must fail on a wrong backward, skip kinks and say so, and never take the one for the other."""

import numpy as np
import pytest

from minicnn import gradcheck
from minicnn.layers import (
    BatchNorm2d,
    Conv2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    batch_norm2d_backward,
    conv2d_backward,
    conv2d_backward_params,
    linear_backward_params,
    max_pool2d_backward,
    relu_backward,
    softmax_backward,
)


def edited(layer, **functions):
    """The layer with another backward_input or backward_params."""
    for name, function in functions.items():
        setattr(layer, name, function)
    return layer


def with_entry(gradient, index, change):
    gradient = gradient.copy()
    gradient[index] = change(gradient[index])
    return gradient


def verdicts(report):
    return {row.name: row.ok(report.tol) for row in report.rows}


WRONG_DX = {
    "the sign": lambda dout, cache: -conv2d_backward(dout, cache),
    "a factor": lambda dout, cache: 1.00001 * conv2d_backward(dout, cache),
    "an index, by one": lambda dout, cache: np.roll(conv2d_backward(dout, cache), 1, axis=3),
    "the order of the batch": lambda dout, cache: conv2d_backward(dout, cache)[::-1].copy(),
    "one entry": lambda dout, cache: with_entry(conv2d_backward(dout, cache), (1, 0, 2, 3), lambda g: g * 1.001),
    "one entry that is lost": lambda dout, cache: with_entry(conv2d_backward(dout, cache), (0, 1, 0, 0), lambda g: 0),
    "a constant that is added": lambda dout, cache: conv2d_backward(dout, cache) + 1e-4,
    "a flipped kernel": lambda dout, cache: conv2d_backward(dout, cache._replace(w=cache.w[:, :, ::-1])),
    "nothing at all": lambda dout, cache: 0 * conv2d_backward(dout, cache),
    "a NaN": lambda dout, cache: with_entry(conv2d_backward(dout, cache), (0, 0, 0, 0), lambda g: np.nan),
    "a gate on dout": lambda dout, cache: conv2d_backward(np.where(dout > 0, dout, 0), cache),
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("mistake", WRONG_DX)
def test_a_wrong_dx_of_a_convolution(mistake, full):
    layer = edited(Conv2d(2, 3, (2, 3), pad=(1, 0, 0, 1)), backward_input=WRONG_DX[mistake])
    report = gradcheck(layer, (2, 2, 3, 4), full=full)
    assert verdicts(report) == {"dx": False, "dw": True, "db": True}
    assert not report.ok and report.kinks == 0
    assert "FAILED" in str(report) and "WRONG" in str(report)


def test_the_report_says_where():
    backward = WRONG_DX["one entry"]
    row = gradcheck(edited(Conv2d(2, 3, (2, 3), pad=(1, 0, 0, 1)), backward_input=backward), (2, 2, 3, 4)).rows[0]
    assert row.where == "(1,0,2,3)"
    assert row.error == pytest.approx(0.001 / 1.001, rel=1e-3)
    assert row.backward == pytest.approx(1.001 * row.numeric, rel=1e-6)


@pytest.mark.parametrize("name", ["w", "b"])
def test_wrong_in_one_parameter_only(name):
    def backward_params(dout, cache):
        grads = conv2d_backward_params(dout, cache)
        return {**grads, name: with_entry(grads[name], -1, lambda g: 2 * g)}

    report = gradcheck(edited(Conv2d(2, 3, 2), backward_params=backward_params), (2, 2, 3, 4))
    assert verdicts(report) == {"dx": True, "dw": name != "w", "db": name != "b"}


def test_a_bias_gradient_that_forgets_the_batch():
    def backward_params(dout, cache):
        return {**linear_backward_params(dout, cache), "b": dout[0]}

    assert verdicts(gradcheck(edited(Linear(3, 2), backward_params=backward_params), (2, 3)))["db"] is False


def test_wrong_in_a_large_array():
    def backward_params(dout, cache):
        grads = linear_backward_params(dout, cache)
        return {**grads, "w": with_entry(grads["w"], (30, 30), lambda g: -g)}

    report = gradcheck(edited(Linear(60, 50), backward_params=backward_params), (2, 60))
    assert verdicts(report) == {"dx": True, "dw": False, "db": True}


def test_a_batch_norm_that_takes_its_statistics_for_constants():
    def backward(dout, cache):
        return batch_norm2d_backward(dout, cache._replace(var=None))

    assert not gradcheck(edited(BatchNorm2d(2), backward_input=backward), (2, 2, 3, 2), train=True).ok
    assert gradcheck(edited(BatchNorm2d(2), backward_input=backward), (2, 2, 3, 2)).ok


def test_a_batch_norm_that_forgets_w():
    def backward(dout, cache):
        return batch_norm2d_backward(dout, cache._replace(w=np.ones_like(cache.w)))

    assert not gradcheck(edited(BatchNorm2d(2), backward_input=backward), (2, 2, 3, 2)).ok


def test_a_softmax_that_forgets_what_the_classes_share():
    report = gradcheck(edited(Softmax(), backward_input=lambda dout, c: dout * c.out * (1 - c.out)), (2, 3))
    assert not report.ok
    assert gradcheck(edited(Softmax(), backward_input=softmax_backward), (2, 3)).ok


# Kinks -----------------------------------------------------------------------------------------------------------


def test_a_kink_exactly_at_zero_is_skipped_and_counted():
    report = gradcheck(ReLU(), np.array([[0.0, 1.0, -1.0], [2.0, -0.0, 3.0]]))
    row = report.rows[0]
    assert (row.checked, row.kinks, report.ok) == (4, 2, True)
    assert str(report).splitlines()[2].split()[-3:] == ["4", "2", "ok"]


@pytest.mark.parametrize("share", [0.01, 0.2, 1 / 3, 0.4, 0.5, 0.6, 0.8, 0.99])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_kink_within_the_step_is_skipped(share, side):
    report = gradcheck(ReLU(), np.array([side * share * 1e-5, 1.0]), eps=1e-5)
    assert report.ok and report.kinks == 1


def test_beyond_the_step_there_is_no_kink():
    report = gradcheck(ReLU(), np.array([1.01e-5, -1.01e-5]), eps=1e-5)
    assert report.ok and report.kinks == 0


def test_a_tie_in_max_pooling_is_a_kink():
    x = np.array([5.0, 5.0, 1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 6)
    report = gradcheck(MaxPool2d((1, 2)), x)
    assert report.ok and (report.rows[0].checked, report.kinks) == (4, 2)


def test_two_kinks_that_cancel_are_still_kinks():
    # relu(x) + relu(-x) is |x|; with the outputs apart, and dout equal, the central difference is blind to them.
    def forward(x):
        return np.stack([np.where(x > 0, x, 0), np.where(x < 0, x, 0)]), x

    def backward(dout, x):
        return np.where(x > 0, dout[0], 0) + np.where(x < 0, dout[1], 0)

    report = gradcheck((forward, backward), np.array([0.0, 1.0]))
    assert report.ok and report.kinks == 1


def test_nothing_but_kinks_is_no_success():
    report = gradcheck(ReLU(), np.zeros((2, 3)))
    assert not report.ok and report.kinks == 6
    assert "NOT CHECKED" in str(report)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda dout, cache: dout,
        lambda dout, cache: np.where(cache.out > 0, 0, dout),
        lambda dout, cache: 0.5 * relu_backward(dout, cache),
        lambda dout, cache: np.where(dout > 0, relu_backward(dout, cache), 0),
        lambda dout, cache: np.where(cache.out > 0.5, dout, 0),
        lambda dout, cache: relu_backward(dout, cache) + np.random.default_rng(0).standard_normal(dout.shape),
    ],
)
def test_a_wrong_gradient_is_never_a_kink(wrong):
    x = np.random.default_rng(1).standard_normal((4, 5))
    x[0, 0] = 0  # one kink there is
    report = gradcheck(edited(ReLU(), backward_input=wrong), x)
    assert not report.ok and report.kinks == 1 and report.rows[0].checked == 19


def test_a_wrong_gradient_right_beside_a_kink_is_seen():
    x = np.array([2e-5, -2e-5, 1.0])
    right = gradcheck(ReLU(), x)
    wrong = gradcheck(edited(ReLU(), backward_input=lambda dout, cache: np.where(cache.out > -1e-3, dout, 0)), x)
    assert right.ok and not wrong.ok and wrong.kinks == 0 and wrong.rows[0].where == "(1)"


def test_switches_that_point_to_the_wrong_cell():
    def backward(dout, cache):
        return max_pool2d_backward(dout, cache._replace(argmax=(cache.argmax + 1) % 4))

    report = gradcheck(edited(MaxPool2d(2), backward_input=backward), (1, 2, 4, 4))
    assert not report.ok and report.kinks == 0


def test_a_curved_function_is_not_full_of_kinks():
    def forward(x):
        return np.sin(30 * x), x

    report = gradcheck((forward, lambda dout, x: 30 * np.cos(30 * x) * dout), (5, 5))
    assert report.ok and report.kinks == 0
    report = gradcheck((forward, lambda dout, x: np.cos(30 * x) * dout), (5, 5))
    assert not report.ok and report.kinks == 0


def test_large_inputs_take_larger_steps():
    assert gradcheck(Sigmoid(), np.array([3.0, -3.0])).ok
    report = gradcheck((lambda x: (x**2, x), lambda dout, x: 2 * x * dout), np.array([1e6, -3e5]))
    assert report.ok and report.kinks == 0
