"""What is attacked: the good files of every format, how they are made bad, and what reads them."""

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

import hostile_good as good
from hostile import corpus
from hostile_good import alone
from hostile_json import documents
from hostile_pickle import pickles
from hostile_text import texts
from hostile_wire import messages

from minicnn.weights import caffe, formats, store


class Case(NamedTuple):
    """What is attacked.

    format     as the table names it
    name       of the case, which is one of several
    good       the bytes that are made bad
    mutations  (good, count, seed) -> bad ones
    write      (folder, bytes) -> the path of the file that has these bytes in it, with what belongs to it
    reads      functions of a path
    """

    format: str
    name: str
    good: bytes
    mutations: Callable[[bytes, int, int], Iterable[bytes]]
    write: Callable
    reads: tuple


def spanning(*spans):
    """`corpus` that goes to some (start, end) more often."""
    return lambda good, count, seed: corpus(good, count, seed, spans)


def load(path):
    store.load(path, allow_nonfinite=True)


def load_architecture(path):
    store.load(path, arch=good.NET, allow_nonfinite=True)


def load_with_prototxt(path):
    store.load(path, prototxt=path.parent / "net.prototxt", allow_nonfinite=True)


WHOLE = formats.read, load
CASES = [
    Case("caffemodel", "bytes", good.CAFFE, corpus, alone(), (caffe.read, formats.read)),
    Case("caffemodel", "fields", good.CAFFE, messages, alone(), (caffe.read, formats.read)),
    Case("Caffe graph", "bytes", good.CAFFE_NETS[2], corpus, alone(), (load,)),
    Case("Caffe graph", "fields", good.CAFFE_NETS[2], messages, alone(), (load,)),
    Case("Caffe graph", "fields of version 1", good.CAFFE_NETS[1], messages, alone(), (load,)),
    Case("prototxt", "bytes", good.PROTOTXT, corpus, good.prototxt, (load_with_prototxt,)),
    Case("prototxt", "words", good.PROTOTXT, texts, good.prototxt, (load_with_prototxt,)),
    Case("binaryproto", "bytes", good.MEAN, spanning((0, 12)), alone(), (caffe.read_mean,)),
    Case("binaryproto", "fields", good.MEAN, messages, alone(), (caffe.read_mean,)),
    Case(
        "torch zip",
        "bytes",
        good.ZIP,
        spanning((good.ZIP.index(b"PK\x01\x02"), len(good.ZIP)), (0, 60)),
        alone(),
        (formats.read,),
    ),
    Case("torch zip", "pickle's bytes", good.PICKLE, corpus, alone(good.zip_of), (formats.read,)),
    Case("torch zip", "opcodes", good.PICKLE, pickles, alone(good.zip_of), (formats.read,)),
    Case("torch zip", "opcodes of a net", good.NET_PICKLE, pickles, alone(good.net_of), (load_architecture,)),
    Case(
        "torch legacy",
        "bytes",
        good.LEGACY,
        spanning((0, good.LEGACY_START), (good.LEGACY_END, good.LEGACY_END + 60)),
        alone(),
        (formats.read,),
    ),
    Case(
        "torch legacy",
        "opcodes",
        good.LEGACY[good.LEGACY_START : good.LEGACY_END],
        pickles,
        alone(good.legacy_of),
        (formats.read,),
    ),
    Case("native", "bytes", good.NATIVE, spanning((0, 8), (8, 8 + len(good.HEADER))), alone(), WHOLE),
    Case("native", "header", good.HEADER.encode(), documents, alone(good.header_of), WHOLE),
    Case("native", "graph", json.dumps(good.GRAPH).encode(), documents, alone(good.graph_of), WHOLE),
    Case("native", "graph's bytes", json.dumps(good.GRAPH).encode(), corpus, alone(good.graph_of), WHOLE),
    Case("ONNX", "bytes", good.ONNX, corpus, alone(), WHOLE),
    Case("ONNX", "fields", good.ONNX, messages, alone(), WHOLE),
    Case("ConvNetJS", "bytes", good.SNAPSHOT, corpus, alone(), WHOLE),
    Case("ConvNetJS", "JSON", good.SNAPSHOT, documents, alone(), WHOLE),
    Case("TensorFlow.js", "bytes", good.MODEL_JSON, corpus, good.tfjs_model, WHOLE),
    Case("TensorFlow.js", "JSON", good.MODEL_JSON, documents, good.tfjs_model, WHOLE),
    Case("TensorFlow.js", "weights", next(iter(good.SHARDS.values())), corpus, good.tfjs_shard, WHOLE),
]
