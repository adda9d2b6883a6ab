"""As much of CuPy as the backend `cuda` uses, without a card: arrays lie in this machine's memory, behind a wall.

Arrays are no NumPy arrays, and are refused wherever CuPy refuses: NumPy's arrays do not mix with them, and nothing
becomes one unasked. What moves between host and device is counted in `copies`. Around each array lie guards, by which
a kernel that writes past its end is found, and a new array holds NaN, by which one is found that reads what it never
wrote. CUDA C runs on the processor (host_compiler.py).
"""

import contextlib
import operator
import sys
import time
import types

import numpy as np

from . import host_compiler
from .host_compiler import RawModule, nvrtc, recording

__all__ = ["RawModule"]

copies = {"to_device": 0, "to_host": 0}
_GUARD = 64  # bytes on either side
_PATTERN = 0xA5
_TOTAL = 10**9  # bytes that the card has
_ATTRIBUTES = {"L2CacheSize": 4096, "MultiProcessorCount": 1}


class ndarray:
    """An array of the device."""

    __array_priority__ = 100

    def __init__(self, host, block=None):
        self._host = host
        self._block = block  # the Block that the numbers lie in

    # What is the same on both sides
    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: self._own(self._host.T))

    @property
    def flags(self):
        flags = self._host.flags  # CuPy's know nothing of writeable
        return types.SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._host.ctypes.data)

    def check_guards(self):
        if self._block is not None:
            self._block.check()

    def _own(self, found):
        return _wrap(found, self._block)

    # To the host
    def get(self):
        _refuse_while_recording()
        copies["to_host"] += 1
        return self._host.copy()

    def item(self, *args):
        return self.get().item(*args)

    def tolist(self):
        return self.get().tolist()

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __bool__(self):
        return bool(self.get())

    def __index__(self):
        return operator.index(self.get())

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return _call(getattr(ufunc, method), args, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return _call(function, args, kwargs)

    # On the device
    def __len__(self):
        return len(self._host)

    def __getitem__(self, key):
        return self._own(self._host[_bare(key)])

    def __setitem__(self, key, value):
        self._host[_bare(key)] = _bare(value)
        if recording.steps is not None:
            recording.steps.append(lambda: operator.setitem(self._host, _bare(key), _bare(value)))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape, order="C"):
        return self._own(self._host.reshape(*shape, order=order))

    def astype(self, dtype, copy=True):
        return self if not copy and self.dtype == dtype else _call(np.ndarray.astype, (self, dtype), {})

    def view(self, *args):
        return self._own(self._host.view(*args))


def _method(name):
    def call(self, *args, **kwargs):
        return _call(getattr(np.ndarray, name), (self, *args), kwargs)

    return call


_METHODS = """
sum mean max min argmax argmin prod var std all any copy ravel flatten transpose swapaxes squeeze repeat fill round clip
dot cumsum take nonzero conj argsort sort
__add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __pow__ __matmul__ __lt__ __le__ __gt__ __ge__ __eq__ __ne__
__and__ __or__ __xor__ __neg__ __pos__ __abs__ __invert__ __iadd__ __isub__ __imul__ __itruediv__
__radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rpow__ __rmatmul__ __rand__ __ror__
"""
for _name in _METHODS.split():
    setattr(ndarray, _name, _method(_name))


# Memory ----------------------------------------------------------------------------------------------------------


class OutOfMemoryError(MemoryError):
    pass


class Block:
    """Memory with guards around it; gives itself back to the pool."""

    def __init__(self, pool, nbytes):
        self._pool, self.nbytes = pool, nbytes
        pool._take(nbytes)
        raw = np.full(nbytes + 2 * _GUARD + 512, _PATTERN, np.uint8)
        self._raw, self._start = raw, _GUARD + -(raw.ctypes.data + _GUARD) % 512
        self.bytes = raw[self._start : self._start + nbytes]

    def check(self):
        before, after = self._raw[: self._start], self._raw[self._start + self.nbytes :]
        if (before != _PATTERN).any() or (after != _PATTERN).any():
            raise RuntimeError("a kernel wrote outside of its array")

    def __del__(self):
        if hasattr(self, "bytes"):
            self._pool._give(self.nbytes)


class MemoryPool:
    """Counts as CuPy's does: what is given back stays in the pool until the blocks are freed."""

    def __init__(self):
        self._used = self._kept = self._limit = 0
        self.peak = 0

    def _take(self, nbytes):
        if self._limit and self._used + self._kept + nbytes > self._limit and nbytes > self._kept:
            raise OutOfMemoryError(
                f"Out of memory allocating {nbytes:,} bytes (allocated so far: {self._used:,} bytes, "
                f"limit set to: {self._limit:,} bytes)."
            )
        self._kept -= min(nbytes, self._kept)
        self._used += nbytes
        self.peak = max(self.peak, self._used)

    def _give(self, nbytes):
        self._used -= nbytes
        self._kept += nbytes

    def malloc(self, nbytes):
        return Block(self, nbytes)

    def used_bytes(self):
        return self._used

    def total_bytes(self):
        return self._used + self._kept

    def free_all_blocks(self, stream=None):
        self._kept = 0

    def set_limit(self, size=None, fraction=None):
        self._limit = int(fraction * _TOTAL) if size is None else size

    def get_limit(self):
        return self._limit


_pool = MemoryPool()
_allocator = [_pool.malloc]


def get_default_memory_pool():
    return _pool


@contextlib.contextmanager
def _using_allocator(allocator):
    before, _allocator[0] = _allocator[0], allocator
    try:
        yield
    finally:
        _allocator[0] = before


# Making arrays ---------------------------------------------------------------------------------------------------


def empty(shape, dtype=float, order="C"):
    dtype = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    block = _allocator[0](int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    host = block.bytes.view(dtype).reshape(shape)
    host.fill(np.nan if dtype.kind == "f" else -1 if dtype.kind == "i" else 0)
    return ndarray(host, block)


def _new(host):
    """A copy of an array of the host as one of the device, by whatever reason."""
    out = empty(host.shape, host.dtype)
    out._host[...] = host
    return out


def zeros(shape, dtype=float):
    return _new(np.zeros(shape, dtype))


def ones(shape, dtype=float):
    return _new(np.ones(shape, dtype))


def full(shape, value, dtype=None):
    return _new(np.full(shape, value, dtype))


def arange(*args, **kwargs):
    return _new(np.arange(*args, **kwargs))


def asarray(x, dtype=None, order=None):
    if isinstance(x, ndarray):
        changed = np.asarray(x._host, dtype, order=order)
        return x if changed is x._host else _new(changed)
    _refuse_while_recording()
    copies["to_device"] += 1
    return _new(np.asarray(x, dtype))


array = asarray


def asnumpy(x):
    return x.get() if isinstance(x, ndarray) else np.asarray(x)


def ascontiguousarray(x):
    return x if x.flags.c_contiguous else _call(np.ascontiguousarray, (x,), {})


def broadcast_to(x, shape):
    return x._own(np.broadcast_to(x._host, shape))


def __getattr__(name):
    found = getattr(np, name)
    if isinstance(found, type) or not callable(found):
        return found
    return lambda *args, **kwargs: _call(found, args, kwargs)


def _call(function, args, kwargs):
    """NumPy's function on arrays of the device alone; what comes out are arrays of the device."""
    found = function(*(_bare(a) for a in args), **{k: _bare(a) for k, a in kwargs.items()})
    if found is NotImplemented:
        return found
    blocks = [a._block for a in args if isinstance(a, ndarray)]
    made = _wrap(found, blocks[0] if blocks else None)
    if recording.steps is not None and isinstance(made, ndarray) and made._block not in blocks:
        again = lambda: function(*map(_bare, args), **{k: _bare(a) for k, a in kwargs.items()})  # noqa: E731
        recording.steps.append(lambda: operator.setitem(made._host, ..., again()))
    return made


def _bare(a):
    if isinstance(a, ndarray):
        return a._host
    if isinstance(a, (tuple, list)):
        return type(a)(map(_bare, a))
    if isinstance(a, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return a


def _wrap(found, block):
    """A view keeps its block, anything else gets one of its own."""
    if isinstance(found, (tuple, list)):
        return type(found)(_wrap(f, block) for f in found)
    if not isinstance(found, (np.ndarray, np.generic)):
        return found
    found = np.asarray(found)
    if block is not None and found.size and np.may_share_memory(found, block.bytes):
        return ndarray(found, block)
    return _new(found)


# Streams and the driver ------------------------------------------------------------------------------------------


class CUDARuntimeError(RuntimeError):
    pass


class Stream:
    """All work is done when a call returns; a stream only knows whether it is the current one."""

    null: "Stream"
    _current = []

    def __init__(self, non_blocking=False, ptr=0):
        self.ptr = ptr or id(self)

    def __enter__(self):
        self._current.append(self)
        return self

    def __exit__(self, *exc):
        self._current.pop()

    def synchronize(self):
        _refuse_while_recording()

    def begin_capture(self):
        recording.steps = []

    def end_capture(self):
        graph, recording.steps = Graph(recording.steps), None
        return graph


class Graph:
    """What was asked for between begin_capture and end_capture, kernels and all."""

    def __init__(self, steps):
        self._steps = steps
        self.launches = 0

    def launch(self, stream=None):
        self.launches += 1
        for step in self._steps:
            step()


def _refuse_while_recording():
    if recording.steps is not None:
        raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")


class Event:
    """A moment: all that was asked for before it is done."""

    def record(self, stream=None):
        self._seconds = time.perf_counter()

    def synchronize(self):
        _refuse_while_recording()


def _elapsed_time(start, end):
    return 1e3 * (end._seconds - start._seconds)


def _properties(device):
    return {"name": b"stand-in", "major": 9, "minor": 0, "totalGlobalMem": _TOTAL}


Stream.null = Stream(ptr=1)


def _current_stream():
    return Stream._current[-1] if Stream._current else Stream.null


cuda = types.SimpleNamespace(
    runtime=types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (_TOTAL - _pool.total_bytes(), _TOTAL),
        getDeviceProperties=_properties,
        driverGetVersion=lambda: 13000,
    ),
    memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    Device=lambda: types.SimpleNamespace(compute_capability="90", attributes=_ATTRIBUTES),
    nvrtc=nvrtc,
    MemoryPool=MemoryPool,
    using_allocator=_using_allocator,
    Stream=Stream,
    Graph=Graph,
    Event=Event,
    get_elapsed_time=_elapsed_time,
    get_current_stream=_current_stream,
)


@contextlib.contextmanager
def installed():
    """Inside, `cuda` can be imported, and computes on this stand-in."""
    from minicnn.kernels.cuda import device

    device.simulator()  # Numba's rungs run on the simulator
    # Whatever of CuPy is loaded goes: who looks through all modules, as PyTorch does, would have its parts load others.
    loaded = [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]
    names = {"cupy", "minicnn.kernels.cuda.card", *loaded}
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.modules["cupy"] = sys.modules[__name__]
    try:
        yield sys.modules[__name__]
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@contextlib.contextmanager
def simulating():
    """Inside, rungs that Numba compiles take this stand-in's arrays, on its simulator; the user's cache is let be."""
    from minicnn.kernels.cuda import compiler, launch

    before = launch.on_simulator, launch.Kernel._launch, compiler.folder
    take, start, _ = before

    def start_or_record(*args):
        if recording.steps is None:
            start(*args)
        else:
            recording.steps.append(lambda: start(*args))

    launch.on_simulator = lambda a: take(a._host if isinstance(a, ndarray) else a)
    launch.Kernel._launch = start_or_record
    compiler.folder = host_compiler.folder
    try:
        yield
    finally:
        launch.on_simulator, launch.Kernel._launch, compiler.folder = before
