"""TensorFlow.js layers models: `model.json` and the files of weights beside it.

    {"modelTopology": a Keras model, "weightsManifest": [{"paths": ["group1-shard1of2.bin", ...],
        "weights": [{"name": "conv1/kernel", "shape": [3, 3, 3, 8], "dtype": "float32"}, ...]}, ...]}

A group's files together are its weights one after the other, without gaps. Graph models ("format": "graph-model"),
whose layers are gone, are not read. Source: what tfjs-core's io types and tfjs-layers' models document.
"""

import json
import os

from ..errors import FormatError
from ..files import read_whole, require_file
from . import keras_graph, tfjs_weights

FORMAT = "tensorflow.js"
SUFFIXES = (".json",)

_MOST_BYTES = 2 << 20  # the objects that JSON becomes take many times its bytes; MobileNet's has 100 thousand
_MARKS = b'"modelTopology"', b'"weightsManifest"', b'"layers-model"', b'"graph-model"'


def sniff(head):
    """JSON in which TensorFlow.js' own words stand early."""
    return head.lstrip().startswith(b"{") and any(mark in head for mark in _MARKS)


def read(path):
    """Read a `model.json` and the weights beside it: path -> Checkpoint with the graph."""
    document = _document(path)
    if document.get("format") == "graph-model":
        raise FormatError(path, "a graph model of TensorFlow.js, whose layers are gone: only layers models are read")
    model = document.get("modelTopology")
    if isinstance(model, dict):
        model = model.get("model_config", model)
    weights = tfjs_weights.read(path, document.get("weightsManifest"))
    return keras_graph.to_checkpoint(FORMAT, path, model, weights)


def _document(path):
    def unique(pairs):
        if len(found := dict(pairs)) != len(pairs):
            raise FormatError(path, "a name stands twice in one object")
        return found

    require_file(path)
    if (size := os.path.getsize(path)) > _MOST_BYTES:
        raise FormatError(path, f"a description of {size} bytes, at most {_MOST_BYTES} are read")
    try:
        document = json.loads(read_whole(path), object_pairs_hook=unique, parse_int=_short_int)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"not JSON: {str(error)[:80]}") from error
    if not isinstance(document, dict):
        raise FormatError(path, "not a model.json of TensorFlow.js")
    return document


def _short_int(digits):
    # Python takes quadratic time for very long ones.
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)
