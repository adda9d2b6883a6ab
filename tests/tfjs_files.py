"""Makers of TensorFlow.js files: models as Keras 2 describes them, and the weights beside them."""

import json

import numpy as np


def layer(type_, name, inputs=None, **config):
    """inputs: names of layers, or (name, call); several calls are a list of such lists."""
    made = {"class_name": type_, "config": {"name": name, "trainable": True, **config}}
    if inputs is not None:
        calls = inputs if inputs and isinstance(inputs[0], list) else [inputs] if inputs else []
        made |= {"name": name, "inbound_nodes": [[_reference(read) for read in call] for call in calls]}
    return made


def _reference(read):
    return [*((read, 0) if isinstance(read, str) else read), 0, {}]


def image(*shape, name="image"):
    return layer("InputLayer", name, [], batch_input_shape=[None, *shape], dtype="float32", sparse=False)


def sequential(*layers, name="net"):
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(*layers, output, name="net"):
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[output, 0, 0]]}
    return {"class_name": "Model", "config": {"name": name, "layers": list(layers), **ends}}


def manifest(weights, shards=1, **more):
    """(weightsManifest, {file: bytes}); more: {weight's name: what its entry says besides}."""
    data, entries = b"", []
    for name, array in weights.items():
        entry = {"name": name, "shape": list(np.shape(array)), "dtype": "float32", **more.get(name, {})}
        stored = (entry.get("quantization") or entry)["dtype"]
        data += np.asarray(array).astype(np.dtype(stored).newbyteorder("<")).tobytes()
        entries.append(entry)
    cuts = [len(data) * i // shards for i in range(shards + 1)]
    files = {f"group1-shard{i + 1}of{shards}.bin": data[cuts[i] : cuts[i + 1]] for i in range(shards)}
    return [{"paths": list(files), "weights": entries}], files


def model_json(model, manifest):
    return json.dumps({"format": "layers-model", "modelTopology": model, "weightsManifest": manifest})


def write(folder, model, weights, shards=1, **more):
    """The path of a new model.json; the other arguments as `manifest` takes them."""
    entries, files = manifest(weights, shards, **more)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "model.json").write_text(model_json(model, entries))
    return folder / "model.json"
