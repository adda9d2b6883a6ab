"""A net's nodes as JSON, and back: what the native form's header says of the graph.

    {"input": "data", "dtype": "float32", "nodes": [
        {"name": "conv1", "layer": "Conv2d", "config": {"in_channels": 3, ...}, "inputs": ["data"]},
        {"name": "again", "same_as": "conv1", "inputs": ["conv1"]}]}

A layer that is used twice is written once; its other nodes say whose it is. A layer's type is looked up among the
layers of minicnn by its name and nowhere else, so a file imports nothing and runs nothing but their constructors, on
small values; constructors allocate nothing.
"""

import inspect
import json

import numpy as np

from .. import layers
from ..errors import FormatError, MinicnnError
from ..net import Node

# DenseNet-201 has about 700 nodes; ONNX files of that kind a few thousand.
_MOST_NODES, _MOST_INPUTS, _MOST_ARGUMENTS = 10_000, 100_000, 32
_MOST_LETTERS = 256  # of a name
_MOST_NUMBER, _MOST_ITEMS, _MOST_DEPTH = 2**31, 64, 3  # in a layer's arguments
_DTYPES = ("float32", "float64")


def layer_types():
    """{name: class} of all layers that a file can hold: those of minicnn.layers."""
    found = {name: getattr(layers, name) for name in layers.__all__}
    return {
        n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, layers.Layer) and c is not layers.Layer
    }


def to_json(net):
    """A net's graph as text; raises MinicnnError that names the node whose layer a file cannot hold."""
    types, owners, nodes = layer_types(), {}, []
    for name, layer, inputs in net.nodes:
        node = {"name": name}
        if id(layer) in owners:
            node["same_as"] = owners[id(layer)]
        elif types.get(type(layer).__name__) is not type(layer):
            raise MinicnnError(f"{name}: {type(layer).__name__} is no layer of minicnn.layers: a file cannot hold it")
        else:
            owners[id(layer)] = name
            config = {key: _plain(name, key, value) for key, value in layer.config.items()}
            node |= {"layer": type(layer).__name__, "config": config}
        nodes.append({**node, "inputs": list(inputs)})
    return json.dumps({"input": net.input, "dtype": net.dtype.name, "nodes": nodes}, separators=(",", ":"))


def from_json(text, file):
    """(nodes, input, dtype): what `to_json` wrote, as Net takes it; the layers have no parameters yet.

    file  what errors name
    Raises FormatError for anything that `to_json` does not write, and for what a layer's constructor refuses.
    """
    try:
        graph = json.loads(text, parse_int=_short_int)
    except (ValueError, RecursionError) as error:
        raise FormatError(file, f"graph: not JSON: {str(error)[:80]}") from error
    _require(
        isinstance(graph, dict) and graph.keys() == {"input", "dtype", "nodes"}, file, "not input, dtype and nodes"
    )
    input, dtype, listed = graph["input"], graph["dtype"], graph["nodes"]
    _require(_is_name(input), file, f"its input is {_head(input)}, not a name")
    _require(dtype in _DTYPES, file, f"dtype is {_head(dtype)}, expected {' or '.join(_DTYPES)}")
    _require(
        isinstance(listed, list) and 1 <= len(listed) <= _MOST_NODES, file, f"not a list of 1 to {_MOST_NODES} nodes"
    )
    types, owned, known, edges, nodes = layer_types(), {}, {input}, 0, []
    for node in listed:
        _require(isinstance(node, dict) and _is_name(node.get("name")), file, "a node without a name")
        name, inputs = node["name"], node.get("inputs")
        _require(name not in known, file, "two nodes of this name", name)
        _require(isinstance(inputs, list) and all(map(_is_name, inputs)), file, "inputs that are no names", name)
        edges += len(inputs)
        _require(edges <= _MOST_INPUTS, file, f"more than {_MOST_INPUTS} inputs in all", name)
        for before in inputs:
            _require(before in known, file, f"reads {before!r}, which is not defined before it", name)
        if "same_as" in node:
            owner = node["same_as"]
            _require(_is_name(owner) and owner in owned, file, f"has the layer of {_head(owner)}, which has none", name)
            layer = owned[owner]
        else:
            layer = owned[name] = _layer(file, node, types)
        _check_arity(file, name, layer, len(inputs))
        known.add(name)
        nodes.append(Node(name, layer, tuple(inputs)))
    return nodes, input, dtype


def _layer(file, node, types):
    name, type_, config = node["name"], node.get("layer"), node.get("config")
    _require(isinstance(type_, str) and type_ in types, file, f"no layer {_head(type_)} in minicnn", name)
    _require(isinstance(config, dict) and len(config) <= _MOST_ARGUMENTS, file, "no arguments of a layer", name)
    values = {key: _bounded(file, name, key, value) for key, value in config.items()}
    try:
        return types[type_](**values)
    except Exception as error:  # constructors may stumble over anything a hostile file gives them
        raise FormatError(file, f"graph: {name}: {type_}: {str(error)[:200]}") from error


def _bounded(file, name, key, value, depth=0):
    """A layer's argument from JSON: numbers, names and None of sensible size; lists become tuples."""
    if isinstance(value, list) and depth < _MOST_DEPTH and len(value) <= _MOST_ITEMS:
        return tuple(_bounded(file, name, key, item, depth + 1) for item in value)
    good = value is None or type(value) is bool or (type(value) is str and len(value) <= _MOST_LETTERS)
    good = good or (type(value) is int and abs(value) < _MOST_NUMBER) or (type(value) is float and value == value)
    _require(good, file, f"{str(key)[:80]} is {_head(value)}, no argument of a layer", name)
    return value


def _check_arity(file, name, layer, inputs):
    # forward(x), forward(a, b) or forward(*xs); what has a default, as train and rng, is no input.
    parameters = inspect.signature(layer.forward).parameters.values()
    wanted = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    good = inputs >= max(wanted, 1) if variadic else inputs == wanted
    _require(good, file, f"{type(layer).__name__} with {inputs} inputs", name)


def _plain(node, key, value):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return [_plain(node, key, item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise MinicnnError(f"{node}: its argument {key} is a {type(value).__name__}, which a file cannot hold")


def _is_name(value):
    return isinstance(value, str) and 0 < len(value) <= _MOST_LETTERS and value.isprintable() and ":" not in value


def _short_int(digits):
    # Python takes quadratic time for very long ones.
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _head(value):
    # Nested lists may be too deep to be shown.
    return type(value).__name__ if isinstance(value, (list, dict)) else repr(value)[:80]


def _require(good, file, reason, node=None):
    if not good:
        raise FormatError(file, f"graph: {'' if node is None else f'{node}: '}{reason}")
