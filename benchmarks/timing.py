"""Times that can be compared: several functions in turn, again and again, and the median of each."""

import statistics
import time


def interleaved(functions, seconds=2.0, least=5, once=None):
    """The median seconds of each function.

    functions  called without arguments, in turn: what disturbs the machine disturbs all of them alike
    seconds    for how long together, at least `least` rounds
    once       (function) -> seconds, a function's turn; second_run unless given
    """
    once = once or second_run
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < least:
        for f, own in zip(functions, times):
            own.append(once(f))
    return [statistics.median(own) for own in times]


def second_run(function):
    """The seconds of the second of two runs.

    In the first one, threads of the library before it are still spinning, waiting for work on cores that this one
    needs; the very first compiles.
    """
    function()
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
