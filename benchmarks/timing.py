"""Times that can be compared: several functions in turn, again and again, and the median of each."""

import statistics
import time


def interleaved(functions, seconds=2.0, least=5):
    """The median seconds of each function; one uncounted run of each first, which compiles and warms up.

    functions  called without arguments, in turn: what disturbs the machine disturbs all of them alike
    seconds    for how long together, at least `least` rounds
    """
    for f in functions:
        f()
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < least:
        for f, own in zip(functions, times):
            start = time.perf_counter()
            f()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]
