"""Schedules: by hand, against PyTorch's over whole runs, and what they refuse."""

import dataclasses
import math

import numpy as np
import pytest

from minicnn.errors import MinicnnError
from minicnn.train.schedules import Constant, Cosine, OneCycle, Plateau, StepDown, WarmUp


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (Constant(0.3), {0: 0.3, 10**9: 0.3}),
        (StepDown(8, at=3, factor=0.5), {0: 8, 2: 8, 3: 4, 5: 4, 6: 2}),
        (StepDown(8, at=(2, 5), factor=0.25), {0: 8, 1: 8, 2: 2, 4: 2, 5: 0.5, 99: 0.5}),
        (StepDown(1, at=2), {3: 0.1}),
        (Cosine(4, steps=6), {0: 4, 2: 3, 3: 2, 4: 1, 6: 0, 7: 0, 12: 0}),
        (Cosine(4, steps=6, low=2), {0: 4, 2: 3.5, 3: 3, 6: 2, 99: 2}),
        # 10 steps, half of them rising: from 1 at 0 over 8 at 4 to 0.5 at 9
        (OneCycle(8, 10, rise=0.5, start=1 / 8, end=1 / 16), {0: 1, 2: 4.5, 4: 8, 9: 0.5, 99: 0.5}),
        (OneCycle(25, 100), {0: 1, 29: 25, 99: 1e-4}),
        (WarmUp(Constant(8), steps=4, start=0.5), {0: 4, 1: 5, 2: 6, 3: 7, 4: 8, 99: 8}),
        (WarmUp(Constant(8), steps=9), {0: 0.8}),
        (WarmUp(StepDown(8, at=2, factor=0.5), steps=4, start=0.5), {0: 4, 1: 5, 2: 3, 3: 3.5, 4: 2}),
        (WarmUp(WarmUp(Constant(8), 2, 0.5), 2, 0.5), {0: 2, 1: 4.5, 2: 8}),
    ],
    ids=str,
)
def test_by_hand(schedule, expected):
    for step, rate in expected.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-12, abs=1e-15), step


def test_the_last_step_of_a_cosine_is_not_wasted():
    assert [Cosine(1, 4)(step) > 0 for step in range(5)] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "schedule", [Constant(1), StepDown(1, 3), Cosine(1, 9), OneCycle(1, 9), WarmUp(Cosine(1, 9), 3)]
)
def test_a_function_of_the_step_alone(schedule):
    """Any order of steps and anything reported give the same rates; nothing can be set, nothing is to be kept."""
    forward = [schedule(step) for step in range(12)]
    schedule.report(0.5)
    assert [schedule(step) for step in reversed(range(12))] == forward[::-1]
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})
    with pytest.raises(MinicnnError, match=r"keeps nothing, the state has rate"):
        schedule.load_state_dict({"rate": 1})
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.rate = 2


# Plateau -----------------------------------------------------------------------------------------------------------


def _rates(schedule, values):
    rates = []
    for step, value in enumerate(values):
        schedule.report(value)
        rates.append(schedule(step))
    return rates


def test_plateau_by_hand():
    schedule = Plateau(1, factor=0.5, patience=1, threshold=0.25, low=0.2)
    assert schedule(0) == 1
    # 8 is the first best; 6.5 is above 0.75*8, so the second wait; 5.9 improves; nothing does after it
    assert _rates(schedule, [8, 6.5, 5.9, 5, 5, 5, 5, math.nan, 5]) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2]
    assert _rates(schedule, [5, 5]) == [0.2, 0.2]


def test_plateau_of_what_should_be_high():
    assert _rates(Plateau(1, patience=0, threshold=0.25, highest=True), [0.4, 0.49, 0.51, 0.8]) == [1, 0.1, 0.1, 0.1]


def test_plateau_without_any_improvement_drops():
    assert _rates(Plateau(1, factor=0.5, patience=0), [math.nan, math.inf]) == [0.5, 0.25]


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: WarmUp(s, 5)], ids=["alone", "warmed up"])
def test_a_restored_plateau_goes_on(wrap):
    values = np.random.default_rng(0).random(60).tolist()
    first, second = (wrap(Plateau(0.1, factor=0.7, patience=2)) for _ in range(2))
    _rates(first, values[:31])
    state = first.state_dict()
    assert state.keys() == {"rate", "best", "waited"} and state["rate"] < 0.1 and state["best"] == min(values[:31])
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert _rates(first, values[31:]) == _rates(second, values[31:])


@pytest.mark.parametrize(
    "state, said",
    [
        ({}, "keeps rate, best, waited, the state has nothing"),
        ({"rate": 1, "best": 1}, "the state has rate, best"),
        ({"rate": 1, "best": 1, "waited": "two"}, "holds numbers, not .*two"),
        ({"rate": None, "best": 1, "waited": 2}, "holds numbers, not"),
        ({"rate": 1, "best": 1, "waited": math.inf}, "holds numbers, not"),
    ],
)
def test_plateau_refuses_another_state(state, said):
    schedule = Plateau(0.1)
    before = schedule.state_dict()
    with pytest.raises(MinicnnError, match=said):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before


# Against PyTorch ---------------------------------------------------------------------------------------------------

STEPS = 60
PAIRS = [
    (StepDown(0.3, at=7), "StepLR", {"step_size": 7}),
    (StepDown(0.3, at=13, factor=0.5), "StepLR", {"step_size": 13, "gamma": 0.5}),
    (StepDown(0.3, at=(11, 40), factor=0.2), "MultiStepLR", {"milestones": [11, 40], "gamma": 0.2}),
    (Cosine(0.3, STEPS), "CosineAnnealingLR", {"T_max": STEPS}),
    (Cosine(0.3, STEPS, low=0.01), "CosineAnnealingLR", {"T_max": STEPS, "eta_min": 0.01}),
    (OneCycle(0.3, STEPS + 1), "OneCycleLR", {"max_lr": 0.3, "total_steps": STEPS + 1}),
    (
        OneCycle(0.3, STEPS + 1, rise=0.41, start=0.1, end=1e-3),
        "OneCycleLR",
        {"max_lr": 0.3, "total_steps": STEPS + 1, "pct_start": 0.41, "div_factor": 10, "final_div_factor": 100},
    ),
    (WarmUp(Constant(0.3), 5, start=1 / 3), "LinearLR", {}),
    (WarmUp(Constant(0.3), 17, start=0.05), "LinearLR", {"start_factor": 0.05, "total_iters": 17}),
]


def _twin(torch, rate=0.3):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def _their_rates(optimiser, schedulers, steps):
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


@pytest.mark.oracle
@pytest.mark.parametrize("ours, theirs, arguments", PAIRS, ids=lambda v: str(v) if isinstance(v, str) else None)
def test_a_whole_run_is_pytorchs(ours, theirs, arguments):
    torch = pytest.importorskip("torch")
    optimiser = _twin(torch)
    scheduler = getattr(torch.optim.lr_scheduler, theirs)(optimiser, **arguments)
    rates = _their_rates(optimiser, [scheduler], STEPS)
    np.testing.assert_allclose([ours(step) for step in range(STEPS)], rates, rtol=1e-10, atol=1e-14)


@pytest.mark.oracle
def test_a_warm_up_over_steps_is_pytorchs_chain():
    torch = pytest.importorskip("torch")
    optimiser = _twin(torch)
    chain = [
        torch.optim.lr_scheduler.StepLR(optimiser, 4, 0.5),
        torch.optim.lr_scheduler.LinearLR(optimiser, 0.1, total_iters=10),
    ]
    ours = WarmUp(StepDown(0.3, at=4, factor=0.5), 10)
    np.testing.assert_allclose(
        [ours(step) for step in range(30)], _their_rates(optimiser, chain, 30), rtol=1e-12, atol=0
    )


@pytest.mark.oracle
@pytest.mark.parametrize("highest", [False, True])
@pytest.mark.parametrize("settings", [{}, {"factor": 0.5, "patience": 2, "threshold": 0.05}, {"patience": 0}])
def test_plateau_is_pytorchs(highest, settings):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    curve = np.exp(-np.arange(120) / 15) + 0.1 * rng.random(120)
    values = 1.2 - curve if highest else curve
    optimiser = _twin(torch)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max" if highest else "min", min_lr=1e-3, eps=0, **settings
    )
    rates = []
    for value in values:
        scheduler.step(value)
        rates.append(optimiser.param_groups[0]["lr"])
    assert len(set(rates)) > 2
    assert _rates(Plateau(0.3, low=1e-3, highest=highest, **settings), values) == rates


# Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Constant(-1), "rate must be a number >= 0, not -1"),
        (lambda: Constant(math.nan), "rate must be"),
        (lambda: Constant("0.1"), "rate must be"),
        (lambda: StepDown(math.inf, 3), "rate must be"),
        (lambda: StepDown(1, 0), r"at\[0\] must be an int >= 1, not 0"),
        (lambda: StepDown(1, (3, 2.5)), r"at\[1\] must be an int >= 1, not 2.5"),
        (lambda: StepDown(1, (5, 3)), r"at must be rising steps, not \(5, 3\)"),
        (lambda: StepDown(1, (3, 3)), "rising"),
        (lambda: StepDown(1, None), r"at\[0\] must be an int >= 1, not None"),
        (lambda: StepDown(1, 3, factor=2), r"factor must be a number in \[0, 1\], not 2"),
        (lambda: Cosine(1, 0), "steps must be an int >= 1, not 0"),
        (lambda: Cosine(1, 10.0), "steps must be an int"),
        (lambda: Cosine(1, 5, low=2), r"low must be a number in \[0, rate 1\], not 2"),
        (lambda: OneCycle(1, 0), "steps must be"),
        (lambda: OneCycle(1, 10, rise=0.1), "rise must be above 1/10 and below 1, not 0.1"),
        (lambda: OneCycle(1, 10, rise=1), "rise must be"),
        (lambda: OneCycle(1, 10, start=2), "start must be"),
        (lambda: OneCycle(1, 10, end=-1), "end must be"),
        (lambda: WarmUp(0.1, 5), "lowers another schedule, not 0.1"),
        (lambda: WarmUp(Constant(1), 0), "steps must be"),
        (lambda: WarmUp(Constant(1), 5, start=1.5), "start must be"),
        (lambda: Plateau(-1), "rate must be"),
        (lambda: Plateau(1, factor=1.1), "factor must be"),
        (lambda: Plateau(1, patience=-1), "patience must be an int >= 0, not -1"),
        (lambda: Plateau(1, threshold=1), "threshold must be"),
        (lambda: Plateau(1, low=3), "low must be"),
    ],
)
def test_wrong_settings_are_refused(make, said):
    with pytest.raises(MinicnnError, match=said):
        make()
