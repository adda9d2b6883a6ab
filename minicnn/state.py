"""A net's arrays: drawing, saving, loading, converting and freezing them."""

import copy
from functools import partial
from typing import NamedTuple

import numpy as np

from . import kernels
from .errors import MinicnnError
from .kernels.errors import ShapeError
from .kernels.shapes import show


class KeyMismatch(NamedTuple):
    """What `load_state_dict` did not find, and what it found and did not want."""

    missing: list
    unexpected: list


class StateMixin:
    """The part of `Net` that owns parameters and buffers; keys are "node.name", as in "conv1.w"."""

    def layers(self):
        """{node name: layer}, a layer used twice under its first node only."""
        owners, seen = {}, set()
        for node in self.nodes:
            if id(node.layer) not in seen:
                owners[node.name] = node.layer
                seen.add(id(node.layer))
        return owners

    def init(self, seed=0):
        """Draw all parameters (He's normal for weights, zero biases); returns the net. seed: an int or a Generator."""
        rng = np.random.default_rng(seed)
        for layer in self.layers().values():
            layer.init(rng)
            self._convert(layer, lambda a: self._device().to_device(a.astype(self.dtype)))
        return self

    def state_dict(self):
        """{"node.name": array}: parameters and buffers, the net's own arrays, not copies."""
        state = {}
        for name, layer in self.layers().items():
            for key in (*layer.param_shapes, *layer.buffer_shapes):
                state[f"{name}.{key}"] = layer.array(key)
        return state

    def load_state_dict(self, state, strict=True, copy=True):
        """Copy arrays in by key, converted to the net's dtype.

        strict  whether a missing or an unexpected key is an error; returns KeyMismatch(missing, unexpected)
        copy    without, the net keeps the arrays themselves where they need no conversion
        Raises ShapeError naming the key and both shapes, MinicnnError for keys; the net is then as it was.
        """
        if self.frozen:
            raise MinicnnError("the net is frozen: its parameters cannot be loaded again")
        expected = self.state_shapes()
        missing = [key for key in expected if key not in state]
        unexpected = [key for key in state if key not in expected]
        if strict and (missing or unexpected):
            raise MinicnnError(f"state_dict does not fit: missing {_listed(missing)}; unexpected {_listed(unexpected)}")
        for key, shape in expected.items():
            if key in state and tuple(np.shape(state[key])) != shape:
                raise ShapeError(f"{key}: the file has {show(np.shape(state[key]))}, the net {show(shape)}")
        xp = kernels.get(self.backend).xp if self.backend else np
        convert = partial(xp.array if copy else xp.asarray, dtype=self.dtype, order="C")
        for name, layer in self.layers().items():
            for into, shapes in ((layer.params, layer.param_shapes), (layer.buffers, layer.buffer_shapes)):
                into.update({k: convert(state[f"{name}.{k}"]) for k in shapes if f"{name}.{k}" in state})
        return KeyMismatch(missing, unexpected)

    def state_shapes(self):
        """{"node.name": shape} of all parameters and buffers, whether they exist yet or not."""
        return {
            f"{name}.{key}": tuple(shape)
            for name, layer in self.layers().items()
            for key, shape in {**layer.param_shapes, **layer.buffer_shapes}.items()
        }

    def astype(self, dtype):
        """A copy of the net that computes in float32 or float64."""
        dtype = np.dtype(dtype)
        if dtype.name not in ("float32", "float64"):
            raise MinicnnError(f"a net computes in float32 or float64, not {dtype}")
        other = self._copy(lambda a: a.astype(dtype))
        other.dtype = dtype
        return other

    def to(self, backend):
        """A copy of the net whose arrays are a backend's, and which always computes there; see `minicnn.kernels`."""
        module = kernels.get(backend)
        host = kernels.get(self.backend).to_host if self.backend else np.asarray
        other = self._copy(lambda a: module.to_device(host(a)))
        other.backend = backend
        return other

    def freeze(self):
        """Make every parameter and buffer a read-only array; in place. Returns the net."""
        self._frozen = True
        for layer in self.layers().values():
            for a in (*layer.params.values(), *layer.buffers.values()):
                if isinstance(a, np.ndarray):
                    a.flags.writeable = False
        return self

    def thaw(self):
        """A copy of the net with arrays of its own, which can be trained, whether or not this one is frozen."""
        other = copy.copy(self)
        other._frozen = False
        return other._copy(lambda a: a.copy())

    @property
    def frozen(self):
        """Whether `freeze` was called on this net or on the one that it is a copy of."""
        return getattr(self, "_frozen", False)

    def _copy(self, convert):
        other = copy.copy(self)
        copies = {id(layer): copy.copy(layer) for layer in self.layers().values()}
        for layer in copies.values():
            self._convert(layer, convert)
        other.nodes = [node._replace(layer=copies[id(node.layer)]) for node in self.nodes]
        other._by_name = {node.name: node for node in other.nodes}
        return other.freeze() if self.frozen else other

    @staticmethod
    def _convert(layer, convert):
        layer.params = {name: convert(a) for name, a in layer.params.items()}
        layer.buffers = {name: convert(a) for name, a in layer.buffers.items()}


def _listed(keys, most=6):
    return (", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")) or "nothing"
