"""The nodes of a net while Caffe's layers are translated one by one.

Names: a layer's main node has Caffe's name, what else the layer becomes is NAME/part ("scale1" and "scale1/scaled"); a
flattening that Caffe's inner products do by themselves is called after what it flattens ("pool5/flatten"). Colons
become underlines, and a name that is taken gets a number.
"""

from typing import NamedTuple

from .. import layers
from ..errors import FormatError
from ..kernels.errors import MinicnnError
from . import caffe_layers, caffe_several, caffe_windows
from .checkpoint import count

_LAYERS = {**caffe_windows.LAYERS, **caffe_layers.LAYERS}
_MOST_NODES = 10_000
_MOST_LETTERS = 256


class Value(NamedTuple):
    """What a node computes.

    node      its name
    ndim      how many axes it has
    shape     (1, C, H, W) or (1, D), or None where the file leaves the image's size open
    is_pixel  whether it is an image of one pixel
    """

    node: str
    ndim: int
    shape: tuple | None
    is_pixel: bool = False


class Builder:
    """Makes `nodes` and `tensors`, as Net and load_state_dict take them, of a Wiring.

    shape  the input's, or None
    image  the input's Value
    """

    def __init__(self, file, wiring, shape):
        self.file, self._wired, self._last = file, wiring.layers, wiring.needed[-1]
        self.nodes, self.tensors = [], {}
        self._names, self._flat, self._values = {}, {}, {}
        self._numbers = {id(wired.layer): i for i, wired in enumerate(wiring.layers)}
        self._readers = {}
        for i in wiring.needed:
            for read in wiring.layers[i].inputs:
                self._readers.setdefault(read, []).append(i)
        self.image = Value(self._unique(wiring.input), 4 if shape is None else len(shape), shape)

    def translate(self, number):
        """Make the nodes of one layer of the Wiring."""
        layer, inputs = self._wired[number]
        make = _LAYERS.get(layer.type, caffe_several.LAYERS.get(layer.type))
        if make is None:
            raise layer.error("this layer is not supported")
        if len(layer.tops) != 1 or not inputs or (len(inputs) > 1 and layer.type in _LAYERS):
            raise layer.error(f"it reads {len(inputs)} and writes {len(layer.tops)} blobs, which is not supported")
        if not layer.name:
            raise layer.error("it has no name")
        unknown = layer.unknown()
        if unknown:
            raise layer.error(f"what {' and '.join(unknown)} means is not known")
        if number in self._values:  # the layer before it stands for both
            return
        try:
            self._values[number] = make(self, layer, *map(self._value, inputs))
        except FormatError:
            raise
        except MinicnnError as error:  # what a constructor refuses
            raise layer.error(str(error)) from error

    def end_with_softmax(self, axis):
        """The softmax that stood inside of the loss; Caffe's nets for use call it "prob"."""
        x = self._values[self._last]
        self.put("prob", layers.Softmax(axis), self.scores(x) if axis == 1 else x)

    # For the translators ----------------------------------------------------------------------------------------------

    def add(self, layer, made, *xs, part=None, params=None, ndim=None):
        """A node of ours for Caffe's layer; returns its Value.

        part    of a layer that becomes several nodes; the main one has none
        params  {"w": array, ...}
        ndim    the number of axes, that of the first input unless given
        """
        return self.put(layer.name if part is None else f"{layer.name}/{part}", made, *xs, params=params, ndim=ndim)

    def put(self, name, made, *xs, params=None, ndim=None):
        if len(self.nodes) >= _MOST_NODES:
            raise FormatError(self.file, f"more than {_MOST_NODES} nodes")
        name, shape = self._unique(name), None
        if all(x.shape is not None for x in xs):
            shape = made.out_shape(*(x.shape for x in xs))
            count(self.file, name, shape)
        self.tensors.update({f"{name}.{key}": array for key, array in (params or {}).items()})
        self.nodes.append((name, made, tuple(x.node for x in xs)))
        is_pixel = shape is not None and len(shape) == 4 and shape[2:] == (1, 1)
        is_pixel = is_pixel or isinstance(made, (layers.GlobalAvgPool, layers.GlobalMaxPool))
        return Value(name, xs[0].ndim if ndim is None else ndim, shape, is_pixel)

    def flat(self, x):
        """x as rows; layers that flatten the same share the node."""
        if x.ndim == 2:
            return x
        if x.node not in self._flat:
            self._flat[x.node] = self.put(f"{x.node}/flatten", layers.Flatten(), x, ndim=2)
        return self._flat[x.node]

    def scores(self, x):
        """x as rows where it is an image of one pixel: so class scores are always (N, C)."""
        return self.flat(x) if x.is_pixel else x

    def is_last(self, layer):
        return self._wired[self._last].layer is layer

    def follower(self, layer, type):
        """The layer of a type that alone reads `layer` and reads nothing else, or None."""
        readers = self._readers.get(self._numbers[id(layer)], [])
        if len(readers) != 1:
            return None
        after, inputs = self._wired[readers[0]]
        return after if after.type == type and len(inputs) == 1 else None

    def stands_for(self, layer, value):
        """Say that `layer` needs no node of its own: the Value is what it computes."""
        self._values[self._numbers[id(layer)]] = value

    # Inside -----------------------------------------------------------------------------------------------------------

    def _value(self, read):
        return self.image if isinstance(read, str) else self._values[read]

    def _unique(self, wanted):
        wanted = wanted.replace(":", "_")
        if not wanted.isprintable() or not 0 < len(wanted) <= _MOST_LETTERS:
            raise FormatError(self.file, f"{wanted[:80]!r} is no name of a node")
        name = wanted
        while name in self._names:
            self._names[wanted] += 1
            name = f"{wanted}_{self._names[wanted]}"
        self._names[name] = 1
        return name
