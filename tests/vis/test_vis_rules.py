"""The edited gradients on every pair of signs, and their named sets."""

import numpy as np
import pytest

from minicnn.layers import ReLU
from minicnn.layers.relu import ReLUCache
from minicnn.vis.rules import RULES, relu_deconvnet, relu_guided

INF, NAN = np.inf, np.nan
#                      x  (read forward)       dout (from above)
NINE = [(x, dout) for x in (-2.0, 0.0, 2.0) for dout in (-3.0, 0.0, 3.0)]
DECONVNET = [0, 0, 3, 0, 0, 3, 0, 0, 3]
GUIDED = [0, 0, 0, 0, 0, 0, 0, 0, 3]
GRADIENT = [0, 0, 0, 0, 0, 0, -3, 0, 3]


def _apply(rule, pairs, dtype="float64"):
    x, dout = np.array(pairs, dtype).T
    return rule(dout, ReLUCache(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("rule", "expected"), [(relu_deconvnet, DECONVNET), (relu_guided, GUIDED), (ReLU.backward_input, GRADIENT)]
)
def test_nine_sign_cases(rule, expected, dtype, backend):
    dx = _apply(rule, NINE, dtype)
    assert dx.dtype == dtype
    np.testing.assert_array_equal(dx, expected)
    assert not np.signbit(dx[np.array(expected) == 0]).any()  # no -0.0


@pytest.mark.parametrize("rule", [relu_deconvnet, relu_guided])
def test_what_is_not_finite(rule):
    # x > 0 everywhere: only dout decides.
    dx = _apply(rule, [(1, INF), (1, -INF), (1, NAN), (1, -0.0), (INF, 5)])
    np.testing.assert_array_equal(dx, [INF, 0, 0, 0, 5])
    assert not np.signbit(dx).any()


def test_closed_gates_stop_infinity():
    # Multiplying by a mask would make NaN of 0 * inf.
    np.testing.assert_array_equal(_apply(relu_guided, [(-1, INF), (0, INF), (-0.0, INF), (NAN, 5), (-INF, 5)]), 0)
    np.testing.assert_array_equal(_apply(relu_deconvnet, [(-1, INF), (NAN, 5), (-INF, 7)]), [INF, 5, 7])


def test_arguments_are_left_alone():
    x, dout = np.array(NINE).T
    before = x.copy(), dout.copy()
    for rule in (relu_deconvnet, relu_guided):
        rule(dout, ReLUCache(x))
    np.testing.assert_array_equal((x, dout), before)


def test_named_sets():
    assert RULES == {"gradient": {}, "deconvnet": {ReLU: relu_deconvnet}, "guided_backprop": {ReLU: relu_guided}}
