"""Small nets of every type of Caffe's layers that becomes one of ours, and what they compute in plain loops or NumPy.

`build` makes a net of one, by way of a file in one of three forms.
"""

import math

import numpy as np
from net_files import (
    AVE,
    FLOOR,
    MAX,
    PROD,
    SUM,
    caffe_layer,
    caffe_model,
    caffe_text,
)

import naive
from minicnn.net import Net
from minicnn.weights import caffe_graph

IMAGE = (2, 3, 5, 6)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def conv(w, b, x, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    pad4 = (pad[0], pad[0], pad[1], pad[1])
    return naive.conv2d_forward(x, w, b, stride, pad4, dilation, groups)


def deconv(w, b, x, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    """Every number of x leaves its window, times w, on a larger image; the pads are cut off it."""
    N, C, H, W = x.shape
    _, FG, KH, KW = w.shape
    reach = [(k - 1) * d + 1 for k, d in zip((KH, KW), dilation)]
    out = np.zeros((N, FG * groups, (H - 1) * stride[0] + reach[0], (W - 1) * stride[1] + reach[1]))
    for n, c, i, j, f, k, m in np.ndindex(N, C, H, W, FG, KH, KW):
        to = c // (C // groups) * FG + f
        out[n, to, i * stride[0] + k * dilation[0], j * stride[1] + m * dilation[1]] += x[n, c, i, j] * w[c, f, k, m]
    cut = [slice(p, size - p) for p, size in zip(pad, out.shape[2:])]
    return out[:, :, cut[0], cut[1]] + (0 if b is None else b[:, None, None])


def pool(x, method, kernel, stride, pad=(0, 0), ceil=True):
    """Caffe's, from the comments of its pooling layer: sizes round up; a window that begins past the image and its
    first pad goes; an average divides by the window's cells that are inside of the image or its pads."""
    N, C, *size = x.shape
    count = []
    for s, k, step, p in zip(size, kernel, stride, pad):
        windows = (math.ceil if ceil else math.floor)((s + 2 * p - k) / step) + 1
        if any(pad) and (windows - 1) * step >= s + p:
            windows -= 1
        count.append(windows)
    out = np.zeros((N, C, *count))
    for n, c, i, j in np.ndindex(*out.shape):
        y, xx = i * stride[0] - pad[0], j * stride[1] - pad[1]
        ends = min(y + kernel[0], size[0] + pad[0]), min(xx + kernel[1], size[1] + pad[1])
        area = (ends[0] - y) * (ends[1] - xx)
        inside = x[n, c, max(y, 0) : min(ends[0], size[0]), max(xx, 0) : min(ends[1], size[1])].ravel()
        out[n, c, i, j] = inside.max() if method == "max" else math.fsum(inside) / area
    return out


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def one(type, blobs=(), bottom="data", name="out", **params):
    return [caffe_layer(name, type, bottom, blobs=blobs, **params)]


W, B = draw(4, 3, 3, 2), draw(4)
WG = draw(6, 1, 2, 3)
D = draw(3, 2, 3, 2)
FC, FCB = draw(4, 90), draw(4)
MEAN, VAR, GAMMA, BETA = draw(3), abs(draw(3)), draw(3, seed=1), draw(3, seed=2)


def normed(x, mean, var, w=1, b=0, eps=1e-5):
    mean, var, w, b = (np.reshape(a, (-1, 1, 1)) for a in (mean, var, w, b))
    return (x - mean) / np.sqrt(var + eps) * w + b


STATISTICS = (MEAN * 4, VAR * 4, [4])
BN = one("BatchNorm", STATISTICS, name="bn")
# name: (layers, the image's shape, what they compute)
CASES = {
    "conv": (
        one("Convolution", (W, B), convolution_param={"num_output": 4, "kernel_h": 3, "kernel_w": 2}),
        IMAGE,
        lambda x: conv(W, B, x),
    ),
    "conv, all of its options": (
        one(
            "Convolution",
            (WG,),
            convolution_param={
                **{"num_output": 6, "bias_term": False, "pad_h": 1, "pad_w": 2, "kernel_size": [2, 3], "group": 3},
                **{"stride_h": 2, "stride_w": 1, "dilation": [1, 2], "engine": 2, "weight_filler": {"type": "xavier"}},
            },
        ),
        IMAGE,
        lambda x: conv(WG, None, x, (2, 1), (1, 2), (1, 2), 3),
    ),
    "conv, one number for both axes": (
        one(
            "Convolution",
            (draw(2, 3, 2, 2), B[:2]),
            convolution_param={"num_output": 2, "pad": 1, "kernel_size": 2, "stride": 2, "dilation": 2},
        ),
        IMAGE,
        lambda x: conv(draw(2, 3, 2, 2), B[:2], x, (2, 2), (1, 1), (2, 2)),
    ),
    "deconv": (
        one(
            "Deconvolution",
            (D, B[:2]),
            convolution_param={"num_output": 2, "kernel_h": 3, "kernel_w": 2, "stride": [2, 3], "pad_h": 1},
        ),
        IMAGE,
        lambda x: deconv(D, B[:2], x, (2, 3), (1, 0)),
    ),
    "deconv in groups": (
        one(
            "Deconvolution",
            (D,),
            convolution_param={
                **{"num_output": 6, "kernel_size": [3, 2], "group": 3, "bias_term": False, "dilation": 2}
            },
        ),
        IMAGE,
        lambda x: deconv(D, None, x, dilation=(2, 2), groups=3),
    ),
    "inner product": (
        one("InnerProduct", (FC, FCB), inner_product_param={"num_output": 4}),
        IMAGE,
        lambda x: x.reshape(2, 90) @ FC.T.astype(np.float64) + FCB,
    ),
    "inner product, turned": (
        one("InnerProduct", (FC.T,), inner_product_param={"num_output": 4, "bias_term": False, "transpose": True}),
        IMAGE,
        lambda x: x.reshape(2, 90) @ FC.T.astype(np.float64),
    ),
    "two inner products": (
        one("InnerProduct", (FC, FCB), name="a", inner_product_param={"num_output": 4, "axis": -3})
        + one("InnerProduct", (W[:, :2, 0].reshape(4, 4), B), "a", inner_product_param={"num_output": 4}),
        IMAGE,
        lambda x: (x.reshape(2, 90) @ FC.T.astype(np.float64) + FCB) @ W[:, :2, 0].reshape(4, 4).T + B,
    ),
    "max-pool": (
        one("Pooling", pooling_param={"pool": MAX, "kernel_size": 3, "stride": 2}),
        (2, 3, 6, 8),
        lambda x: pool(x, "max", (3, 3), (2, 2)),
    ),
    "max-pool, nothing but a window": (
        one("Pooling", pooling_param={"kernel_size": 2}),
        IMAGE,
        lambda x: pool(x, "max", (2, 2), (1, 1)),
    ),
    "max-pool with pads": (
        one("Pooling", pooling_param={"kernel_h": 3, "kernel_w": 2, "stride_h": 2, "stride_w": 3, "pad_h": 1}),
        (1, 2, 5, 8),
        lambda x: pool(x, "max", (3, 2), (2, 3), (1, 0)),
    ),
    "average": (
        one("Pooling", pooling_param={"pool": AVE, "kernel_size": 3, "stride": 2, "pad": 1}),
        (1, 2, 6, 5),
        lambda x: pool(x, "ave", (3, 3), (2, 2), (1, 1)),
    ),
    "average over an edge": (
        one("Pooling", pooling_param={"pool": AVE, "kernel_size": 3, "stride": 2}),
        (1, 2, 6, 8),
        lambda x: pool(x, "ave", (3, 3), (2, 2)),
    ),
    "sizes rounded down": (
        one("Pooling", pooling_param={"pool": AVE, "kernel_size": 3, "stride": 2, "round_mode": FLOOR}),
        (1, 2, 6, 8),
        lambda x: pool(x, "ave", (3, 3), (2, 2), ceil=False),
    ),
    "stride above the window, where nothing is lost": (
        one("Pooling", pooling_param={"kernel_size": 1, "stride": 2}),
        (1, 2, 5, 7),
        lambda x: x[:, :, ::2, ::2],
    ),
    "global average": (
        one("Pooling", pooling_param={"pool": AVE, "global_pooling": True}),
        IMAGE,
        lambda x: x.mean(axis=(2, 3), keepdims=True),
    ),
    "softmax of one pixel": (
        one("Pooling", name="a", pooling_param={"pool": AVE, "kernel_h": 5, "kernel_w": 6})
        + one("Softmax", bottom="a"),
        IMAGE,
        lambda x: softmax(x.mean(axis=(2, 3))),
    ),
    "global max": (
        one("Pooling", pooling_param={"global_pooling": True}),
        IMAGE,
        lambda x: x.max(axis=(2, 3), keepdims=True),
    ),
    "lrn": (
        one("LRN", lrn_param={"local_size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}),
        (1, 7, 2, 2),
        lambda x: naive.lrn_forward(x, 3, 0.5, 0.6, 2.0)[0],
    ),
    "lrn as it is": (one("LRN"), (1, 7, 2, 2), lambda x: naive.lrn_forward(x, 5, 1.0, 0.75, 1.0)[0]),
    "relu": (one("ReLU"), IMAGE, relu),
    "leaky relu": (one("ReLU", relu_param={"negative_slope": 0.1}), IMAGE, lambda x: relu(x, 0.1)),
    "prelu": (one("PReLU", (GAMMA,)), IMAGE, lambda x: relu(x, GAMMA[:, None, None])),
    "prelu, shared": (one("PReLU", ([0.3],), prelu_param={"channel_shared": True}), IMAGE, lambda x: relu(x, 0.3)),
    "prelu of rows": (
        one("Flatten", name="rows") + one("PReLU", (FC[0],), "rows"),
        IMAGE,
        lambda x: relu(x.reshape(2, 90), FC[0]),
    ),
    "elu": (one("ELU", elu_param={"alpha": 0.4}), IMAGE, lambda x: np.where(x > 0, x, 0.4 * (np.exp(x) - 1))),
    "sigmoid": (one("Sigmoid"), IMAGE, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (one("TanH"), IMAGE, np.tanh),
    "softmax": (one("Softmax"), IMAGE, softmax),
    "softmax along rows": (one("Softmax", softmax_param={"axis": -1}), IMAGE, lambda x: softmax(x, 3)),
    "dropout": (one("Dropout", dropout_param={"dropout_ratio": 0.3}), IMAGE, lambda x: x),
    "concat": (
        one("ReLU", name="a") + one("Concat", bottom=["data", "a", "data"]),
        IMAGE,
        lambda x: np.concatenate([x, relu(x), x], axis=1),
    ),
    "concat of rows": (
        one("ReLU", name="a") + one("Concat", bottom=["a", "data"], concat_param={"axis": 2}),
        IMAGE,
        lambda x: np.concatenate([relu(x), x], axis=2),
    ),
    "concat_dim": (
        one("ReLU", name="a") + one("Concat", bottom=["a", "data"], concat_param={"concat_dim": 3}),
        IMAGE,
        lambda x: np.concatenate([relu(x), x], axis=3),
    ),
    "sum": (
        one("ReLU", name="a") + one("Eltwise", bottom=["data", "a"], eltwise_param={"operation": SUM}),
        IMAGE,
        lambda x: x + relu(x),
    ),
    "difference": (
        one("ReLU", name="a") + one("Eltwise", bottom=["data", "a"], eltwise_param={"coeff": [1.0, -1.0]}),
        IMAGE,
        lambda x: x - relu(x),
    ),
    "sum with factors": (
        one("ReLU", name="a") + one("Eltwise", bottom=["data", "a", "data"], eltwise_param={"coeff": [0.5, 1.0, -2.0]}),
        IMAGE,
        lambda x: relu(x) - 1.5 * x,
    ),
    "product": (
        one("ReLU", name="a") + one("Eltwise", bottom=["data", "a", "a"], eltwise_param={"operation": PROD}),
        IMAGE,
        lambda x: x * relu(x) ** 2,
    ),
    "batch norm": (
        one("BatchNorm", STATISTICS, batch_norm_param={"eps": 0.1, "use_global_stats": True}),
        IMAGE,
        lambda x: normed(x, MEAN, VAR, eps=0.1),
    ),
    "batch norm without statistics": (
        one("BatchNorm", (MEAN, VAR, [0])),
        IMAGE,
        lambda x: normed(x, np.zeros(3), np.zeros(3)),
    ),
    "batch norm and scale": (
        BN + one("Scale", (GAMMA, BETA), "bn", scale_param={"bias_term": True}),
        IMAGE,
        lambda x: normed(x, MEAN, VAR, GAMMA, BETA),
    ),
    "batch norm and scale without bias": (
        BN + one("Scale", (GAMMA,), "bn"),
        IMAGE,
        lambda x: normed(x, MEAN, VAR, GAMMA),
    ),
    "batch norm that others read": (
        BN + one("Scale", (GAMMA,), "bn", name="scale") + one("Concat", bottom=["bn", "scale"]),
        IMAGE,
        lambda x: np.concatenate([normed(x, MEAN, VAR), normed(x, MEAN, VAR, GAMMA)], axis=1),
    ),
    "batch norm and a scale of columns": (
        BN + one("Scale", (FC[0, :6],), "bn", scale_param={"axis": 3}),
        IMAGE,
        lambda x: normed(x, MEAN, VAR) * FC[0, :6],
    ),
    "batch norm and a scale of channels and rows": (
        BN + one("Scale", (draw(3, 5),), "bn", scale_param={"num_axes": 2}),
        IMAGE,
        lambda x: normed(x, MEAN, VAR) * draw(3, 5)[:, :, None],
    ),
    "batch norm scaled by another blob": (
        one("Reshape", name="a", reshape_param={"shape": {"dim": IMAGE[1:]}}) + BN + one("Scale", bottom=["bn", "a"]),
        (1, *IMAGE[1:]),
        lambda x: normed(x, MEAN, VAR) * x[0],
    ),
    "vectors with ones around them": (
        one("Scale", (GAMMA.reshape(1, 3, 1, 1), BETA.reshape(3, 1, 1, 1)), scale_param={"bias_term": True}),
        IMAGE,
        lambda x: x * GAMMA[:, None, None] + BETA[:, None, None],
    ),
    "softmax of one pixel, not at the end": (
        one("Pooling", name="a", pooling_param={"pool": AVE, "global_pooling": True})
        + one("Softmax", bottom="a", name="b")
        + one("ReLU", bottom="b"),
        IMAGE,
        lambda x: softmax(x.mean(axis=(2, 3), keepdims=True)),
    ),
    "scale": (
        one("Scale", (GAMMA, BETA), scale_param={"bias_term": True}),
        IMAGE,
        lambda x: x * GAMMA[:, None, None] + BETA[:, None, None],
    ),
    "scale of channels and rows": (
        one("Scale", (draw(3, 5),), scale_param={"num_axes": 2}),
        IMAGE,
        lambda x: x * draw(3, 5)[:, :, None],
    ),
    "scale to the end": (
        one("Scale", (draw(5, 6),), scale_param={"axis": -2, "num_axes": -1}),
        IMAGE,
        lambda x: x * draw(5, 6),
    ),
    "scale by one number": (
        one("Scale", (np.float32(3), np.float32(2)), scale_param={"num_axes": 0, "bias_term": True}),
        IMAGE,
        lambda x: x * 3 + 2,
    ),
    "scale by another blob": (
        one("Pooling", name="a", pooling_param={"pool": AVE, "global_pooling": True})
        + one("Flatten", bottom="a", name="b")
        + one("Scale", bottom=["data", "b"], scale_param={"axis": 0}),
        IMAGE,
        lambda x: x * x.mean(axis=(2, 3), keepdims=True),
    ),
    "bias": (one("Bias", (BETA,)), IMAGE, lambda x: x + BETA[:, None, None]),
    "bias of another blob": (
        one("Pooling", name="a", pooling_param={"pool": AVE, "global_pooling": True})
        + one("Flatten", bottom="a", name="b")
        + one("Bias", bottom=["data", "b"], bias_param={"axis": 0}),
        IMAGE,
        lambda x: x + x.mean(axis=(2, 3), keepdims=True),
    ),
    "flatten": (one("Flatten"), IMAGE, lambda x: x.reshape(2, 90)),
    "flatten maps": (one("Flatten", flatten_param={"axis": -2}), IMAGE, lambda x: x.reshape(2, 3, 30)),
    "reshape": (
        one("Reshape", reshape_param={"shape": {"dim": [0, -1, 2, 5]}}),
        IMAGE,
        lambda x: x.reshape(2, 9, 2, 5),
    ),
    "reshape from an axis on": (
        one("Reshape", reshape_param={"shape": {"dim": [6, 5]}, "axis": 2}),
        IMAGE,
        lambda x: x.reshape(2, 3, 6, 5),
    ),
}


def build(tmp_path, layers, form="caffemodel", **net):
    """The net that is made of a file in one of the three forms."""
    version = 1 if form == "version 1" else 2
    model, text = tmp_path / "net.caffemodel", tmp_path / "net.prototxt"
    if form == "prototxt":
        # The weights alone, in another order, besides some that the net does not have.
        trained = [caffe_layer(layer["name"], "Whatever", blobs=layer["blobs"]) for layer in layers[::-1]]
        model.write_bytes(caffe_model([*trained, caffe_layer("aux", "InnerProduct", blobs=(FC,))]))
        text.write_text(caffe_text(layers, **net))
        checkpoint = caffe_graph.read(model, text)
    else:
        model.write_bytes(caffe_model(layers, version, **net))
        checkpoint = caffe_graph.read(model)
    assert checkpoint.format == "caffe" and checkpoint.dtype == "float32"
    made = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    made.load_state_dict(checkpoint.tensors)
    return made
