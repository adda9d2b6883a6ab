"""Learning rates over a run: schedule(step) -> rate.

    schedule = WarmUp(Cosine(0.1, steps=6000), steps=300)
    optimiser.step(params, grads, schedule(step))

step counts from 0, in whatever unit the schedule was made in (steps, epochs). All but Plateau are pure functions of it
and nothing else, so that a run that goes on from a checkpoint needs to know its step alone.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from numbers import Integral

from ..errors import MinicnnError
from ..layers.checks import check_number


class Schedule:
    """A function of the step; what only Plateau needs is here for all, so that a loop treats all alike."""

    def __call__(self, step):
        raise NotImplementedError

    def report(self, value):
        """What an evaluation found; only Plateau listens."""

    def state_dict(self):
        """{name: number}, what a checkpoint must hold; nothing but for Plateau."""
        return {}

    def load_state_dict(self, state):
        """Go on from what `state_dict` gave; raises MinicnnError for another schedule's, and changes nothing then."""
        _check_state(self, state)


@dataclass(frozen=True)
class Constant(Schedule):
    """rate, always."""

    rate: float

    def __post_init__(self):
        _check_rate(self.rate)

    def __call__(self, step):
        return self.rate


@dataclass(frozen=True)
class StepDown(Schedule):
    """A rate that drops and stays.

        rate * factor^(step // at),  or with steps a, b, ...  rate * factor^(how many of them are <= step)

    at      an int: every so many steps; or a tuple of steps, rising
    factor  0.1, as AlexNet's: Krizhevsky et al., NeurIPS 2012, section 5
    """

    rate: float
    at: int | tuple
    factor: float = 0.1

    def __post_init__(self):
        _check_rate(self.rate)
        _check_factor("factor", self.factor)
        at = self.at if isinstance(self.at, (tuple, list)) else (self.at,)
        for i, step in enumerate(at):
            _check_count(f"at[{i}]", step, 1)
        if list(at) != sorted(set(at)):
            raise MinicnnError(f"at must be rising steps, not {self.at!r}")

    def __call__(self, step):
        drops = step // self.at if isinstance(self.at, Integral) else bisect_right(self.at, step)
        return self.rate * self.factor**drops


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from rate down to low.

        low + (rate - low) * (1 + cos(pi * step / steps)) / 2,  low after it

    Loshchilov & Hutter, ICLR 2017, equation 5, without restarts
    """

    rate: float
    steps: int
    low: float = 0.0

    def __post_init__(self):
        _check_rate(self.rate)
        _check_count("steps", self.steps, 1)
        _check_low(self.low, self.rate)

    def __call__(self, step):
        return _half_cosine(self.rate, self.low, step / self.steps)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to a rate that is nearly too high, then down to almost nothing, each as half a cosine.

        from start * rate at step 0  to rate at step rise * steps - 1  to end * rate at steps - 1 and after

    rate    the highest
    rise    the part of the steps that it rises; 0.3, start 1/25 and end 1/250,000 are PyTorch's, and so is the cosine,
            where [1] has straight lines
    [1] Smith & Topin, arXiv 1708.07120, section 3
    """

    rate: float
    steps: int
    rise: float = 0.3
    start: float = 1 / 25
    end: float = 1 / 250_000

    def __post_init__(self):
        _check_rate(self.rate)
        _check_count("steps", self.steps, 1)
        _check_factor("start", self.start)
        _check_factor("end", self.end)
        check_number("rise", self.rise, lambda v: 1 / self.steps < v < 1, f"above 1/{self.steps} and below 1")

    def __call__(self, step):
        top, last = self.rise * self.steps - 1, self.steps - 1
        if step <= top:
            return _half_cosine(self.start * self.rate, self.rate, step / top)
        return _half_cosine(self.rate, self.end * self.rate, (step - top) / (last - top))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Another schedule, lowered at first: the full rate would throw a net that is still random about.

        schedule(step) * (start + (1 - start) * min(step, steps) / steps)

    The other schedule runs underneath, from step 0. start 0.1 is that of He et al., CVPR 2016, section 4.2; a line as
    in Goyal et al., arXiv 1706.02677, section 2.2.
    """

    schedule: Schedule
    steps: int
    start: float = 0.1

    def __post_init__(self):
        if not isinstance(self.schedule, Schedule):
            raise MinicnnError(f"WarmUp lowers another schedule, not {self.schedule!r}")
        _check_count("steps", self.steps, 1)
        _check_factor("start", self.start)

    def __call__(self, step):
        return self.schedule(step) * (self.start + (1 - self.start) * min(step, self.steps) / self.steps)

    def report(self, value):
        self.schedule.report(value)

    def state_dict(self):
        return self.schedule.state_dict()

    def load_state_dict(self, state):
        self.schedule.load_state_dict(state)


@dataclass
class Plateau(Schedule):
    """A rate that drops when evaluations no longer improve: AlexNet's rule, by a machine.

        report(value):  value < best * (1 - threshold)  is an improvement;
                        after more than `patience` reports in a row without one,  rate <- max(rate * factor, low)

    highest    whether large values are the good ones (accuracy): then value > best * (1 + threshold) improves
    value      >= 0 (a loss, an accuracy), since the threshold is a part of the best; NaN never improves
    Defaults: PyTorch's ReduceLROnPlateau's; factor: Krizhevsky et al., NeurIPS 2012, section 5
    """

    rate: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    low: float = 0.0
    highest: bool = False
    best: float = field(init=False)
    waited: int = field(default=0, init=False)  # reports since the best one or the last drop

    def __post_init__(self):
        _check_rate(self.rate)
        _check_factor("factor", self.factor)
        _check_count("patience", self.patience, 0)
        check_number("threshold", self.threshold, lambda v: 0 <= v < 1, "a number in [0, 1)")
        _check_low(self.low, self.rate)
        self.best = -math.inf if self.highest else math.inf

    def __call__(self, step):
        return self.rate

    def report(self, value):
        value = float(value)
        least = self.best * (1 + self.threshold if self.highest else 1 - self.threshold)
        if value > least if self.highest else value < least:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.rate, self.waited = max(self.rate * self.factor, self.low), 0

    def state_dict(self):
        return {"rate": self.rate, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        _check_state(self, state)
        try:
            rate, best, waited = float(state["rate"]), float(state["best"]), int(state["waited"])
        except (TypeError, ValueError, OverflowError) as error:
            raise MinicnnError(f"the state of Plateau holds numbers, not {state}") from error
        self.rate, self.best, self.waited = rate, best, waited


def _half_cosine(start, end, part):
    """From start to end while part goes from 0 to 1, and end after it."""
    return end + (start - end) * (1 + math.cos(math.pi * min(part, 1))) / 2


def _check_rate(rate):
    check_number("rate", rate, lambda v: 0 <= v < math.inf, "a number >= 0")


def _check_low(low, rate):
    check_number("low", low, lambda v: 0 <= v <= rate, f"a number in [0, rate {rate:g}]")


def _check_factor(name, value):
    check_number(name, value, lambda v: 0 <= v <= 1, "a number in [0, 1]")


def _check_count(name, value, least):
    check_number(name, value, lambda v: isinstance(v, Integral) and v >= least, f"an int >= {least}")


def _check_state(schedule, state):
    expected = schedule.state_dict()
    if state.keys() != expected.keys():
        raise MinicnnError(
            f"{type(schedule).__name__} keeps {', '.join(expected) or 'nothing'}, "
            f"the state has {', '.join(state) or 'nothing'}"
        )
