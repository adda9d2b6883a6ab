"""Small files that ask for much: of each a function of a size n, whose file has some hundred times n bytes."""

import struct

from hostile_bombs_nets import CAFFE_GRAPH, CONVNETJS, ONNX, PROTOTXT, TFJS, prototxt_beside
from hostile_cases import WHOLE, Case, load_with_prototxt
from hostile_good import DATA, PICKLE, alone, graph_of, header_of, tfjs_model, zip_of
from weight_files import (
    Raw,
    blob,
    caffemodel,
    field_bytes,
    layer_v2,
    opcodes,
    ordered_dict,
    pickled,
    tensor,
    torch_legacy,
    torch_zip,
)

CAFFEMODEL = {
    "empty fields": lambda n: caffemodel() + b"\x20\x00" * 40 * n,
    "pairs of floats": lambda n: caffemodel(layer_v2("c", "InnerProduct", (b"\x2dabcd" * 2 + b"\x48\1") * 10 * n)),
    "unpacked floats": lambda n: caffemodel(layer_v2("c", "InnerProduct", b"\x2dabcd" * 200 * n)),
    "empty blobs": lambda n: caffemodel(layer_v2("c", "InnerProduct", *[b""] * 18 * n)),
    "many sizes": lambda n: caffemodel(layer_v2("c", "x", field_bytes(7, field_bytes(1, b"\1" * 100 * n)))),
    "many layers": lambda n: caffemodel(*[layer_v2(f"l{i}", "x", blob([1])) for i in range(3 * n)]),
}  # fmt: skip

TORCH_ZIP = {
    "lists": lambda n: zip_of(b"\x80\x02" + b"]" * 40 * n),
    "memo entries": lambda n: zip_of(
        b"\x80\x02]" + b"".join(b"r" + struct.pack("<I", i * 7919) for i in range(29 * n))
    ),
    "nested tuples as a key": lambda n: zip_of(b"\x80\x02})" + b"q\x00h\x00\x86" * n + b"Ns."),
    "a huge text": lambda n: zip_of(b"\x80\x02X" + struct.pack("<I", 1000 * n) + "é".encode() * 500 * n + b"."),
    "many texts": lambda n: zip_of(pickled(["\U0001f600" + "a" * 4000] * (n * 39 // 100))),
    "many views": lambda n: zip_of(pickled(ordered_dict({f"t{i}": tensor("0", (24,)) for i in range(n)}))),
    "copied sizes": lambda n: zip_of(
        b"\x80\x02](" + b"K\x01" * 10 * n + b"eq\x00ctorch\nSize\nq\x01" + b"h\x01h\x00\x85R" * 4 * n + b"."
    ),
    "records": lambda n: torch_zip(PICKLE, {str(i): b"" for i in range(3 * n)}),
}

SIX = {"7": (6, bytes(24))}


def six(shape=(6,), **how):
    return tensor("7", shape, elements=6, part=(None,), **how)


TORCH_LEGACY = {
    "keys": lambda n: torch_legacy({"a": six()}, SIX, keys=["\U0001f600" + "a" * 4000] * (n // 4)),
    "texts": lambda n: torch_legacy(["\U0001f600" + "a" * 4000] * (n // 4), {}),
    "one list as many dicts": lambda n: torch_legacy(
        Raw(
            opcodes([[f"k{i}", i] for i in range(2 * n)])
            + b"q\x00ccollections\nOrderedDict\nq\x01"
            + b"h\x01h\x00\x85R" * 3 * n
        ),
        {},
    ),
    "a huge storage": lambda n: torch_legacy({"a": tensor("7", (1,), elements=2**60, part=(None,))}, SIX),
    "many views": lambda n: torch_legacy(ordered_dict({f"t{i}": six() for i in range(n)}), SIX),
}


def graph_nodes(nodes):
    return graph_of(b'{"input":"data","dtype":"float32","nodes":[' + b",".join(nodes) + b"]}")


NATIVE = {
    "nested lists": lambda n: header_of(b'{"a":' + b"[" * 100 * n),
    "empty lists": lambda n: header_of(b'{"a":[' + b"[]," * 60 * n + b"[]]}"),
    "a long integer": lambda n: header_of(b'{"a":' + b"9" * 190 * n + b"}"),
    "many names": lambda n: header_of(
        b"{"
        + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(3 * n))
        + b',"all":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(DATA), len(DATA))
    ),
    "a lying length": lambda n: struct.pack("<Q", 99_000_000) + b"{" + bytes(100),
    "a graph of nested lists": lambda n: graph_of(b"[" * 100 * n),
    "of a long number": lambda n: graph_of(b"9" * 190 * n),
    "of many nodes": lambda n: graph_nodes(
        b'{"name":"%d","layer":"ReLU","config":{},"inputs":["data"]}' % i for i in range(n * 2)
    ),
    "of many edges": lambda n: graph_nodes(
        [b'{"name":"a","layer":"Add","config":{},"inputs":[' + b",".join([b'"data"'] * 20 * n) + b"]}"]
    ),
    "of a long name": lambda n: graph_nodes([b'{"name":"a","layer":"' + b"R" * 100 * n + b'","inputs":[]}']),
    "of many arguments": lambda n: graph_nodes(
        [
            b'{"name":"a","layer":"ReLU","inputs":["data"],"config":{'
            + b",".join(b'"%d":[[[[[1]]]]]' % i for i in range(10 * n))
            + b"}}"
        ]
    ),
    "of sums that double": lambda n: graph_nodes(
        b'{"name":"%d","layer":"Concat","config":{},"inputs":["%b","%b"]}' % (i, x, x)
        for i, x in enumerate([b"data", *(b"%d" % i for i in range(n - 1))])
    ),
    "of huge layers": lambda n: graph_nodes(
        b'{"name":"%d","layer":"Linear","inputs":["data"],"config":{"in_features":2147483647,"out_features":9}}' % i
        for i in range(n)
    ),
}  # fmt: skip


_WRITES = {"TensorFlow.js": tfjs_model, "prototxt": prototxt_beside}
_READS = {"prototxt": (load_with_prototxt,)}
BOMBS = {
    "caffemodel": CAFFEMODEL,
    "Caffe graph": CAFFE_GRAPH,
    "prototxt": PROTOTXT,
    "torch zip": TORCH_ZIP,
    "torch legacy": TORCH_LEGACY,
    "native": NATIVE,
    "ONNX": ONNX,
    "ConvNetJS": CONVNETJS,
    "TensorFlow.js": TFJS,
}


def bomb(format, name, n):
    """The Case of one file."""
    write, reads = _WRITES.get(format, alone()), _READS.get(format, WHOLE)
    return Case(format, name, BOMBS[format][name](n), lambda good, count, seed: [good], write, reads)
