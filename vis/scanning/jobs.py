"""Many calls of one function, here or wherever an executor runs them."""

from concurrent.futures import FIRST_COMPLETED, wait

# Enough for any number of workers to have the next one waiting; what is sent is in memory until it has come back.
_AHEAD = 32


def as_completed(executor, function, calls):
    """(key, result) of each call, as they are done: any order.

    executor  a `concurrent.futures.Executor`, or None: one after the other, here
    calls     (key, arguments) of each; taken up only as far as they are needed
    What is still waiting when this ends early is cancelled. An error of the function is raised here.
    """
    if executor is None:
        for key, arguments in calls:
            yield key, function(*arguments)
        return
    calls, waiting = iter(calls), {}
    try:
        while True:
            while len(waiting) < _AHEAD and (call := next(calls, None)) is not None:
                waiting[executor.submit(function, *call[1])] = call[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()
