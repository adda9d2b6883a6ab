"""ONNX's operators that move numbers and compute none. Those that move a constant are done at once."""

from math import prod

import numpy as np

from ..layers import Concat, Flatten, Identity, Pad, Reshape, Squeeze, Transpose, Unsqueeze
from .checkpoint import count
from .onnx_folding import fold
from .onnx_tensor import MOST_INTEGERS, Constant

_PAD_MODES = ("constant", "reflect", "edge")


def _moving(make_layer):
    """An operator that moves its first input: make_layer(b, n, shape) gives the layer for data of that shape."""

    def translate(b, n):
        if not b.is_constant(n, 0):
            x = b.data(n, 0)
            return b.add(n, make_layer(b, n, x.shape), [x])
        constant = b.constant(n, 0)
        layer = make_layer(b, n, constant.shape)
        shape = layer.out_shape(constant.shape)
        count(n.file, constant.name, shape)
        array = constant.values()
        array = array.transpose(layer.axes) if isinstance(layer, Transpose) else array.reshape(shape)
        return Constant(n.file, n.output, array)

    return translate


def _identity(b, n, shape):
    return Identity()


def _flatten(b, n, shape):
    axis, rank = n.int("axis", 1), len(shape)
    return Flatten(rank if axis == rank else n.axis(axis, rank))


def _reshape(b, n, shape):
    target = _integers(b, n, 1, "shape")
    if n.opset >= 14 and n.flag("allowzero", 0) and 0 in target:
        raise n.error(f"a shape {target} without elements")
    # A fixed batch that stays in front is left free.
    if target and shape and target[0] == shape[0]:
        target = [0, *target[1:]]
    return Reshape(tuple(target))


def _transpose(b, n, shape):
    axes = n.ints("perm", tuple(reversed(range(len(shape)))))
    if sorted(axes) != list(range(len(shape))):
        raise n.error(f"perm {axes} is no order of {len(shape)} axes")
    return Transpose(axes)


def _squeeze(b, n, shape):
    axes = n.ints("axes", None) if n.opset < 13 else _integers(b, n, 1, "axes", needed=False)
    if axes is None:
        if b.sizes_open and not b.is_constant(n, 0):
            raise n.error("without axes it needs all sizes, and the file leaves the image's open")
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    return Squeeze(n.axes(axes, len(shape)))


def _unsqueeze(b, n, shape):
    axes = n.ints("axes") if n.opset < 13 else _integers(b, n, 1, "axes")
    return Unsqueeze(n.axes(axes, len(shape) + len(axes)))


def _integers(b, n, index, what, needed=True):
    constant = b.constant(n, index)
    if constant is None and needed:
        raise n.error(f"has no {what}")
    return None if constant is None else constant.integers()


def _pad(b, n):
    x = b.data(n, 0)
    rank, mode = len(x.shape), n.text("mode", "constant")
    if mode not in _PAD_MODES:
        raise n.error(f"mode {mode!r}: {', '.join(_PAD_MODES)} are supported")
    if n.opset < 11:
        pads, value, axes = n.ints("pads"), n.float("value", 0.0), None
    else:
        pads, value = _integers(b, n, 1, "pads"), b.scalar(n, 2)
        axes = _integers(b, n, 3, "axes", needed=False) if n.opset >= 18 else None
    axes = list(range(rank)) if axes is None else [n.axis(axis, rank) for axis in axes]
    if len(pads) != 2 * len(axes) or len(set(axes)) < len(axes):
        raise n.error(f"{len(pads)} pads for the axes {axes}")
    both = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        both[axis] = (pads[i], pads[len(axes) + i])
    return b.add(n, Pad(tuple(both), mode, 0.0 if value is None else value), [x])


def _concat(b, n):
    axis = n.int("axis")
    if _are_shapes(b, n):
        return fold(b, n, lambda *arrays: np.concatenate(arrays, axis))
    xs = b.all_data(n)
    return b.add(n, Concat(n.axis(axis, len(xs[0].shape))), xs)


def _are_shapes(b, n):
    """Whether all inputs are integers that the graph holds, and not many."""
    constants = [b.constant(n, i) for i in range(len(n.inputs)) if b.is_constant(n, i)]
    small = sum(prod(constant.shape) for constant in constants) <= MOST_INTEGERS
    return small and len(constants) == len(n.inputs) and all(c.values().dtype == np.int64 for c in constants)


def _constant(b, n):
    kinds = {
        "value": lambda: n.tensor("value").values(),
        "value_float": lambda: np.float32(n.float("value_float")).reshape(()),
        "value_floats": lambda: np.array(n.floats("value_floats"), np.float32),
        "value_int": lambda: np.array(n.int("value_int"), np.int64),
        "value_ints": lambda: np.array(n.ints("value_ints"), np.int64),
    }
    found = [name for name in n.attributes if name in kinds]
    if len(n.attributes) != 1 or not found:
        raise n.error(f"attributes {', '.join(n.attributes) or 'none'}, expected one of {', '.join(kinds)}")
    return Constant(n.file, n.output, kinds[found[0]]())


OPERATORS = {
    "Identity": _moving(_identity),
    "Flatten": _moving(_flatten),
    "Reshape": _moving(_reshape),
    "Transpose": _moving(_transpose),
    "Squeeze": _moving(_squeeze),
    "Unsqueeze": _moving(_unsqueeze),
    "Pad": _pad,
    "Concat": _concat,
    "Constant": _constant,
}
