"""Linear layers as convolutions: what was a vector becomes a map."""

import copy

import numpy as np

from . import kernels
from .errors import UsageError
from .kernels.errors import MinicnnError, ShapeError
from .kernels.shapes import show
from .layers import Conv2d, Linear
from .summary import summarise


def convolutional_nodes(net, input_size):
    """The nodes of `net.convolutional(input_size)`, as Net takes them; see there. On the current backend."""
    return _Slide(net, tuple(input_size)).nodes()


class _Slide:
    """The nodes of a net whose vectors have become maps.

    Whether another layer than Linear means the same on maps is found out by trying it: no list of layers is kept.

    maps     {node that had a vector (N, C*H*W): the map (C, H, W) that it has become, at the net's own size}
    instead  {node that only flattened, and is gone: what its readers read now}
    """

    def __init__(self, net, input_size):
        self.net, self.maps, self.instead, self.made = net, {}, {}, {}
        self.shapes = {row.name: row.shape for row in summarise(net, (1, *input_size)).rows}
        self.shapes[net.input] = (1, *input_size)
        self.rng = np.random.default_rng(0)

    def nodes(self):
        nodes = []
        for node in self.net.nodes:
            inputs = tuple(self.instead.get(name, name) for name in node.inputs)
            layer = self.layer_of(node)
            if layer is None:
                self.instead[node.name] = inputs[0]
            else:
                nodes.append((node.name, layer, inputs))
        return nodes

    def layer_of(self, node):
        """The layer of one node, or None if it only flattens; notes which map its vector has become."""
        name, layer = node.name, node.layer
        vectors = [read in self.maps for read in node.inputs]
        if not any(vectors):
            if len(self.shapes[name]) == 4:
                return layer
            if not self.flattens(node):
                raise UsageError(f"{name}: {layer!r} makes {show(self.shapes[name])}: neither a map nor all of one")
            self.maps[name] = self.shapes[node.inputs[0]][1:]
            return None
        if not all(vectors):
            raise UsageError(f"{name}: {layer!r} reads a vector beside a map: it has no convolutional form")
        if isinstance(layer, Linear):
            self.maps[name] = (layer.param_shapes["w"][0], 1, 1)
            return self.convolution(node)
        self.maps[name] = self.map_of(node)
        if self.maps[name] is not None:
            return layer
        if not self.flattens(node):
            raise UsageError(f"{name}: {layer!r} does not do to maps what it does to vectors")
        self.maps[name] = self.maps[node.inputs[0]]
        return None

    def convolution(self, node):
        F, C, H, W = shape = (node.layer.param_shapes["w"][0], *self.maps[node.inputs[0]])
        conv = self.made.get(node.layer)
        if conv is None:
            conv = self.made[node.layer] = Conv2d(C, F, (H, W), bias="b" in node.layer.param_shapes)
            conv.params = {name: a.reshape(shape) if name == "w" else a for name, a in node.layer.params.items()}
        if conv.kernel != (H, W):
            raise ShapeError(f"{node.name}: its layer is used twice, on maps of {show(conv.kernel)} and {show((H, W))}")
        return conv

    def flattens(self, node):
        """Whether a layer gives all numbers of what it reads, in their order, as one vector."""
        xs = [self.rng.standard_normal((2, *self.shapes[name][1:])) for name in node.inputs]
        out = _tried(node.layer, xs)
        return out is not None and len(xs) == 1 and np.array_equal(out, xs[0].reshape(2, -1))

    def map_of(self, node):
        """The map that a layer makes of maps, if it does to two side by side what it does to their vectors, or None."""
        pairs = [self.rng.standard_normal((2, *self.maps[name])) for name in node.inputs]
        vectors = _tried(node.layer, [pair.reshape(2, -1) for pair in pairs])
        beside = _tried(node.layer, [np.concatenate([pair[:1], pair[1:]], axis=3) for pair in pairs])
        if vectors is None or beside is None or beside.ndim != 4 or beside.shape[3] % 2:
            return None
        apart = np.concatenate(np.split(beside, 2, axis=3))
        same = apart.size == vectors.size and np.allclose(apart.reshape(2, -1), vectors.reshape(2, -1), rtol=1e-6)
        return apart.shape[1:] if same else None


def _tried(layer, xs):
    """What a layer makes of arrays, in float64 on the host, or None if it takes no such ones."""
    rng, backend = np.random.default_rng(1), kernels.current()
    layer = copy.copy(layer)  # with arrays of its own, in which a channel that is taken for another shows
    layer.params, layer.buffers = (
        {name: backend.to_device(rng.uniform(0.5, 1.5, shape)) for name, shape in shapes.items()}
        for shapes in (layer.param_shapes, layer.buffer_shapes)
    )
    try:
        return backend.to_host(layer.forward(*map(backend.to_device, xs))[0])
    except MinicnnError:
        return None
