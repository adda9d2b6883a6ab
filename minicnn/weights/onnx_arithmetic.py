"""ONNX's operators that compute number by number, multiply matrices or normalise."""

import numpy as np

from ..layers import (
    ELU,
    Add,
    BatchNorm2d,
    Clip,
    Divide,
    Dropout,
    Identity,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MatMul,
    Mean,
    Multiply,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Subtract,
    Tanh,
    Transpose,
)
from .onnx_node import Unread
from .onnx_tensor import Constant


def _plain(layer):
    """An operator of one input without attributes."""
    return lambda b, n: b.add(n, layer(), [b.data(n, 0)])


def _binary(layer):
    return lambda b, n: b.add(n, layer(), [b.data(n, 0), b.data(n, 1)])


def _sum(b, n):
    xs = b.all_data(n)
    return b.add(n, Add() if len(xs) > 1 else Identity(), xs)


def _leaky_relu(b, n):
    slope = n.float("alpha", 0.01)
    return b.add(n, LeakyReLU(slope) if slope else ReLU(), [b.data(n, 0)])


def _p_relu(b, n):
    x, slope = b.data(n, 0), b.constant(n, 1)
    if slope is None:
        raise n.error("has no slopes")
    slopes = slope.floats()
    if slopes.ndim == len(x.shape) and slopes.shape[0] == 1:  # the batch's axis
        slopes = slopes[0]
    return b.add(n, PReLU(slopes.shape), [x], w=slopes)


def _elu(b, n):
    return b.add(n, ELU(n.float("alpha", 1.0)), [b.data(n, 0)])


def _clip(b, n):
    if n.opset < 11:
        low, high = n.float("min", None), n.float("max", None)
    else:
        low, high = b.scalar(n, 1), b.scalar(n, 2)
    # An infinite bound is none, and no file of ours could hold it.
    low, high = None if low == -np.inf else low, None if high == np.inf else high
    return b.add(n, Identity() if low is None is high else Clip(low, high), [b.data(n, 0)])


def _softmax(layer):
    def softmax(b, n):
        x = b.data(n, 0)
        axis = n.axis(n.int("axis", 1 if n.opset < 13 else -1), len(x.shape))
        # Before opset 13 over all axes from this one on together, which may be one.
        together = n.opset < 13 and any(size != 1 for size in x.shape[axis + 1 :])
        return b.add(n, layer(axis, to_end=True) if together else layer(axis), [x])

    return softmax


def _batch_normalization(b, n):
    x = b.data(n, 0)
    w, shift, mean, var = (b.constant(n, index) for index in (1, 2, 3, 4))
    if None in (w, shift, mean, var):
        raise n.error("lacks one of scale, B, mean and var")
    if n.opset < 9 and not n.flag("spatial", 1):
        raise n.error("spatial is 0: statistics of every position are not supported")
    if n.opset >= 14 and n.flag("training_mode", 0):
        raise n.error("training_mode is 1: only nets in evaluation are read")
    eps, momentum = n.float("epsilon", 1e-5), 1 - n.float("momentum", 0.9)
    if len(x.shape) > 4:
        raise n.error(f"{len(x.shape) - 2}-D: only images, which are 2-D, can be computed")
    arrays = {"w": w.floats(), "b": shift.floats(), "running_mean": mean.floats(), "running_var": var.floats()}
    return b.add(n, BatchNorm2d(w.shape[0] if w.shape else 0, eps, round(momentum, 7)), [x], **arrays)


def _dropout(b, n):
    ratio = n.float("ratio", 0.5) if n.opset < 12 else b.scalar(n, 1)
    if n.opset >= 12:
        training = b.constant(n, 2)
        if training is not None and any(training.integers()):
            raise n.error("training_mode is true: only nets in evaluation are read")
        n.int("seed", 0)
    out = b.add(n, Dropout(0.5 if ratio is None else ratio), [b.data(n, 0)])
    return [out, Unread(None, "the mask of a dropout, which nothing computes in evaluation")]


def _mat_mul(b, n):
    x = b.data(n, 0)
    if len(x.shape) == 2 and b.is_constant(n, 1) and len((w := b.constant(n, 1)).shape) == 2:
        return b.add(n, Linear(*w.shape, bias=False), [x], w=w.floats().T)
    return b.add(n, MatMul(), [x, b.data(n, 1)])


def _gemm(b, n):
    """out = alpha * A' * B' + beta * C: Linear where B is a constant, C one number an output or absent."""
    alpha, beta = n.float("alpha", 1.0), n.float("beta", 1.0)
    a_turned, b_turned = n.flag("transA", 0), n.flag("transB", 0)
    x = b.data(n, 0)
    if a_turned:
        x = b.add(n, Transpose((1, 0)), [x], part="A")
    if not b.is_constant(n, 1):
        y = b.data(n, 1)
        if b_turned:
            y = b.add(n, Transpose((1, 0)), [y], part="B")
        if alpha != 1:
            x = b.add(n, Multiply(), [x, _number(b, n, alpha, "alpha")], part="scaled")
        part = "product" if n.has(2) else None
        return _plus_c(b, n, b.add(n, MatMul(), [x, y], part=part), beta)
    w = b.constant(n, 1).floats()
    if w.ndim != 2:
        raise n.error(f"B has shape {w.shape}, expected a matrix")
    w = _scaled(w if b_turned else w.T, alpha)
    F, D = w.shape
    if not n.has(2):
        return b.add(n, Linear(D, F, bias=False), [x], w=w)
    if b.is_constant(n, 2) and (c := b.constant(n, 2)).shape in ((), (1,), (F,), (1, 1), (1, F)):
        bias = np.ascontiguousarray(np.broadcast_to(c.floats().reshape(-1), (F,)))
        return b.add(n, Linear(D, F), [x], w=w, b=_scaled(bias, beta))
    return _plus_c(b, n, b.add(n, Linear(D, F, bias=False), [x], part="product", w=w), beta)


def _scaled(array, factor):
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later, unless it is asked for
        return array if factor == 1 else array * np.float32(factor)


def _plus_c(b, n, product, beta):
    if not n.has(2):
        return product
    c = b.data(n, 2)
    if beta != 1:
        c = b.add(n, Multiply(), [c, _number(b, n, beta, "beta")], part="C")
    return b.add(n, Add(), [product, c])


def _number(b, n, value, part):
    return b.constant_node(Constant(n.file, f"{n.name}/{part}", np.float32(value).reshape(())))


def _reduce_mean(b, n):
    x = b.data(n, 0)
    if n.opset < 18:
        axes, none_is_none = n.ints("axes", ()), False
    else:
        given = b.constant(n, 1)
        axes, none_is_none = () if given is None else given.integers(), n.flag("noop_with_empty_axes", 0)
    keepdims = n.flag("keepdims", 1)
    if none_is_none and not axes:
        return b.add(n, Identity(), [x])
    return b.add(n, Mean(n.axes(axes, len(x.shape)) if axes else None, keepdims), [x])


OPERATORS = {
    "Relu": _plain(ReLU),
    "LeakyRelu": _leaky_relu,
    "PRelu": _p_relu,
    "Elu": _elu,
    "Sigmoid": _plain(Sigmoid),
    "Tanh": _plain(Tanh),
    "Clip": _clip,
    "Softmax": _softmax(Softmax),
    "LogSoftmax": _softmax(LogSoftmax),
    "BatchNormalization": _batch_normalization,
    "Dropout": _dropout,
    "Add": _binary(Add),
    "Sub": _binary(Subtract),
    "Mul": _binary(Multiply),
    "Div": _binary(Divide),
    "Sum": _sum,
    "MatMul": _mat_mul,
    "Gemm": _gemm,
    "ReduceMean": _reduce_mean,
}
