"""A block of threads on Numba's simulator: they take turns, in place of all running at once and being polled.

Numba starts a thread of Python for each of CUDA's and asks all of them, again and again, whether they wait: a block of
256 threads with a few barriers takes minutes. Here one runs at a time, to its next barrier, and a kernel without
barriers needs a single thread of Python. The order changes from barrier to barrier, so that one that is missing shows.
"""

import threading
from collections import deque

import numpy as np


def install():
    """Let Numba's simulator run its blocks so, in this process."""
    from numba.cuda.simulator import kernel

    kernel.BlockManager = Block


class Block:
    """In place of Numba's BlockManager: Block(f, grid, block, debug).run(where in the grid, *arguments)."""

    def __init__(self, function, grid, block, debug):
        self.function, self.shape = function, block
        self.error = None
        self._finished = threading.Lock()

    def run(self, where, *args):
        self.where, self.args = where, args
        self.todo = deque(np.ndindex(*self.shape))  # threads that have not begun
        self._ready, self._waiting, self._turn, self.ended = deque(), deque(), 0, 0
        self._finished.acquire()
        self.pass_on()
        self._finished.acquire()
        self._finished.release()
        if self.error:
            raise self.error from None

    def pass_on(self):
        """Lets the next thread run; called by the one that ran, as the last that it does before it waits or ends."""
        if self._ready:
            self._ready.popleft().turn.release()
        elif self.todo:
            Thread(self).start()
        elif self._waiting:
            if self.ended and not self.error:
                self.fail(RuntimeError(f"block {self.where}: a barrier is not reached by all of its threads"))
            self._turn += 1
            self._ready = deque(reversed(self._waiting) if self._turn % 2 else self._waiting)
            self._waiting.clear()
            self._ready.popleft().turn.release()
        else:
            self._finished.release()

    def wait(self, thread):
        """Returns when all threads of the block have come here."""
        self._waiting.append(thread)
        self.pass_on()
        thread.turn.acquire()
        if self.error:
            raise self.error

    def fail(self, error):
        """Keeps the first error; threads that wait are woken by it, others do not begin."""
        self.error = self.error or error
        self.todo.clear()


class Thread(threading.Thread):
    """What kernels find as the current thread; runs one of CUDA's after the other, as long as none of them waits."""

    def __init__(self, block):
        super().__init__(daemon=True)
        self._block, self.turn = block, threading.Lock()
        self.turn.acquire()

    def run(self):
        from numba.cuda.simulator.kernelapi import Dim3

        block = self._block
        while block.todo:
            at = block.todo.popleft()
            self.threadIdx, self.blockIdx = Dim3(*at), Dim3(*block.where)
            width, height = (*block.shape, 1, 1)[:2]
            self.thread_id = at[0] + width * (at[1] + height * at[2])
            try:
                block.function(*block.args)
            except Exception as error:
                block.fail(error)
            block.ended += 1
        block.pass_on()

    def syncthreads(self):
        self._block.wait(self)
