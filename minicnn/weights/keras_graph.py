"""From a model as Keras 2 writes it in JSON to a net: Sequential and functional models, also inside each other.

    {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"name": ..., ...}}, ...]}}
    {"class_name": "Model", "config": {"layers": [{..., "inbound_nodes": [[["image", 0, 0, {}], ...], ...]}, ...],
                                       "input_layers": [["image", 0, 0]], "output_layers": [["scores", 0, 0]]}}

The net takes and gives images as (N, C, H, W), where Keras has (N, H, W, C). Rows are in Keras' order where the net
gives them; in between a flattened image is in ours, and the weights that read it are moved accordingly.
"""

from heapq import heapify, heappop, heappush

from ..errors import FormatError
from .checkpoint import Checkpoint, Graph
from .keras_builder import Builder
from .keras_layer import KerasLayer, brief, is_int

_MODELS = ("Sequential", "Model", "Functional")
_MOST_DEPTH = 8
_MOST_NAME, _MOST_INPUTS, _MOST_SIZE = 200, 100_000, 1 << 24


def to_checkpoint(fmt, file, model, weights):
    """Checkpoint of a model.

    model    {"class_name": ..., "config": ...}, as it stands in the JSON
    weights  {"LAYER/kernel": a function of a layout (see keras.py), which returns the new array}
    Raises FormatError that names the layer.
    """
    builder = Builder(file, weights)
    builder.finish(_model(builder, _layer(file, model, (), name="model"), None, ()))
    size = builder.input.shape[1:]
    input_size = size if len(size) == 3 and None not in size else None
    return Checkpoint(fmt, builder.tensors, graph=Graph(builder.nodes, builder.input.node, input_size))


def _model(b, k, x, scope):
    """The Value of a model k that reads x, or the net's image where x is None. scope: the models that it is in."""
    if len(scope) > _MOST_DEPTH:
        raise k.error(f"models inside each other more than {_MOST_DEPTH} deep")
    if k.type not in _MODELS:
        raise k.error(f"not a model: expected {' or '.join(_MODELS)}")
    listed, entries = k.config.get("layers"), {}
    if not isinstance(listed, list):
        raise k.error("has no list of layers")
    for entry in listed:
        layer = _layer(b.file, entry, scope)
        if layer.name in entries:
            raise k.error(f"two layers are called {layer.name!r}")
        entries[layer.name] = entry
    return (_sequential if k.type == "Sequential" else _functional)(b, k, entries, x, scope)


def _sequential(b, k, entries, x, scope):
    for entry in entries.values():
        layer = _layer(b.file, entry, scope)
        if x is None and layer.type not in _MODELS:
            x = _start(b, layer)
        if layer.type != "InputLayer":
            x = _call(b, layer, [] if x is None else [x])
    if x is None:
        raise k.error("has no layers")
    return x


def _functional(b, k, entries, x, scope):
    # A model's own making may count as its first call, so that what reads it says call 1 of one.
    models = {name for name, entry in entries.items() if entry["class_name"] in _MODELS}
    (first, *more), (last, *_) = _ends(k, "input_layers", models), _ends(k, "output_layers", models)
    if more:
        raise k.error(f"{1 + len(more)} inputs: a net has one image")
    reads = {}  # (layer's name, how many calls of it there were before): what it reads, likewise
    for name, entry in entries.items():
        layer = _layer(b.file, entry, scope)
        calls = [[]] if (name, 0) == first else [_references(layer, call, models) for call in _calls(layer, entry)]
        reads |= {(name, i): call for i, call in enumerate(calls)}
    if sum(map(len, reads.values())) > _MOST_INPUTS:
        raise k.error(f"more than {_MOST_INPUTS} inputs in all")
    values = {}
    for name, i in _in_order(k, reads):
        layer = _layer(b.file, entries[name], scope, call=i)
        xs = [values[read] for read in reads[name, i]]
        values[name, i] = _call(b, layer, xs) if xs else _start(b, layer) if x is None else x
    if last not in values:
        raise k.error(f"its output {last[0]!r} is not among its layers")
    return values[last]


def _call(b, k, xs):
    if k.type not in _MODELS:
        return b.translate(k, xs)
    if k.call or len(xs) > 1:
        raise k.error("a model that is used twice, or reads several images")
    return _model(b, k, xs[0] if xs else None, (*k.scope, k.name))


def _start(b, k):
    """The net's image, as an InputLayer says it or the first layer of a Sequential."""
    shape = k.config.get("batch_input_shape", k.config.get("batch_shape"))  # the second is Keras 3's name
    if not isinstance(shape, list) or not all(size is None or is_int(size, most=_MOST_SIZE) for size in shape):
        raise k.error(f"batch_input_shape is {brief(shape)}, expected a list of sizes")
    if len(shape) not in (2, 4) or shape[-1] is None:
        raise k.error(f"batch_input_shape is {shape[:8]}, expected [null, H, W, C] or [null, D]")
    if k.type == "InputLayer":
        k.finish()
    ours = (1, shape[-1], *shape[1:-1])
    return b.start(k.name if k.type == "InputLayer" else f"{k.name}_input", ours)


def _layer(file, entry, scope, call=0, name=None):
    """The KerasLayer of an entry in a list of layers."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if isinstance(config, list):  # a Sequential, until Keras 2.2
        config = {"layers": config}
    type_ = entry.get("class_name") if isinstance(config, dict) else None
    if not isinstance(type_, str):
        raise FormatError(file, "a layer without class_name or config")
    name = entry.get("name", config.get("name", name))
    if not isinstance(name, str) or not 0 < len(name) <= _MOST_NAME or not name.isprintable():
        raise FormatError(file, f"a layer of the type {type_[:80]!r} is called {brief(name)}")
    return KerasLayer(file, name, type_[:80], config, scope, call)


def _ends(k, key, models):
    """The inputs or outputs of a model: [(name, call), ...], at least one."""
    ends = k.config.get(key)
    if isinstance(ends, list) and ends and isinstance(ends[0], str):  # one end, not in a list
        ends = [ends]
    if not isinstance(ends, list) or not ends:
        raise k.error(f"has no {key}")
    return _references(k, ends, models)


def _calls(k, entry):
    calls = entry.get("inbound_nodes")
    if not isinstance(calls, list) or not all(isinstance(call, list) and call for call in calls):
        raise k.error("its inbound_nodes are not written as Keras 2 does, as lists of [layer, 0, 0, {}]")
    return calls


def _references(k, call, models):
    """[(name, call), ...] from [[name, call, 0, {}], ...]."""
    found = []
    for reference in call:
        name, *numbers = reference[:3] if isinstance(reference, list) and reference else [None]
        options = reference[3] if len(numbers) == 2 and len(reference) == 4 else {}
        if not isinstance(name, str) or len(numbers) != 2 or not all(is_int(n, 0) for n in numbers) or numbers[1]:
            raise k.error(f"reads {brief(name)}, not [layer, 0, 0, {{}}]")
        if not isinstance(options, dict) or any(options.values()):
            raise k.error(f"reads {name[:80]!r} with options, which are not understood")
        found.append((name, 0 if name in models and numbers[0] == 1 else numbers[0]))
    return found


def _in_order(k, reads):
    """The calls, each behind what it reads, otherwise as they stand in the file."""
    place = {call: i for i, call in enumerate(reads)}
    readers, missing = {call: [] for call in reads}, {}
    for call, inputs in reads.items():
        missing[call] = len(inputs)
        for read in inputs:
            if read not in readers:
                raise k.error(f"its layer {call[0]!r} reads {read[0][:80]!r}, which is not there")
            readers[read].append(call)
    ready, done = [(place[call], call) for call, count in missing.items() if not count], []
    heapify(ready)
    while ready:
        _, call = heappop(ready)
        done.append(call)
        for reader in readers[call]:
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, (place[reader], reader))
    if len(done) < len(reads):
        raise k.error(f"its layer {min(reads.keys() - set(done), key=place.get)[0]!r} reads what depends on it")
    return done
