"""As layer_cases: random small layers of those that imported graphs need, and each written in PyTorch's functions."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from layer_cases import any_shape, broadcast_shapes, few

from minicnn.layers import Constant, Divide, Identity, Multiply, Pad, Reshape, Squeeze, Subtract, Transpose, Unsqueeze

torch = pytest.importorskip("torch")
F = torch.nn.functional


def pad(draw):
    shape, mode = any_shape(draw), draw(st.sampled_from(["constant", "reflect", "edge"]))
    pads = []
    for size in shape:
        crops = [draw(st.integers(0, (size - 1) // 2)) for _ in range(2)]
        most = size - sum(crops) - 1 if mode == "reflect" else 3
        pads.append(tuple(-crop if crop else draw(st.integers(0, most)) for crop in crops))
    value = draw(st.floats(-2, 2)) if mode == "constant" else 0.0
    return Pad(tuple(pads), mode, value), [shape]


def pad_twin(layer, params, buffers, train, x):
    if layer.mode == "constant":
        return F.pad(x, [p for pads in reversed(layer.pads) for p in pads], value=layer.value)
    for axis, (before, after) in enumerate(layer.pads):
        x = x.narrow(axis, max(-before, 0), x.shape[axis] - max(-before, 0) - max(-after, 0))
        last = x.shape[axis] - 1
        cells = torch.arange(-max(before, 0), last + 1 + max(after, 0))
        if layer.mode == "edge":
            cells = cells.clamp(0, last)
        else:
            cells = last - (last - cells.abs()).abs()
        x = x.index_select(axis, cells)
    return x


def subtract(draw):
    return Subtract(), broadcast_shapes(draw, 2)


def subtract_twin(layer, params, buffers, train, x0, x1):
    return torch.sub(x0, x1)


def multiply(draw):
    return Multiply(), broadcast_shapes(draw, draw(few))


def multiply_twin(layer, params, buffers, train, *xs):
    return torch.stack(torch.broadcast_tensors(*xs)).prod(0)


def divide(draw):
    return Divide(), broadcast_shapes(draw, 2)


def divide_twin(layer, params, buffers, train, x0, x1):
    return torch.div(x0, x1)


def divide_moved(x0, x1):
    """Near a divisor of 0 differences are no gradient."""
    return x0, x1 + np.copysign(np.array(0.3, x1.dtype), x1)


def constant(draw):
    return Constant(any_shape(draw)), []


def constant_twin(layer, params, buffers, train):
    return params["value"] * 1


def identity(draw):
    return Identity(), [any_shape(draw)]


def identity_twin(layer, params, buffers, train, x):
    return x * 1


def reshape(draw):
    x_shape = any_shape(draw)
    kept = draw(st.integers(0, len(x_shape)))  # leading axes that are copied; the others are merged and split anew
    rest, split = math.prod(x_shape[kept:]), []
    while draw(st.booleans()):
        split.append(draw(st.sampled_from([size for size in range(1, rest + 1) if rest % size == 0])))
        rest //= split[-1]
    split = draw(st.permutations([*split, draw(st.sampled_from([-1, rest]))]))
    return Reshape((*(draw(st.sampled_from([0, size])) for size in x_shape[:kept]), *split)), [x_shape]


def reshape_twin(layer, params, buffers, train, x):
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(layer.shape)])


def transpose(draw):
    shape = any_shape(draw)
    axes = draw(st.permutations(range(len(shape))))
    return Transpose(tuple(axis - draw(st.sampled_from([0, len(shape)])) for axis in axes)), [shape]


def transpose_twin(layer, params, buffers, train, x):
    return x.permute(layer.axes)


def squeeze(draw):
    shape = any_shape(draw)
    ones = [axis - draw(st.sampled_from([0, len(shape)])) for axis, size in enumerate(shape) if size == 1]
    axes = tuple(axis for axis in ones if draw(st.booleans()))
    return Squeeze(draw(st.sampled_from([None, axes]))), [shape]


def squeeze_twin(layer, params, buffers, train, x):
    return torch.squeeze(x) if layer.axes is None else torch.squeeze(x, layer.axes)


def unsqueeze(draw):
    shape, new = any_shape(draw), draw(few)
    ndim = len(shape) + new
    axes = draw(st.permutations(range(ndim)))[:new]
    return Unsqueeze(tuple(axis - draw(st.sampled_from([0, ndim])) for axis in axes)), [shape]


def unsqueeze_twin(layer, params, buffers, train, x):
    ndim = x.ndim + len(layer.axes)
    for axis in sorted(axis % ndim for axis in layer.axes):
        x = x.unsqueeze(axis)
    return x


CASES = {
    "pad": (pad, pad_twin),
    "subtract": (subtract, subtract_twin),
    "multiply": (multiply, multiply_twin),
    "divide": (divide, divide_twin, divide_moved),
    "constant": (constant, constant_twin),
    "identity": (identity, identity_twin),
    "reshape": (reshape, reshape_twin),
    "transpose": (transpose, transpose_twin),
    "squeeze": (squeeze, squeeze_twin),
    "unsqueeze": (unsqueeze, unsqueeze_twin),
}
