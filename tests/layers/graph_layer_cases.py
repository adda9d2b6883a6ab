"""As layer_cases: random small layers of those that imported graphs need, and each written in PyTorch's functions."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from layer_cases import any_shape, broadcast_shapes, few, image, one_or_two, over_classes, pools, sizes

from minicnn.layers import (
    ELU,
    Clip,
    Constant,
    ConvTranspose2d,
    Divide,
    GlobalMaxPool,
    Identity,
    LogSoftmax,
    MatMul,
    MaxPoolIndices,
    Mean,
    Multiply,
    Pad,
    PReLU,
    Reshape,
    Squeeze,
    Subtract,
    Transpose,
    Unsqueeze,
)

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


def conv_transpose2d(draw):
    groups, kernel, stride = draw(one_or_two), draw(sizes), draw(sizes)
    dilation = draw(st.tuples(one_or_two, one_or_two))
    pad = tuple(draw(st.integers(0, 2)) for _ in range(4))
    added = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation))  # PyTorch takes no more
    hw = []
    for a in (0, 1):
        # So large that something of what x reaches is left after the pad.
        reach, cut = (kernel[a] - 1) * dilation[a] + 1, pad[2 * a] + max(pad[2 * a + 1] - added[a], 0)
        hw.append(1 + max(0, -((reach - 1 - cut) // stride[a])) + draw(st.integers(0, 2)))
    C, OC = groups * draw(one_or_two), groups * draw(one_or_two)
    layer = ConvTranspose2d(C, OC, kernel, stride, pad, added, dilation, groups, draw(st.booleans()))
    return layer, [image(draw, tuple(hw), C)]


def conv_transpose2d_twin(layer, params, buffers, train, x):
    top, bottom, left, right = layer.pad
    out = F.conv_transpose2d(
        x, params["w"], params.get("b"), layer.stride, 0, layer.output_padding, layer.groups, layer.dilation
    )
    return out[:, :, top : out.shape[2] - bottom, left : out.shape[3] - right]


def max_pool_indices(draw):
    hw, options = pools(draw, dilated=True)
    order = draw(st.sampled_from(["row", "column"]))
    return MaxPoolIndices(order=order, **options), [image(draw, hw, draw(one_or_two))]


def max_pool_indices_twin(layer, x):
    (N, C, H, W), (top, bottom, left, right) = x.shape, layer.pad
    if layer.ceil_mode:
        pad = (top, left)
        _, places = F.max_pool2d(x, layer.kernel, layer.stride, pad, layer.dilation, True, return_indices=True)
        y, column = places // W, places % W
    else:
        padded = F.pad(x, (left, right, top, bottom), value=-np.inf)
        _, places = F.max_pool2d(padded, layer.kernel, layer.stride, 0, layer.dilation, return_indices=True)
        y, column = places // padded.shape[3] - top, places % padded.shape[3] - left
    place = y * W + column if layer.order == "row" else column * H + y
    place = place + torch.arange(N * C).reshape(N, C, 1, 1) * H * W
    return torch.where((y < 0) | (y >= H) | (column < 0) | (column >= W), -1, place)


def global_max_pool(draw):
    return GlobalMaxPool(), [image(draw)]


def global_max_pool_twin(layer, params, buffers, train, x):
    return F.adaptive_max_pool2d(x, 1)


def prelu(draw):
    shape = any_shape(draw)
    channels = (shape[1], *(1,) * (len(shape) - 2))
    return PReLU(draw(st.sampled_from([channels, (1,), shape[1:], shape[-1:], ()]))), [shape]


def prelu_twin(layer, params, buffers, train, x):
    return torch.clamp(x, min=0) + params["w"] * torch.clamp(x, max=0)


def elu(draw):
    return ELU(draw(st.floats(-2, 2))), [any_shape(draw)]


def elu_twin(layer, params, buffers, train, x):
    return torch.where(x > 0, x, layer.alpha * (torch.exp(x) - 1))


def clip(draw):
    bound = st.none() | st.floats(-1, 1, width=16)
    return Clip(draw(bound), draw(bound)), [any_shape(draw)]


def clip_twin(layer, params, buffers, train, x):
    return x * 1 if layer.low is layer.high is None else torch.clamp(x, layer.low, layer.high)


def log_softmax(draw):
    shape = any_shape(draw)
    return LogSoftmax(draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())), [shape]


def log_softmax_twin(layer, params, buffers, train, x):
    return over_classes(torch.log_softmax, layer, x)


def mean(draw):
    shape = any_shape(draw)
    chosen = [axis for axis in range(len(shape)) if draw(st.booleans())]
    axes = draw(st.permutations([axis - draw(st.sampled_from([0, len(shape)])) for axis in chosen]))
    return Mean(draw(st.sampled_from([None, tuple(axes)])), draw(st.booleans())), [shape]


def mean_twin(layer, params, buffers, train, x):
    # To PyTorch no axes are all axes.
    return x * 1 if layer.axes == () else torch.mean(x, layer.axes, layer.keepdims)


def matmul(draw):
    M, K, P = (draw(few) for _ in "MKP")
    before = broadcast_shapes(draw, 2)
    first = draw(st.sampled_from([(K,), (M, K), (*before[0], M, K)]))
    return MatMul(), [first, draw(st.sampled_from([(K,), (K, P), (*before[1], K, P)]))]


def matmul_twin(layer, params, buffers, train, x0, x1):
    return torch.matmul(x0, x1)


CASES = {
    "conv_transpose2d": (conv_transpose2d, conv_transpose2d_twin),
    "global_max_pool": (global_max_pool, global_max_pool_twin),
    "prelu": (prelu, prelu_twin),
    "elu": (elu, elu_twin),
    "clip": (clip, clip_twin),
    "log_softmax": (log_softmax, log_softmax_twin),
    "mean": (mean, mean_twin),
    "matmul": (matmul, matmul_twin),
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
