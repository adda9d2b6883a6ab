"""ConvNetJS: snapshots in JSON, as `net.toJSON()` writes them; they hold the whole net (karpathy/convnetjs, src).

    {"layers": [{"layer_type": "input", "out_sx": 32, "out_sy": 32, "out_depth": 3}, {"layer_type": "conv", ...}, ...]}

Its arrays are Vols, {sx, sy, depth, w}: w[(y*sx + x)*depth + d], the channels innermost. Nodes are called after the
layers' types, counted: conv1, relu1, pool1, conv2 ...; a softmax is "prob".
"""

import os
from math import prod

import numpy as np

from .. import layers
from ..errors import FormatError
from ..files import read_whole, require_file
from ..kernels.errors import MinicnnError
from .checkpoint import Checkpoint, Graph
from .convnetjs_json import parse
from .convnetjs_layers import LAYERS

FORMAT = "convnetjs"
SUFFIXES = (".json",)

_MOST_BYTES, _MOST_LAYERS, _MOST_SIZE = 1 << 25, 1000, 1 << 16


def sniff(head):
    """JSON that names the type of a layer as ConvNetJS does."""
    return head.lstrip()[:1] == b"{" and b'"layers"' in head and b'"layer_type"' in head


def read(path):
    """Read a snapshot: path -> Checkpoint with graph; null, which JavaScript writes for NaN, is NaN in the tensors.

    What ConvNetJS itself does not read back, as decays and keys of others, is not looked at.
    """
    require_file(path)
    if os.path.getsize(path) > _MOST_BYTES:
        raise FormatError(path, f"more than {_MOST_BYTES} bytes: not a ConvNetJS snapshot")
    net = parse(read_whole(path), path)
    described = net.get("layers") if isinstance(net, dict) else None
    if not isinstance(described, list) or not 1 <= len(described) <= _MOST_LAYERS:
        raise FormatError(path, f"no list of 1 to {_MOST_LAYERS} layers")
    builder = _Builder(path)
    for number, layer in enumerate(described):
        if not isinstance(layer, dict) or not isinstance(layer.get("layer_type"), str):
            raise FormatError(path, f"layer {number} has no layer_type")
        builder.translate(_Described(path, number, layer))
    if not builder.nodes:
        raise FormatError(path, "no layers that compute anything")
    return Checkpoint(FORMAT, builder.tensors, graph=Graph(builder.nodes, "data", builder.input_size))


class _Described:
    """One layer of the file."""

    def __init__(self, file, number, values):
        self.file, self.number, self.values, self.type = file, number, values, values["layer_type"]

    def error(self, reason):
        return FormatError(self.file, f"layer {self.number} ({self.type[:40]}): {reason}")

    def integer(self, key, default=None, least=1):
        value = self.values.get(key, default)
        if type(value) is not int or not least <= value <= _MOST_SIZE:
            raise self.error(f"{key} is {_brief(value)}, expected an int, {least} to {_MOST_SIZE}")
        return value

    def number_of(self, key):
        value = self.values.get(key)
        if type(value) not in (int, float):
            raise self.error(f"{key} is {_brief(value)}, expected a number")
        return float(value)

    def vol(self, value, what, *shape):
        """A Vol's numbers as an array (sy, sx, depth)."""
        sizes = tuple(_size(value, key) for key in ("sy", "sx", "depth")) if isinstance(value, dict) else ()
        w = value.get("w") if sizes else None
        if sizes != shape or not isinstance(w, np.ndarray) or len(w) != prod(shape):
            found = f"{len(w)} numbers" if isinstance(w, np.ndarray) else "no list of numbers"
            raise self.error(f"{what}: {sizes} with {found}, expected {shape}")
        return w.reshape(shape)

    def parameters(self, sy, sx, depth):
        """{"w": (F, depth, sy, sx), "b": (F,)}: each filter is a Vol, and so are all biases together."""
        filters, F = self.values.pop("filters", None), self.integer("out_depth")
        if not isinstance(filters, list) or len(filters) != F:
            raise self.error(f"it has not out_depth filters, {F}")
        b = self.vol(self.values.get("biases"), "biases", 1, 1, F).ravel()
        first = self.vol(filters[0], "filter 0", sy, sx, depth)  # before anything of that size is allocated
        w = np.empty((F, depth, sy, sx), first.dtype)
        for i, vol in enumerate(filters):
            w[i] = self.vol(vol, f"filter {i}", sy, sx, depth).transpose(2, 0, 1)
        return {"w": w, "b": b}


def _size(values, key):
    """An int, or None for anything else that a file may have there."""
    return values.get(key) if type(values.get(key)) is int else None


def _brief(value):
    return f"a {type(value).__name__}" if isinstance(value, (list, dict, np.ndarray)) else repr(value)[:40]


class _Builder:
    """Makes `nodes` and `tensors`, as Net and load_state_dict take them.

    shape  of what the last node computes: (1, C, H, W), or (1, D) after a fully connected layer
    """

    def __init__(self, file):
        self.file, self.nodes, self.tensors = file, [], {}
        self.input_size = self.shape = None
        self.before, self._counts = "data", {}

    def translate(self, d):
        make = LAYERS.get(d.type)
        if make is None:
            raise d.error("this layer is not supported")
        if (self.shape is None) != (d.type == "input"):
            raise d.error("the first layer, and no other, is the input")
        try:
            make(self, d)
        except FormatError:
            raise
        except MinicnnError as error:  # what a constructor refuses
            raise d.error(str(error)) from error
        C, H, W = self.image_shape()
        said = tuple(_size(d.values, key) for key in ("out_depth", "out_sy", "out_sx"))
        # The last two types compute nothing, and say how many numbers they read.
        if said != (C, H, W) and said != (C * H * W, 1, 1):
            raise d.error(f"its output is {(C, H, W)}, the file says {said}")

    def start(self, d):
        self.input_size = d.integer("out_depth"), d.integer("out_sy"), d.integer("out_sx")
        self.shape = (1, *self.input_size)

    def add(self, name, layer, params=None, reads=None):
        """A node that reads the one before, or those in `reads`."""
        reads = (self.before,) if reads is None else reads
        self.shape = layer.out_shape(self.shape) if len(reads) == 1 else self.shape
        self.tensors.update({f"{name}.{key}": array for key, array in (params or {}).items()})
        self.nodes.append((name, layer, reads))
        self.before = name

    def name(self, type):
        """conv1, conv2 ..."""
        self._counts[type] = self._counts.get(type, 0) + 1
        return f"{type}{self._counts[type]}"

    def image_shape(self):
        return (*self.shape[1:], 1, 1)[:3]

    def to_image(self):
        if len(self.shape) == 2:
            self.add(f"{self.before}/image", layers.Reshape((0, self.shape[1], 1, 1)))

    def to_rows(self):
        if len(self.shape) == 4:
            self.add(f"{self.before}/flatten", layers.Flatten())
