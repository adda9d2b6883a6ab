"""From ONNX's graph to nodes of ours.

Names: a node keeps its own name; one without a name is called as its first output. Caffe2 numbers the tensors of one
name, conv1_1 before and conv1_2 after a ReLU in place: where all nameless nodes' outputs end in such numbers, a final
_1 is dropped, so that conv1 is conv1 again. Leading slashes go, colons and what cannot be printed become underlines,
and a name that is taken gets a number. Where an operator becomes several layers, the last one has the name and the
others NAME/part; constants keep their tensor's name.

Sizes: shapes are followed through the graph. The batch is left free: where a file fixes it, other batches run too. A
size that the file leaves open is None.
"""

import math
import re

from ..errors import FormatError
from ..kernels.errors import MinicnnError
from ..kernels.shapes import show
from ..layers import Constant as ConstantLayer
from ..layers import Identity
from . import onnx_arithmetic, onnx_axes, onnx_folding, onnx_windows
from .checkpoint import Checkpoint, Graph, count
from .onnx_node import Data, Operator, Unread
from .onnx_tensor import FLOATING, Constant

DOMAINS = ("", "ai.onnx")
OLDEST, LATEST = 7, 28  # before 7 arithmetic broadcast by other rules; after 28 nobody has looked yet
_OPERATORS = {k: v for m in (onnx_windows, onnx_arithmetic, onnx_axes, onnx_folding) for k, v in m.OPERATORS.items()}
_PROBES = 1 << 20, 1 << 21  # sizes that stand for an open one; what depends on it differs between the two
_MOST_LETTERS = 200  # of a name
_MOST_NODES = 10_000  # DenseNet-201 has about 700
_SPARE = 16 << 20  # bytes


def to_checkpoint(fmt, model):
    """Checkpoint of a Model; raises FormatError that names the node and the operator."""
    if not OLDEST <= model.opset <= LATEST:
        raise FormatError(model.file, f"opset {model.opset}: {OLDEST} to {LATEST} can be read")
    image = _image(model)
    builder = Builder(model, image)
    for node in model.nodes:
        builder.translate(node)
    builder.finish(model.outputs)
    size = image.shape[1:]
    input_size = size if len(size) == 3 and None not in size else None
    graph = Graph(builder.nodes, builder.values[image.name].node, input_size)
    return Checkpoint(fmt, builder.tensors, graph=graph)


def _image(model):
    names = [i.name for i in model.inputs]
    if len(names) != 1:
        raise FormatError(model.file, f"{len(names)} inputs ({', '.join(names[:3])}): a net has one image")
    image = model.inputs[0]
    if not image.shape:
        raise FormatError(model.file, f"the input {image.name!r} does not say how many axes it has")
    if image.type not in FLOATING:
        raise FormatError(model.file, f"the input {image.name!r} is of type {image.type}, not of floating numbers")
    count(model.file, image.name, tuple(size or 1 for size in image.shape))
    return image


class Builder:
    """The nodes made so far, and the values that later ones read.

    nodes    [(name, layer, inputs)], as Net takes them
    tensors  {"name.w": array}, as state_dict
    values   {ONNX's name: Data, Constant or Unread}
    """

    def __init__(self, model, image):
        self.file, self.opset = model.file, model.opset
        self.nodes, self.tensors, self._made = [], {}, {}
        self._taken = {}  # name: how often it was asked for
        outputs = [node.outputs[0] for node in model.nodes if not node.name and node.outputs]
        self._numbered = all(re.search(r"_\d+$", output) for output in outputs)
        self._room = 2 * model.size + _SPARE
        self.sizes_open = None in image.shape
        self.values = {
            **model.constants,
            image.name: Data(self._name(image.name), (image.shape[0] or 1, *image.shape[1:])),
        }

    # Names and errors ------------------------------------------------------------------------------------------------

    def _name(self, wanted):
        printable = "".join(c if c.isprintable() and c != ":" else "_" for c in wanted[:_MOST_LETTERS])
        name = printable.lstrip("/") or "node"
        while name in self._taken:
            self._taken[name] += 1
            name = f"{name}_{self._taken[name]}"
        self._taken[name] = 1
        return name

    def _node_name(self, node):
        output = next((output for output in node.outputs if output), node.op)
        return self._name(node.name or (re.sub(r"_1$", "", output) if self._numbered else output))

    # Reading values --------------------------------------------------------------------------------------------------

    def _value(self, n, index):
        if not n.has(index):
            raise n.error(f"has no input {index}")
        name = n.inputs[index]
        n.read.add(index)
        if name not in self.values:
            raise n.error(f"reads {name!r}, which no node before it makes")
        return self.values[name]

    def is_constant(self, n, index):
        return isinstance(self._value(n, index), Constant)

    def data(self, n, index):
        """An input as Data; a constant becomes a node of its own."""
        value = self._value(n, index)
        if isinstance(value, Unread):
            raise n.error(f"reads {n.inputs[index]!r}, {value.reason}")
        return self.constant_node(value) if isinstance(value, Constant) else value

    def all_data(self, n):
        if not n.inputs:
            raise n.error("has no inputs")
        return [self.data(n, index) for index in range(len(n.inputs))]

    def constant(self, n, index):
        """An input that must be a Constant; None where it is absent."""
        if not n.has(index):
            return None
        value = self._value(n, index)
        if not isinstance(value, Constant):
            raise n.error(f"{n.inputs[index]!r} must be a constant, and is computed from the image")
        return value

    def scalar(self, n, index):
        """A constant of one number, as a float; None where it is absent."""
        value = self.constant(n, index)
        if value is None:
            return None
        if math.prod(value.shape) != 1:
            raise n.error(f"{n.inputs[index]!r} has shape {show(value.shape)}, expected one number")
        return float(value.floats().reshape(()))

    # Making nodes ----------------------------------------------------------------------------------------------------

    def add(self, n, layer, inputs, part=None, **params):
        """A node of ours for the operator n; returns its Data.

        inputs  Data
        part    of an operator that becomes several layers; the one without is the last
        params  arrays of the layer
        """
        name = self._name(f"{n.name}/{part}") if part else n.name
        try:
            shape = _out_shape(layer, [value.shape for value in inputs])
        except MinicnnError as error:
            shapes = " and ".join(_show(value.shape) for value in inputs)
            if any(None in value.shape for value in inputs):
                raise n.error(f"does not fit {shapes}, or needs a size that the file leaves open") from error
            raise n.error(f"does not fit what it reads, {shapes}: {error}") from error
        count(self.file, name, tuple(1 if size is None else size for size in shape))
        self._put(name, layer, inputs, params)
        return Data(name, shape)

    def constant_node(self, constant):
        """The node that gives a constant; one for all that read it."""
        if constant not in self._made:
            name, array = self._name(constant.name), constant.floats()
            self._put(name, ConstantLayer(constant.shape), [], {"value": array})
            self._made[constant] = Data(name, constant.shape)
        return self._made[constant]

    def _put(self, name, layer, inputs, params):
        if len(self.nodes) == _MOST_NODES:
            raise FormatError(self.file, f"more than {_MOST_NODES} nodes")
        for key, array in params.items():
            wanted = (layer.param_shapes | layer.buffer_shapes)[key]
            if tuple(array.shape) != tuple(wanted):
                raise FormatError(self.file, f"shape {show(array.shape)}, expected {show(wanted)}", f"{name}.{key}")
            self._room -= array.nbytes
            if self._room < 0:
                raise FormatError(self.file, "weights that many nodes share: the net is far larger than the file")
            self.tensors[f"{name}.{key}"] = array
        self.nodes.append((name, layer, tuple(value.node for value in inputs)))

    def translate(self, node):
        """Append what one NodeProto becomes."""
        n = Operator(self.file, self._node_name(node), node, self.opset)
        if node.domain not in DOMAINS or node.op not in _OPERATORS:
            domain = "" if node.domain in DOMAINS else f" of the domain {node.domain!r}"
            raise n.error(f"the operator{domain} is not supported")
        try:
            made = _OPERATORS[node.op](self, n)
        except FormatError:
            raise
        except MinicnnError as error:  # what a layer's constructor refuses
            raise n.error(str(error)) from error
        n.finish()
        if isinstance(made, Constant):  # no node came of it
            del self._taken[n.name]
        made = made if isinstance(made, list) else [made]
        for output, value in zip(n.outputs, made):
            if output in self.values:
                raise n.error(f"makes {output!r} a second time")
            if output:
                self.values[output] = value
        if any(n.outputs[len(made) :]) or not n.outputs:
            raise n.error(f"{len(n.outputs)} outputs, at most {len(made)} are understood here")

    def finish(self, outputs):
        """Make the first output the last node, whatever stands behind it."""
        if not outputs:
            raise FormatError(self.file, "a graph without outputs")
        names = [self._output(name) for name in outputs]
        last = names[0]
        if self.nodes and self.nodes[-1][0] == last:
            return
        readers = [name for name, _, inputs in self.nodes if last in inputs]
        index = next((i for i, (name, *_) in enumerate(self.nodes) if name == last), None)
        if readers or index is None:
            self.nodes.append((self._name(outputs[0]), Identity(), (last,)))
        else:
            self.nodes.append(self.nodes.pop(index))

    def _output(self, name):
        value = self.values.get(name)
        if value is None:
            raise FormatError(self.file, f"the output {name!r} is made by no node")
        if isinstance(value, Constant):
            value = self.constant_node(value)
        if value.node is None:
            raise FormatError(self.file, f"the output {name!r} is {value.reason}")
        return value.node


def _out_shape(layer, shapes):
    # Open sizes are tried with two numbers: a size of the output that is the same both times does not depend on them.
    tried = [layer.out_shape(*(tuple(p if s is None else s for s in shape) for shape in shapes)) for p in _PROBES]
    return tuple(a if a == b else None for a, b in zip(*tried))


def _show(shape):
    return show("?" if size is None else size for size in shape)
