"""Small files that describe large nets, or that look as if they did; see hostile_bombs."""

import json

import numpy as np
import onnx_files as onnx
import tfjs_files
from hostile_good import SHARDS, alone
from net_files import caffe_layer, caffe_model, convnetjs_layer, convnetjs_snapshot
from weight_files import field_bytes, field_int

ONE = np.zeros(1, np.float32)


def caffe_chain(n, *layer, **params):
    """An image and n layers, each of which reads the one before."""
    layers = [caffe_layer("data", "Input", input_param={"shape": {"dim": [1, 1, 4, 4]}})]
    for i in range(n):
        name, before = f"l{i}", layers[-1]["name"]
        layers.append(caffe_layer(name, layer[0], [before] * (layer[1] if layer[1:] else 1), **params))
    return caffe_model(layers)


CAFFE_GRAPH = {
    "a chain": lambda n: caffe_chain(n, "ReLU"),
    "a chain that doubles": lambda n: caffe_chain(n, "Concat", 2),
    "sums of many": lambda n: caffe_chain(max(n // 100, 1), "Eltwise", 900),
    "many outputs": lambda n: caffe_model([
        caffe_layer("data", "Input", input_param={"shape": {"dim": [1, 1, 4, 4]}}),
        caffe_layer("s", "Split", "data", [f"t{i}" for i in range(15 * n)]),
    ]),
    "a layer that says it is huge": lambda n: caffe_chain(
        1, "InnerProduct", inner_product_param={"num_output": 2**31 - 1}, blobs=[ONE]
    ),
    "pads that are huge": lambda n: caffe_chain(3, "Pooling", pooling_param={"kernel_size": 2**30, "pad": 2**29}),
}  # fmt: skip

PROTOTXT = {
    "braces": lambda n: b"a {" * 30 * n,
    "fields": lambda n: b"a:1 " * 25 * n,
    "strings": lambda n: b'name: ""' + b'"\\\\"' * 25 * n,
    "a string without an end": lambda n: b'name: "' + b"\\" * 100 * n,
    "a comment": lambda n: b"#" * 100 * n,
    "a number": lambda n: b"layer { name: " + b"9" * 100 * n + b" }",
    "lists": lambda n: b"input_dim: [" + b"1," * 50 * n + b"1]",
    "layers of one name": lambda n: (
        b'input: "data" input_dim: [1, 6, 2, 2] layer { name: "top" type: "ReLU" bottom: "data" top: "data" } '
        + b'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 4 } } '
        * n
    ),
}


def onnx_chain(n, node, constants=(), **more):
    """n nodes made by node(i, the name before, its own)."""
    nodes = [node(i, f"t{i - 1}" if i else "x", f"t{i}") for i in range(n)]
    return onnx.model(nodes, constants, outputs=[(f"t{n - 1}", None)], **more)


def onnx_tensor(dims, type_, field, data):
    return onnx.dims(dims) + field_int(2, type_) + field_bytes(8, "c") + field_bytes(field, data)


ONNX = {
    "nodes": lambda n: onnx_chain(4 * n, lambda i, x, y: onnx.node("Relu", x, y)),
    "empty nodes": lambda n: onnx.model([b""] * 50 * n),
    "nodes that double": lambda n: onnx_chain(n, lambda i, x, y: onnx.node("Concat", f"{x} {x}", y, axis=1)),
    "one weight for many": lambda n: onnx_chain(
        n, lambda i, x, y: onnx.node("Gemm", f"{x} c", y, alpha=0.5),
        [onnx.tensor("c", np.zeros((5 * int(n**0.5),) * 2, np.float32))], inputs=[("x", (1, 5 * int(n**0.5)))],
    ),
    "one constant in many shapes": lambda n: onnx.model(
        [onnx.node("Reshape", f"c s{i}", f"r{i}") for i in range(n)]
        + [onnx.node("Sum", "x " + " ".join(f"r{i}" for i in range(n)), "y")],
        [onnx.tensor("c", np.zeros(50 * n, np.float32))]
        + [onnx.tensor(f"s{i}", np.int64([-1, 1 + i % 2])) for i in range(n)],
    ),
    "bytes that become integers": lambda n: onnx.model(
        [onnx.node("Identity", "c", "i"), onnx.node("Relu", "x", "y")],
        [onnx_tensor([1000 * n], onnx.BOOL, 9, bytes(1000 * n))],
    ),
    "small halves": lambda n: onnx.model(
        [onnx.node("Add", "x c", "y")],
        [onnx_tensor([1000 * n], onnx.FLOAT16, 5, b"\1" * 1000 * n)], inputs=[("x", (1, 1))],
    ),
    "small integers": lambda n: onnx.model(
        [onnx.node("Identity", "c", "i"), onnx.node("Relu", "x", "y")],
        [onnx_tensor([1000 * n], onnx.INT32, 5, b"\1" * 1000 * n)],
    ),
    "sizes": lambda n: onnx.model([onnx.node("Relu", "x", "y")], [onnx_tensor([1] * 50 * n, onnx.FLOAT, 9, b"")]),
    "attributes": lambda n: onnx.model([onnx.node("Relu", "x", "y", **{f"a{i}": i for i in range(8 * n)})]),
    "a list of numbers": lambda n: onnx.model([onnx.node("Pad", "x", "y") + field_bytes(5, field_bytes(1, "pads")
        + field_bytes(8, b"\1" * 100 * n) + field_int(20, 7))], opset=10),
    "huge pads": lambda n: onnx_chain(
        3, lambda i, x, y: onnx.node("Pad", x, y, pads=[0, 0, 2**40, 2**40, 0, 0, 2**40, 2**40]), opset=10
    ),
    "axes": lambda n: onnx_chain(n, lambda i, x, y: onnx.node("Unsqueeze", x, y, axes=[0]), opset=11),
}  # fmt: skip


def vols(n, w):
    """A snapshot of one layer of n numbers, written as w."""
    sizes = b'{"sx":1,"sy":1,"depth":%d,"w":' % n
    start = convnetjs_snapshot(convnetjs_layer("input", (1, 1, n)))[:-2]
    layer = b'{"layer_type":"fc","out_depth":1,"out_sx":1,"out_sy":1,"num_inputs":%d,"filters":[' % n
    return start + b", " + layer + sizes + w + b'}],"biases":{"sx":1,"sy":1,"depth":1,"w":[0]}}]}'


def large_filters(n, number):
    """A snapshot of one layer of 1,000 n weights, each written as `number`."""
    sizes = b'{"sx":1,"sy":1,"depth":50000,"w":[' + b",".join([number] * 50_000) + b"]}"
    F = max(n // 50, 1)
    biases = b'{"sx":1,"sy":1,"depth":%d,"w":[' % F + b",".join([b"0"] * F) + b"]}"
    layer = b'{"layer_type":"fc","out_depth":%d,"out_sx":1,"out_sy":1,"num_inputs":50000,"filters":[' % F
    start = convnetjs_snapshot(convnetjs_layer("input", (1, 1, 50_000)))[:-2]
    return start + b", " + layer + b",".join([sizes] * F) + b'],"biases":' + biases + b"}]}"


CONVNETJS = {
    "numbers": lambda n: vols(50 * n, b"[" + b",".join([b"0"] * 50 * n) + b"]"),
    "nulls": lambda n: vols(20 * n, b"[" + b",".join([b"null"] * 20 * n) + b"]"),
    "numbers with names": lambda n: vols(10 * n, b"{" + b",".join(b'"%d":0' % i for i in range(10 * n)) + b"}"),
    "nested lists": lambda n: b'{"layers":[{"layer_type":"input","a":' + b"[" * 100 * n,
    "empty lists": lambda n: b'{"layers":[{"layer_type":"input","a":[' + b"[]," * 33 * n + b"1]}]}",
    "lists of a number": lambda n: b'{"layers":[{"layer_type":"input","a":[' + b"[1]," * 25 * n + b"1]}]}",
    "objects": lambda n: b'{"layers":[{"layer_type":"input","a":[' + b'{"a":1},' * 12 * n + b"1]}]}",
    "a long number": lambda n: b'{"layers":[{"layer_type":"input","a":' + b"9" * 100 * n + b"}]}",
    "a long text": lambda n: b'{"layers":[{"layer_type":"' + "é".encode() * 50 * n + b'"}]}',
    "escapes": lambda n: b'{"layers":[{"layer_type":"' + b"\\u00e9" * 16 * n + b'"}]}',
    "many numbers": lambda n: large_filters(n, b"0"),
    "many nulls": lambda n: large_filters(n, b"null"),
    "layers": lambda n: convnetjs_snapshot(
        convnetjs_layer("input", (1, 1, 1)), *[convnetjs_layer("relu", (1, 1, 1))] * n
    ),
    "a layer that says it is huge": lambda n: convnetjs_snapshot(
        convnetjs_layer("input", (65536, 65536, 65536)),
        convnetjs_layer("conv", (65536, 65536, 65536), filters=np.zeros((1, 1, 1, 1)), biases=ONE, sx=65536, sy=65536,
                        stride=1, pad=32768, in_depth=65536),
    ),
}  # fmt: skip


_REST = sum(map(len, SHARDS.values())) // 4 - 16
ONE_LAYER, _ = tfjs_files.manifest({"d/kernel": np.zeros((4, 4)), "d/more": np.zeros(_REST)}, shards=2)


def tfjs_chain(n, layer, shape=(4,)):
    """n layers made by layer(i, the name before)."""
    layers = [tfjs_files.image(*shape), *(layer(i, f"l{i - 1}" if i else "image") for i in range(n))]
    return tfjs_files.model_json(tfjs_files.functional(*layers, output=f"l{n - 1}"), []).encode()


TFJS = {
    "nested lists": lambda n: b'{"modelTopology":' + b"[" * 100 * n,
    "empty lists": lambda n: b'{"modelTopology":[' + b"[]," * 33 * n + b"1]}",
    "empty objects": lambda n: b'{"modelTopology":[' + b"{}," * 33 * n + b"1]}",
    "a long number": lambda n: b'{"modelTopology":' + b"9" * 100 * n + b"}",
    "escapes": lambda n: b'{"modelTopology":"' + b"\\u00e9" * 16 * n + b'"}',
    "layers": lambda n: tfjs_chain(n, lambda i, x: tfjs_files.layer("ReLU", f"l{i}", [x])),
    "layers that double": lambda n: tfjs_chain(n, lambda i, x: tfjs_files.layer("Concatenate", f"l{i}", [x, x])),
    "pads": lambda n: tfjs_chain(
        n, lambda i, x: tfjs_files.layer("ZeroPadding2D", f"l{i}", [x], padding=65536), shape=(1, 1, 1)
    ),
    "shards": lambda n: json.dumps({"modelTopology": {}, "weightsManifest": [
        {"paths": [f"{i}.bin" for i in range(9 * n)], "weights": []}]}).encode(),
    "one shard for all": lambda n: json.dumps({"modelTopology": {}, "weightsManifest": [
        {"paths": [next(iter(SHARDS))], "weights": []}] * n}).encode(),
    "weights": lambda n: json.dumps({"modelTopology": {}, "weightsManifest": [{"paths": [], "weights": [
        {"name": f"w{i}", "shape": [0], "dtype": "float32"} for i in range(2 * n)]}]}).encode(),
    "a lying shape": lambda n: json.dumps({"modelTopology": {}, "weightsManifest": [{"paths": list(SHARDS), "weights": [
        {"name": "w", "shape": [1 << 40], "dtype": "float32"}]}]}).encode(),
    "a layer used often": lambda n: tfjs_files.model_json(tfjs_files.functional(
        tfjs_files.image(4), tfjs_files.layer("Dense", "d", [["image"]] + [[("d", i)] for i in range(5 * n)], units=4,
        use_bias=False), output="d"), ONE_LAYER).encode(),
    "many inputs": lambda n: tfjs_chain(1, lambda i, x: tfjs_files.layer("Concatenate", "l0", ["image"] * 7 * n)),
}  # fmt: skip


def prototxt_beside(folder, data):
    """A prototxt whose caffemodel has one large layer, "fc"."""
    (folder / "net.prototxt").write_bytes(data)
    weights = np.zeros((4, 24), np.float32)
    model = caffe_model([caffe_layer("fc", "InnerProduct", "data", blobs=[weights, weights[:, 0]])])
    return alone(name="net.caffemodel")(folder, model)
