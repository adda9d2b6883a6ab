"""ConvNetJS' own definitions as loops over its Vols (karpathy/convnetjs, src/convnet_layers_*.js).

A Vol is (sx, sy, depth, w), with w[(y*sx + x)*depth + d].
"""

import json
import math

import numpy as np


class Vol:
    def __init__(self, sx, sy, depth, w=None):
        self.sx, self.sy, self.depth = sx, sy, depth
        self.w = [0.0] * (sx * sy * depth) if w is None else [float(v) for v in w]

    def at(self, x, y, d):
        return (y * self.sx + x) * self.depth + d


def as_vol(entry):
    w = entry["w"]
    return Vol(
        entry["sx"], entry["sy"], entry["depth"], w if isinstance(w, list) else [w[str(i)] for i in range(len(w))]
    )


def js_conv(v, layer):
    out = Vol(layer["out_sx"], layer["out_sy"], layer["out_depth"])
    for d, f in enumerate(map(as_vol, layer["filters"])):
        for ax in range(out.sx):
            for ay in range(out.sy):
                a = 0.0
                for fx in range(f.sx):
                    for fy in range(f.sy):
                        x, y = ax * layer["stride"] - layer["pad"] + fx, ay * layer["stride"] - layer["pad"] + fy
                        if 0 <= x < v.sx and 0 <= y < v.sy:
                            a += sum(f.w[f.at(fx, fy, fd)] * v.w[v.at(x, y, fd)] for fd in range(f.depth))
                out.w[out.at(ax, ay, d)] = a + as_vol(layer["biases"]).w[d]
    return out


def js_fc(v, layer):
    filters, biases = [as_vol(f).w for f in layer["filters"]], as_vol(layer["biases"]).w
    return Vol(1, 1, len(filters), [math.fsum(a * b for a, b in zip(v.w, f)) + c for f, c in zip(filters, biases)])


def js_pool(v, layer):
    out = Vol(layer["out_sx"], layer["out_sy"], layer["out_depth"])
    for d in range(v.depth):
        for ax in range(out.sx):
            for ay in range(out.sy):
                x0, y0 = (a * layer["stride"] - layer["pad"] for a in (ax, ay))
                cells = [(x, y) for x in range(x0, x0 + layer["sx"]) for y in range(y0, y0 + layer["sy"])]
                inside = [v.w[v.at(x, y, d)] for x, y in cells if 0 <= x < v.sx and 0 <= y < v.sy]
                out.w[out.at(ax, ay, d)] = max(inside)
    return out


def js_lrn(v, layer):
    out, half = Vol(v.sx, v.sy, v.depth), layer["n"] // 2
    for x in range(v.sx):
        for y in range(v.sy):
            for i in range(v.depth):
                near = range(max(0, i - half), min(i + half, v.depth - 1) + 1)
                scale = layer["k"] + layer["alpha"] / layer["n"] * sum(v.w[v.at(x, y, j)] ** 2 for j in near)
                out.w[v.at(x, y, i)] = v.w[v.at(x, y, i)] * scale ** -layer["beta"]
    return out


def js_maxout(v, layer):
    size = layer["group_size"]
    out = Vol(v.sx, v.sy, v.depth // size)
    for x in range(v.sx):
        for y in range(v.sy):
            for i in range(out.depth):
                out.w[out.at(x, y, i)] = max(v.w[v.at(x, y, i * size + j)] for j in range(size))
    return out


def js_softmax(v, layer):
    e = [math.exp(a - max(v.w)) for a in v.w]
    return Vol(1, 1, len(e), [a / math.fsum(e) for a in e])


def each(function):
    return lambda v, layer: Vol(v.sx, v.sy, v.depth, [function(a, layer) for a in v.w])


JS = {
    "input": each(lambda a, _: a),
    "conv": js_conv,
    "fc": js_fc,
    "pool": js_pool,
    "relu": each(lambda a, _: 0.0 if a < 0 else a),
    "sigmoid": each(lambda a, _: 1 / (1 + math.exp(-a))),
    "tanh": each(lambda a, _: math.tanh(a)),
    "maxout": js_maxout,
    "dropout": each(lambda a, layer: a * (1 - layer["drop_prob"])),
    "lrn": js_lrn,
    "softmax": js_softmax,
    "svm": each(lambda a, _: a),
    "regression": each(lambda a, _: a),
}


def js_forward(snapshot, image):
    """image: (C, H, W) -> the output as (C, H, W), or (D,) for a Vol of one pixel."""
    C, H, W = image.shape
    v = Vol(W, H, C, image.transpose(1, 2, 0).ravel())
    for layer in json.loads(snapshot)["layers"]:
        v = JS[layer["layer_type"]](v, layer)
    out = np.array(v.w).reshape(v.sy, v.sx, v.depth).transpose(2, 0, 1)
    return out.ravel() if v.sx == v.sy == 1 else out
