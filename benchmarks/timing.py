"""Times that can be compared: several functions in turn, again and again, and the median of each."""

import statistics
import time


def interleaved(functions, seconds=2.0, least=5):
    """The median seconds of each function.

    functions  called without arguments, in turn: what disturbs the machine disturbs all of them alike. In its turn
               each runs twice and the second run counts: in the first one, threads of the library before it are still
               spinning, waiting for work on cores that this one needs; the very first compiles
    seconds    for how long together, at least `least` rounds
    """
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < least:
        for f, own in zip(functions, times):
            f()
            start = time.perf_counter()
            f()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]
