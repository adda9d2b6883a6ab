"""What can be checked, each in one form: named float64 arrays, a forward over them, a backward to all of them.

arrays          {"x": array, "w": array ...}, host arrays of the check's own
forward(arrays) -> (out, cache)
backward(dout, cache) -> {"x": dx, "w": dw ...}
"""

import copy
import inspect

import numpy as np

from . import kernels
from .errors import MinicnnError
from .kernels.errors import DTypeError, ShapeError
from .kernels.shapes import show
from .layers import Layer
from .net import Net


def subject(what, xs, seed, train):
    """The subject for a layer, a net or a pair of functions; `what` itself is never changed."""
    rng = np.random.default_rng(seed)
    if isinstance(what, Net):
        return _NetSubject(what, xs, rng, train, seed)
    if isinstance(what, Layer):
        return _LayerSubject(what, xs, rng, train, seed)
    if isinstance(what, tuple) and len(what) == 2 and all(map(callable, what)):
        return _PairSubject(what, xs, rng)
    raise MinicnnError(
        f"gradcheck takes a layer, a net or a pair of functions (forward, backward), not {type(what).__name__}"
    )


class _Subject:
    """What the three share: the inputs, and getting arrays to the backend and back."""

    backend = None

    def __init__(self, xs, rng):
        xs = [_drawn(x, rng) for x in xs]
        self.inputs = ["x"] if len(xs) == 1 else [f"x{i}" for i in range(len(xs))]
        self.arrays = dict(zip(self.inputs, xs))

    def on_device(self, arrays):
        module = self.backend or kernels.current()
        return {name: module.to_device(a) for name, a in arrays.items()}

    def on_host(self, array):
        return (self.backend or kernels.current()).to_host(array)

    def named(self, dx):
        """{"x0": dx0 ...} from what backward returned."""
        dxs = dx if isinstance(dx, tuple) else (dx,)
        if len(dxs) != len(self.inputs):
            raise ShapeError(f"backward returned {len(dxs)} arrays for {len(self.inputs)} inputs")
        return dict(zip(self.inputs, dxs))


class _PairSubject(_Subject):
    def __init__(self, pair, xs, rng):
        if not xs:
            raise MinicnnError("gradcheck of a pair of functions needs x: an array, or its shape")
        super().__init__(xs, rng)
        self._forward, self._backward = pair
        function = getattr(self._forward, "func", self._forward)  # a partial has no name of its own
        self.title = getattr(function, "__name__", repr(function))

    def forward(self, arrays):
        return self._forward(*self.on_device(arrays).values())

    def backward(self, dout, cache):
        return self.named(self._backward(dout, cache))


class _LayerSubject(_Subject):
    def __init__(self, layer, xs, rng, train, seed):
        if not xs and inspect.signature(layer.forward).parameters:
            raise MinicnnError(f"gradcheck of {layer!r} needs x: an array, or its shape, one an input")
        super().__init__(xs, rng)
        drawn = not layer.params and bool(layer.param_shapes)
        self._layer = copy.copy(layer).init(rng).astype("float64") if drawn else layer.astype("float64")
        if drawn:
            _unsettle(self._layer, rng)
        self._layer.buffers = self.on_device(self._layer.buffers)
        self.arrays.update({name: self.on_host(a).copy() for name, a in self._layer.params.items()})
        self._modes = (lambda: {"train": train, "rng": np.random.default_rng(seed)}) if layer.has_modes else dict
        self.title = repr(layer) + (", training" if layer.has_modes and train else "")

    def forward(self, arrays):
        arrays = self.on_device(arrays)
        xs = [arrays.pop(name) for name in self.inputs]
        self._layer.params = arrays
        return self._layer.forward(*xs, **self._modes())

    def backward(self, dout, cache):
        if isinstance(dout, float):  # functions may return plain numbers, a layer's out is always an array
            dout = self.on_device({"dout": np.array(dout)})["dout"]
        dx, grads = self._layer.backward(dout, cache)
        return {**self.named(dx), **grads}


class _NetSubject(_Subject):
    def __init__(self, net, xs, rng, train, seed):
        if not xs and net.meta is None:
            raise MinicnnError("gradcheck of this net needs x, or its shape: it does not say which size it takes")
        super().__init__(xs or [(1, *net.meta.input_size)], rng)
        self.backend = kernels.get(net.backend) if net.backend else None
        self._net = net.astype("float64")
        self._layers = self._net.layers()
        with_params = [layer for layer in self._layers.values() if layer.param_shapes]
        if with_params and not any(layer.params for layer in with_params):
            self._net.init(rng)
            for layer in with_params:
                _unsettle(layer, rng)
        for name, layer in self._layers.items():
            # Those of a frozen net are read-only.
            layer.buffers = self.on_device({key: self.on_host(a).copy() for key, a in layer.buffers.items()})
            self.arrays.update({f"{name}.{key}": self.on_host(a).copy() for key, a in layer.params.items()})
        self._train, self._seed = train, seed
        self.title = repr(net)[1:-1] + (", training" if train else "")

    def forward(self, arrays):
        arrays = self.on_device(arrays)
        for name, layer in self._layers.items():
            layer.params = {key: arrays[f"{name}.{key}"] for key in layer.param_shapes}
        return self._net.forward(arrays["x"], train=self._train, rng=np.random.default_rng(self._seed))

    def backward(self, dout, tape):
        dx, grads = self._net.backward(dout, tape)
        return {"x": dx, **grads}


def _drawn(x, rng):
    """A float64 array of our own: a copy of x, or normal numbers if x is a shape."""
    if isinstance(x, tuple) and all(isinstance(size, int) for size in x):
        return rng.standard_normal(x)
    x = np.array(x)
    if x.dtype.kind not in "fiu":
        raise DTypeError(f"x is {x.dtype}, expected numbers")
    return x.astype("float64")


def _unsettle(layer, rng):
    """Move drawn vectors off 0 and 1: a forgotten factor of 1 would not be seen."""
    for arrays in (layer.params, layer.buffers):
        arrays.update({name: a + rng.uniform(-0.5, 0.5, a.shape) for name, a in arrays.items() if a.ndim == 1})


def as_gradient(name, gradient, array):
    """A gradient as a host array, of array's shape; raises ShapeError that names it."""
    shape = getattr(gradient, "shape", None)
    if shape != array.shape:
        found = type(gradient).__name__ if shape is None else show(shape)
        raise ShapeError(f"backward's d{name} is {found}, {name} itself {show(array.shape)}")
    return gradient
