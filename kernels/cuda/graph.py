"""A whole pass as a CUDA graph: recorded once, then all its kernels are started by one call.

A small net's kernels take less time than starting them one by one does: GoogLeNet's image gradient of a single image is
some 300 launches of 5 to 20 microseconds each on the host. A graph's launch is a single one.

    gradient = Graph(lambda x: net.backward(dout, net.forward(x, once=True)[1], params=False)[0], x)
    dx = gradient(x)        # any x of that shape and dtype

What is recorded is which kernels run, on which memory. Shapes are therefore fixed, nothing in the pass may depend on a
number that is read from the card, and nothing may be copied between host and card (dropout draws on the host). Arrays
that the pass reads besides x, a net's weights say, are read anew by each call, from where they lay.

Nvidia, CUDA C++ Programming Guide, section "CUDA Graphs". Not yet run on a card: the tests record on a stand-in.
"""

import contextlib

from .. import get
from ..errors import BackendError, DTypeError, ShapeError
from ..shapes import show


class Graph:
    """`function`, a pass over arrays of the card, recorded for arguments like these arrays.

    function    takes arrays and returns an array or a tuple of them; called twice, for its kernels are compiled first
    call        graph(*arrays) returns what function(*arrays) would, in new arrays; not from two threads at a time
    Raises BackendError where the pass cannot be recorded.
    """

    def __init__(self, function, *arrays):
        xp = get("cuda").xp
        # The graph's memory is its own for as long as it lives: nobody else may be given what its kernels write to.
        self._pool, stream = xp.cuda.MemoryPool(), xp.cuda.Stream(non_blocking=True)
        with xp.cuda.using_allocator(self._pool.malloc):
            self._inputs = tuple(x.copy() for x in arrays)
            xp.cuda.get_current_stream().synchronize()
            with stream:
                function(*self._inputs)
                stream.synchronize()
                self._outputs, self._graph = _record(function, self._inputs, stream)
        self._xp = xp

    def __call__(self, *arrays):
        if len(arrays) != len(self._inputs):
            raise BackendError(f"the graph takes {len(self._inputs)} arrays, not {len(arrays)}")
        for i, (x, recorded) in enumerate(zip(arrays, self._inputs)):
            if x.shape != recorded.shape:
                raise ShapeError(f"argument {i} is {show(x.shape)}, the graph was recorded for {show(recorded.shape)}")
            if x.dtype != recorded.dtype:
                raise DTypeError(f"argument {i} is {x.dtype}, the graph was recorded for {recorded.dtype}")
            recorded[...] = x
        self._graph.launch(self._xp.cuda.get_current_stream())
        # The next call writes over the graph's own.
        found = tuple(out.copy() for out in _tuple(self._outputs))
        return found if isinstance(self._outputs, tuple) else found[0]


def _record(function, inputs, stream):
    """(what function returned, the graph)"""
    stream.begin_capture()
    try:
        outputs = function(*inputs)
    except Exception as error:
        # The driver may have ended the recording already, with an error of its own.
        with contextlib.suppress(Exception):
            stream.end_capture()
        raise BackendError(f"the pass cannot be recorded as a CUDA graph: {error}") from error
    return outputs, stream.end_capture()


def _tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)
