"""A card's own clock: CUDA events before and after what is timed, on CuPy's current stream.

A kernel of 10 microseconds is started in 20: between events alone, the time of a short kernel is that of starting it.
So the card is kept busy with something else first, until what is to be timed stands in the queue. What lies in the
second-level cache decides the rest, hence two ways: cold, a buffer larger than that cache written just before; and
warm, just after another run of the same.
"""

from .cuda_busy import busy

# Rounds of a block's multiply-adds before what is timed: about a millisecond.
HOLD = 200_000


class Clock:
    """Each way takes a function without arguments, which has run before, and returns the seconds of one run."""

    def __init__(self, xp):
        self._xp = xp
        self._hold = busy(xp, 1, HOLD)
        self._spoiled = xp.empty(2 * xp.cuda.Device().attributes["L2CacheSize"] // 4, "float32")

    def cold(self, function):
        """With nothing in the cache."""
        self._spoiled.fill(0)
        self._hold()
        return self._between(function)

    def warm(self, function):
        """With what the run before left in the cache."""
        function()
        self._hold()
        return self._between(function)

    def whole(self, function):
        """As it comes, starting the kernels included; after another run."""
        function()
        self._xp.cuda.get_current_stream().synchronize()
        return self._between(function)

    def _between(self, function):
        start, end = self._xp.cuda.Event(), self._xp.cuda.Event()
        start.record()
        function()
        end.record()
        end.synchronize()
        return self._xp.cuda.get_elapsed_time(start, end) / 1e3
