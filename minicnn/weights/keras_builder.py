"""The nodes of a net while Keras' layers are translated one by one.

Names: a layer's main node has Keras' name, what else the layer becomes is NAME/part ("conv1" and "conv1/relu"). Used
again, it is NAME/2. Colons become underlines, and a name that is taken gets a number.
"""

from typing import NamedTuple

import numpy as np

from .. import layers
from ..errors import FormatError
from ..kernels.errors import MinicnnError
from ..kernels.shapes import show
from . import keras_activations, keras_plain, keras_windows
from .checkpoint import count

_LAYERS = {**keras_windows.LAYERS, **keras_activations.LAYERS, **keras_plain.LAYERS}
_MOST_NODES = 10_000
_PROBES = 1 << 20, 1 << 21  # sizes that stand for an open one; what depends on it differs between the two


class Value(NamedTuple):
    """What a node computes.

    node    its name
    shape   (1, C, H, W) or (1, D), as minicnn has it; None for a size that the file leaves open
    image   (H, W, C) of a flattened image, whose numbers are in our order and not in Keras'; else None
    """

    node: str
    shape: tuple
    image: tuple | None = None


class Builder:
    """Makes `nodes` and `tensors`, as Net and load_state_dict take them.

    weights  {Keras' name, "LAYER/kernel": a function of a layout (see keras.py), which returns the new array}; emptied,
             so that what was read can be forgotten
    """

    def __init__(self, file, weights):
        self.file, self.input = file, None
        self.nodes, self.tensors = [], {}
        self._weights = weights
        # TensorFlow 2.2 put a cell's name between the layer's and the weight's.
        self._without_cell = {"/".join([*name.split("/")[:-2], name.split("/")[-1]]): name for name in weights}
        self._names, self._shared, self._in_order = {}, {}, {}

    def start(self, name, shape):
        """The net's input; shape as Value has it."""
        if self.input is not None:
            raise FormatError(self.file, f"a second input, {name[:80]!r}: a net has one image")
        count(self.file, name, tuple(size or 1 for size in shape))
        self.input = Value(self._unique(name), shape)
        return self.input

    def translate(self, k, xs):
        """The Value of a layer that reads the Values xs."""
        merging = k.type in keras_plain.MERGING
        make = keras_plain.MERGING[k.type] if merging else _LAYERS.get(k.type)
        if make is None:
            raise k.error("this layer is not supported")
        if not merging and len(xs) != 1:
            raise k.error(f"reads {len(xs)} inputs, expected one")
        try:
            out = make(self, k, *xs)
        except FormatError:
            raise
        except MinicnnError as error:  # what a constructor or a conversion refuses
            raise k.error(str(error)) from error
        k.finish()
        return out

    # For the translators ---------------------------------------------------------------------------------------------

    def add(self, k, layer, *xs, part=None, params=None, image=None):
        """A node of ours for the layer k; returns its Value.

        xs      Values that it reads
        part    of a layer that becomes several nodes; the main one has none
        params  a function that returns {"w": array, ...}; called once, also where k is used again
        image   as Value has it
        """
        owner = k.scope, k.name, part
        again = self._shared.get(owner) if params else None
        name = k.name if part is None else f"{k.name}/{part}"
        if again is not None:
            if again.config != layer.config:
                raise k.error(f"used twice, as {again} and as {layer}, which share no weights")
            return self._put(f"{name}/{k.call + 1}", again, xs, image)
        value = self._put(name, layer, xs, image)
        if params:
            self._shared[owner] = layer
            self._keep(k, value.node, layer, params())
        return value

    def weight(self, k, kind, layout=np.array):
        """An array of the layer k by Keras' name ("kernel"), in a new layout; each can be taken once."""
        name = f"{k.name}/{kind}"
        name = name if name in self._weights else self._without_cell.get(name)
        if name not in self._weights:
            raise k.error(f"its weight {kind!r} is not in the file")
        return self._weights.pop(name)(layout)

    def channels(self, k, x):
        """C of an image; raises where x is none."""
        if len(x.shape) != 4:
            raise k.error("reads rows, expected an image")
        return x.shape[1]

    def sizes(self, k, x):
        """All sizes but the batch's; raises where one is open."""
        if None in x.shape[1:]:
            raise k.error("needs the image's size, which the file leaves open")
        return x.shape[1:]

    def in_order(self, x):
        """x itself, or what has the numbers of a flattened image in Keras' order."""
        if x.image is None:
            return x
        if x.node not in self._in_order:
            H, W, C = x.image
            steps = layers.Reshape((0, C, H, W)), layers.Transpose((0, 2, 3, 1)), layers.Flatten()
            value = x._replace(image=None)
            for step, part in zip(steps, ("chw", "hwc", "rows")):
                value = self._put(f"{x.node}/{part}", step, [value], None)
            self._in_order[x.node] = value
        return self._in_order[x.node]

    # Inside ----------------------------------------------------------------------------------------------------------

    def _keep(self, k, name, layer, params):
        wanted = layer.param_shapes | layer.buffer_shapes
        for key, array in params.items():
            if array.shape != tuple(wanted[key]):
                raise k.error(f"its weight {key} has shape {show(array.shape)}, expected {show(wanted[key])}")
            self.tensors[f"{name}.{key}"] = array

    def _put(self, name, layer, xs, image):
        if len(self.nodes) >= _MOST_NODES:
            raise FormatError(self.file, f"more than {_MOST_NODES} nodes")
        # Open sizes are tried with two numbers: a size that comes out the same both times does not depend on them.
        tried = [layer.out_shape(*(tuple(p if s is None else s for s in x.shape) for x in xs)) for p in _PROBES]
        shape = tuple(a if a == b else None for a, b in zip(*tried))
        count(self.file, name, tuple(1 if size is None else size for size in shape))
        name = self._unique(name)
        self.nodes.append((name, layer, tuple(x.node for x in xs)))
        return Value(name, shape, image)

    def _unique(self, wanted):
        name = wanted = wanted.replace(":", "_")
        while name in self._names:
            self._names[wanted] += 1
            name = f"{wanted}_{self._names[wanted]}"
        self._names[name] = 1
        return name

    def finish(self, value):
        """Make the Value, the net's output, the last node; raises where weights are left that no layer read."""
        if self._weights:
            names = ", ".join(name[:80] for name in list(self._weights)[:6])
            raise FormatError(self.file, f"{len(self._weights)} weights that no layer reads, as {names}")
        value = self.in_order(value)
        last = value.node
        if self.nodes and self.nodes[-1][0] == last:
            return
        if last == self.input.node or any(last in inputs for _, _, inputs in self.nodes):
            self._put(f"{last}/output", layers.Identity(), [value], None)
        else:
            self.nodes.append(self.nodes.pop(next(i for i, node in enumerate(self.nodes) if node[0] == last)))
