"""Random uses of every ONNX operator that is read: one function an operator, called as the operator.

Each takes a Draw and gives (x's shape, inputs, attributes); inputs are "x", an array that the graph holds, or None for
an absent one. What a runtime refuses is drawn again, so sizes need not always fit.
"""

from math import prod

import numpy as np


class Draw:
    """Random numbers for one use of an operator under one opset."""

    def __init__(self, seed, opset):
        self.rng, self.opset = np.random.default_rng(seed), opset

    def int(self, low, high):
        """low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def ints(self, count, low, high):
        return [self.int(low, high) for _ in range(count)]

    def one(self, *choices):
        return choices[self.int(0, len(choices) - 1)]

    def float(self, low, high):
        return float(np.float32(self.rng.uniform(low, high)))

    def array(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def shape(self, low=1, high=4, most=5):
        return tuple(self.ints(self.int(low, high), 1, most))

    def some(self, **attributes):
        """Each attribute is there two times of three."""
        return {name: value for name, value in attributes.items() if self.int(0, 2)}

    def axis(self, rank, since=11):
        """Any axis; from the end too, since some opset."""
        return self.int(-rank if self.opset >= since else 0, rank - 1)

    def broadcast(self, shape):
        """A shape that broadcasts to `shape`."""
        return tuple(self.one(1, size) for size in shape[self.int(0, len(shape)) :])


# Windows


def _windows(d, dilated=True):
    """(kernel, attributes, H and W that hold a window): pads of both kinds, strides, dilations."""
    kernel, strides = d.ints(2, 1, 4), d.ints(2, 1, 3)
    auto = d.one("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    attributes = d.some(auto_pad=auto) if auto in ("NOTSET", "VALID") else {"auto_pad": auto}
    if auto.startswith("SAME"):
        kernel = [max(k, s) for k, s in zip(kernel, strides)]
    elif dilated:
        attributes |= d.some(dilations=d.ints(2, 1, 2))
    if attributes.get("auto_pad", "NOTSET") == "NOTSET":
        attributes |= d.some(pads=d.ints(4, 0, 3))
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    reaches = [(k - 1) * dilation + 1 for k, dilation in zip(kernel, attributes.get("dilations", (1, 1)))]
    sizes = [max(reach - pad, 1) + d.int(0, 5) for reach, pad in zip(reaches, (top + bottom, left + right))]
    return kernel, {**attributes, "strides": strides} if d.int(0, 3) else attributes, sizes


def Conv(d):
    groups = d.int(1, 3)
    C, F = groups * d.int(1, 3), groups * d.int(1, 3)
    kernel, attributes, sizes = _windows(d)
    w, b = d.array(F, C // groups, *kernel), d.array(F)
    if groups > 1:
        attributes["group"] = groups
    return (d.int(1, 2), C, *sizes), ["x", w, d.one(b, None)], {**attributes, **d.some(kernel_shape=kernel)}


def ConvTranspose(d):
    groups = d.int(1, 3)
    C, F = groups * d.int(1, 2), groups * d.int(1, 2)
    kernel, attributes, _ = _windows(d)
    H, W = d.ints(2, 4, 6)  # more than any pads
    w, b = d.array(C, F // groups, *kernel), d.array(F)
    if d.int(0, 3) == 0:
        attributes.pop("pads", None)
        attributes["output_shape"] = [s * n for s, n in zip(attributes.get("strides", [1, 1]), (H, W))]
    elif attributes.get("auto_pad", "NOTSET") == "NOTSET":
        attributes |= d.some(output_padding=d.ints(2, 0, 1))
    attributes["group"] = groups
    return (d.int(1, 2), C, H, W), ["x", w, d.one(b, None)], {**attributes, **d.some(kernel_shape=kernel)}


def MaxPool(d):
    kernel, attributes, sizes = _windows(d, dilated=d.opset >= 10)
    if d.opset >= 8:
        attributes |= d.some(storage_order=d.int(0, 1))
    if d.opset >= 10:
        attributes |= d.some(ceil_mode=d.int(0, 1))
    return (d.int(1, 2), d.int(1, 3), *sizes), ["x"], {**attributes, "kernel_shape": kernel}


def AveragePool(d):
    kernel, attributes, sizes = _windows(d, dilated=d.opset >= 19)
    attributes |= d.some(count_include_pad=d.int(0, 1))
    if d.opset >= 10:
        attributes |= d.some(ceil_mode=d.int(0, 1))
    return (d.int(1, 2), d.int(1, 3), *sizes), ["x"], {**attributes, "kernel_shape": kernel}


def GlobalAveragePool(d):
    return tuple(d.ints(4, 1, 6)), ["x"], {}


GlobalMaxPool = GlobalAveragePool


def LRN(d):
    attributes = d.some(alpha=d.float(0, 2), beta=d.float(0.1, 1.5), bias=d.float(0.5, 2))
    return tuple(d.ints(4, 1, 7)), ["x"], {"size": d.one(1, 3, 5, 7), **attributes}


# Numbers


def Relu(d):
    return d.shape(), ["x"], {}


Sigmoid = Tanh = Identity = Relu


def LeakyRelu(d):
    return d.shape(), ["x"], d.some(alpha=d.one(0.0, d.float(0, 2)))


def PRelu(d):
    shape = _, C, H, W = tuple(d.ints(4, 1, 4))
    slopes = d.one((C, 1, 1), (1,), (), (C, H, W), (1, C, 1, 1), (W,), (H, 1), (1, C, 1, W))
    return shape, ["x", d.array(*slopes)], {}


def Elu(d):
    return d.shape(), ["x"], d.some(alpha=d.float(0.1, 3))


def Clip(d):
    low, high = sorted((d.float(-1, 1), d.float(-1, 1)))
    if d.opset < 11:
        return d.shape(), ["x"], d.some(min=low, max=high)
    return d.shape(), ["x", d.one(np.float32(low), None), d.one(np.float32(high), None)], {}


def Softmax(d):
    shape = d.shape()
    return shape, ["x"], d.some(axis=d.axis(len(shape))) if len(shape) > 1 else {"axis": 0}


LogSoftmax = Softmax


def BatchNormalization(d):
    C = d.int(1, 4)
    arrays = [d.array(C), d.array(C), d.array(C), np.abs(d.array(C))]
    shape = (d.int(1, 3), C, *d.ints(d.int(0, 2), 1, 5))
    return shape, ["x", *arrays], d.some(epsilon=d.float(1e-6, 0.1), momentum=d.float(0, 1))


def Dropout(d):
    if d.opset < 12:
        return d.shape(), ["x"], d.some(ratio=d.float(0, 0.9))
    inputs = ["x", d.one(np.float32(d.float(0, 0.9)), None), d.one(np.array(False), None)]
    return d.shape(), inputs, d.some(seed=3)


def Add(d):
    shape = d.shape()
    other = d.one("x", d.array(*d.broadcast(shape)), np.sign(d.array(1, *shape)) + np.float32(0.5))
    return shape, d.one(["x", other], [other, "x"]), {}


Sub = Mul = Add


def Div(d):
    shape = d.shape()
    divisor = d.array(*d.broadcast(shape))
    return shape, ["x", np.sign(divisor) * (np.abs(divisor) + np.float32(0.5))], {}


def Sum(d):
    shape = d.shape()
    if d.opset < 8:
        return shape, d.one(["x"], ["x", "x", d.array(*shape)]), {}
    return shape, d.one(["x"], ["x", d.array(*d.broadcast(shape))], ["x", d.array(*d.broadcast(shape)), "x"]), {}


def MatMul(d):
    D, F = d.ints(2, 1, 5)
    outer = d.shape(0, 2)
    choices = [
        ((d.int(1, 3), D), ["x", d.array(D, F)]),
        ((*outer, d.int(1, 3), D), ["x", d.array(D, F)]),
        ((*outer, d.int(1, 3), D), ["x", d.array(*d.broadcast(outer), D, F)]),
        ((*outer, D, F), [d.array(d.int(1, 4), D), "x"]),
        ((*outer, d.int(1, 4), D), ["x", d.array(D)]),
        ((D, F), [d.array(D), "x"]),
        ((D, D), ["x", "x"]),
    ]
    return (*d.one(*choices), {})


def Gemm(d):
    N, D, F = d.ints(3, 1, 5)
    turned = d.some(transA=d.int(0, 1)), d.some(transB=d.int(0, 1))
    a_shape = (D, N) if turned[0].get("transA") else (N, D)
    b_shape = (F, D) if turned[1].get("transB") else (D, F)
    c = d.one(d.array(F), d.array(1, F), d.array(), d.array(1), d.array(N, 1), d.array(N, F))
    if d.opset >= 11:
        c = d.one(c, c, None)
    attributes = {**turned[0], **turned[1], **d.some(alpha=d.float(-2, 2), beta=d.float(-2, 2))}
    if d.int(0, 2):
        return a_shape, ["x", d.array(*b_shape), c], attributes
    if d.int(0, 1):
        return b_shape, [d.array(*a_shape), "x", c], attributes
    return (N, N), ["x", "x", d.one(d.array(N), "x")], attributes


def ReduceMean(d):
    shape = d.shape()
    axes = sorted(d.rng.permutation(len(shape))[: d.int(1, len(shape))].tolist())
    if d.opset >= 11 and d.int(0, 1):
        axes = [axis - len(shape) for axis in axes]
    attributes = d.some(keepdims=d.int(0, 1))
    if d.opset < 18:
        return shape, ["x"], {**attributes, **d.some(axes=axes)}
    given = d.one(np.int64(axes), np.int64(axes), np.zeros(0, np.int64), None)
    return shape, ["x", given], {**attributes, **d.some(noop_with_empty_axes=d.int(0, 1))}


# Axes


def Concat(d):
    shape = d.shape(2)
    axis = d.axis(len(shape))
    other = list(shape)
    other[axis] = d.int(1, 4)
    return shape, d.one(["x", "x"], ["x", d.array(*other)], [d.array(*other), "x", d.array(*other)]), {"axis": axis}


def Flatten(d):
    shape = d.shape(1 if d.opset >= 9 else 2)
    low = -len(shape) if d.opset >= 11 else 0
    return shape, ["x"], d.some(axis=d.int(low, len(shape)))


def Reshape(d):
    shape = d.shape(1)
    at = d.int(0, len(shape) - 1)
    end = d.int(at, len(shape) - 1)
    merged = [*shape[:at], prod(shape[at : end + 1]), *shape[end + 1 :]]
    target = d.one(list(d.rng.permutation(shape)), merged, [*merged, 1], [1, *merged])
    if d.int(0, 1):
        target[d.int(0, len(target) - 1)] = -1
    if d.int(0, 1) and target[0] == shape[0]:
        target[0] = 0
    attributes = d.some(allowzero=0 if 0 in target else d.int(0, 1)) if d.opset >= 14 else {}
    return shape, ["x", np.int64(target)], attributes


def Transpose(d):
    shape = d.shape()
    return shape, ["x"], d.some(perm=d.rng.permutation(len(shape)).tolist())


def Squeeze(d):
    shape = tuple(d.one(1, 1, 3) for _ in range(d.int(1, 5)))
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    axes = d.one(None, ones[: d.int(1, max(len(ones), 1))])
    if axes and d.opset >= 11 and d.int(0, 1):
        axes = [axis - len(shape) for axis in axes]
    if d.opset < 13:
        return shape, ["x"], {"axes": axes} if axes else {}
    return shape, ["x", np.int64(axes) if axes else None], {}


def Unsqueeze(d):
    shape, count = d.shape(), d.int(1, 3)
    rank = len(shape) + count
    axes = sorted(d.rng.permutation(rank)[:count].tolist())
    if d.opset >= 11 and d.int(0, 1):
        axes = [axis - rank for axis in axes]
    return (shape, ["x"], {"axes": axes}) if d.opset < 13 else (shape, ["x", np.int64(axes)], {})


def Pad(d):
    shape = d.shape(1, 4, most=6)
    mode = d.one("constant", "reflect", "edge")
    most = {"constant": 4, "edge": 3, "reflect": min(shape) - 1}[mode]
    low = -1 if mode == "constant" and d.int(0, 1) else 0
    axes = list(range(len(shape)))
    attributes, value = ({"mode": mode} if mode != "constant" else d.some(mode=mode)), d.float(-2, 2)
    if d.opset < 11:
        return shape, ["x"], {"pads": d.ints(2 * len(axes), low, most), **attributes, **d.some(value=value)}
    inputs = ["x", None, np.float32(value) if mode == "constant" and d.int(0, 2) else None]
    if d.opset >= 18 and d.int(0, 1):
        axes = d.rng.permutation(len(shape))[: d.int(1, len(shape))]
        inputs.append(np.int64([d.one(axis, axis - len(shape)) for axis in axes]))
    inputs[1] = np.int64(d.ints(2 * len(axes), low, most))
    return shape, inputs, attributes
