"""Convolutions of groups of few channels on a card: every shape for which their rungs have a way of their own."""

import cuda_cases
import numpy as np
import pytest
from cuda_conv_cases import FORWARD, INPUT, ONE, SAME, WEIGHT, arguments, check

from minicnn.kernels import reference
from minicnn.kernels.cuda import conv_groups, device, tiles
from minicnn.kernels.cuda.rungs import LADDERS

RUNGS = [pair for pair in cuda_cases.rungs(FORWARD, INPUT, WEIGHT) if "few_a_group" in pair[1]]
IN_CUDA_C = [pair for pair in RUNGS if LADDERS[pair[0]].rungs[pair[1]].in_cuda_c]
# x, w, stride, pad, dilation, groups
CASES = {
    "depthwise": ((2, 5, 9, 8), (5, 1, 3, 3), ONE, SAME, ONE, 5),
    "depthwise, other pads above": ((3, 4, 6, 12), (4, 1, 3, 3), ONE, (0, 3, 1, 1), ONE, 4),
    "depthwise, one row": ((1, 3, 1, 4), (3, 1, 3, 3), ONE, SAME, ONE, 3),
    "depthwise, rows without packs": ((2, 3, 7, 7), (3, 1, 3, 3), ONE, SAME, ONE, 3),
    "depthwise, other pads beside": ((2, 3, 5, 8), (3, 1, 3, 3), ONE, (1, 1, 0, 2), ONE, 3),
    "depthwise, stride 2": ((2, 4, 9, 8), (4, 1, 3, 3), (2, 2), SAME, ONE, 4),
    "depthwise, dilated": ((1, 3, 9, 8), (3, 1, 3, 3), ONE, (2, 2, 2, 2), (2, 2), 3),
    "depthwise, two filters a channel": ((2, 3, 6, 8), (6, 1, 3, 3), ONE, SAME, ONE, 3),
    "depthwise, 5x5": ((1, 3, 9, 8), (3, 1, 5, 5), ONE, (2, 2, 2, 2), ONE, 3),
    "three channels a group": ((2, 6, 5, 8), (4, 3, 3, 3), ONE, SAME, ONE, 2),
    "odd": ((2, 4, 8, 7), (6, 2, 2, 3), (2, 3), (2, 0, 1, 3), (2, 1), 2),
    "no image": ((0, 4, 5, 8), (4, 1, 3, 3), ONE, SAME, ONE, 4),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("operation", "rung"), IN_CUDA_C)
def test_windows_in_cuda_c(operation, rung, case, dtype):
    check(operation, rung, *arguments(operation, *CASES[case], dtype))


@pytest.mark.parametrize("case", ["depthwise, rows without packs", "odd", "no image"])
@pytest.mark.parametrize(("operation", "rung"), [pair for pair in RUNGS if pair not in IN_CUDA_C])
def test_windows_in_python(operation, rung, case):
    x_shape, *rest = CASES[case]
    check(operation, rung, *arguments(operation, (min(x_shape[0], 1), *x_shape[1:]), *rest))


def test_without_a_bias():
    check(FORWARD, "few_a_group_vectors", *arguments(FORWARD, *CASES["depthwise"], biased=False))
    check(FORWARD, "few_a_group_vectors", *arguments(FORWARD, *CASES["odd"], biased=False))


@pytest.mark.parametrize("case", ["depthwise", "depthwise, 5x5"])
@pytest.mark.parametrize("rung", [rung for operation, rung in RUNGS if operation == WEIGHT])
def test_a_sum_in_parts_is_the_same_each_time(monkeypatch, rung, case):
    monkeypatch.setattr(conv_groups, "THREADS", 16)  # as long as the shortest part
    counts = []
    monkeypatch.setattr(conv_groups, "parts", lambda *args: counts.append(tiles.parts(*args)) or counts[-1])
    args = arguments(WEIGHT, *CASES[case])
    first, second = check(WEIGHT, rung, *args), cuda_cases.call(WEIGHT, *args, rung=rung)
    assert counts[0] > 1
    np.testing.assert_array_equal(first, second)


def test_rows_are_taken_where_they_may_be(monkeypatch):
    """And no others: what they would do wrong is not to be seen in shapes that look alike."""
    taken = []
    rows = conv_groups._rows
    monkeypatch.setattr(conv_groups, "_rows", lambda *args: (taken.append(True), rows(*args)))
    for case, expected in [(name, name in list(CASES)[:3]) for name in CASES if name != "no image"]:
        for operation in (FORWARD, INPUT):
            taken.clear()
            cuda_cases.call(operation, *arguments(operation, *CASES[case]), rung="few_a_group_vectors")
            assert bool(taken) == expected, (operation, case)


@pytest.mark.parametrize("case", ["depthwise", "depthwise, rows without packs"])
def test_nan_and_infinity_reach_only_their_windows(case):
    x, w, *rest = arguments(FORWARD, *CASES[case])
    x[1, 0, 2, 3], w[2, 0, 0, 0] = np.nan, np.inf  # padding is multiplied by it, too
    with np.errstate(invalid="ignore"):
        expected = reference.conv2d_forward(x, w, *rest)
    got = cuda_cases.call(FORWARD, x, w, *rest, rung="few_a_group_vectors")
    assert 0 < np.isnan(expected[:, :2]).sum() == 9 and np.isnan(expected[:, 2]).any()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))


@pytest.mark.parametrize(
    ("w_shape", "groups", "expected"),
    [
        ((32, 1, 3, 3), 32, True),
        ((32, 4, 3, 3), 8, True),
        ((32, 32, 3, 3), 1, False),
        ((3, 3, 3, 3), 1, False),
        ((64, 8, 3, 3), 8, False),
    ],
)
@pytest.mark.parametrize("operation", [FORWARD, INPUT, WEIGHT])
def test_it_is_the_default_for_groups_of_few_channels_alone(operation, w_shape, groups, expected):
    """Of arrays that take no memory."""
    nothing = lambda shape: np.broadcast_to(np.float32(0), shape)  # noqa: E731
    x, w, dout = nothing((1, groups * w_shape[1], 8, 8)), nothing(w_shape), nothing((1, w_shape[0], 8, 8))
    geometry = (ONE, SAME, ONE, groups)
    args = {FORWARD: (x, w, None, *geometry, dout), INPUT: (dout, w, *geometry, x), WEIGHT: (dout, x, *geometry, w)}
    choose = device.on(device.Device("cuda", np, True), LADDERS[operation].choose)
    assert ("few_a_group" in choose(*args[operation]).name) == expected
