"""Random small layers with the shapes of their inputs, and each layer written in PyTorch's own functions."""

import numpy as np
import pytest
from hypothesis import strategies as st

from minicnn.layers import (
    LRN,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

torch = pytest.importorskip("torch")
F = torch.nn.functional

SEED = 5  # of what dropout draws
few, one_or_two = st.integers(1, 3), st.integers(1, 2)
sizes = st.tuples(few, few)


def image(draw, hw=None, channels=None):
    return (draw(one_or_two), channels or draw(few), *(hw or draw(st.tuples(few, st.integers(1, 4)))))


def any_shape(draw):
    return image(draw) if draw(st.booleans()) else image(draw)[:2]


def broadcast_shapes(draw, count):
    """Shapes that broadcast: each is the first with axes of size 1, or without leading ones; sometimes all alike."""
    whole = draw(st.lists(few, min_size=1, max_size=4))
    shapes = []
    for _ in range(count):
        kept = [size if draw(st.booleans()) else 1 for size in whole]
        shapes.append(tuple(kept[draw(st.integers(0, len(kept))) :] if draw(st.booleans()) else whole))
    return draw(st.permutations([tuple(whole), *shapes[1:]]))


def windows(draw, dilated=False, most_pad=lambda kernel: 2):
    """(hw, {"kernel": ..., "stride": ...}): a window that fits, sometimes with a stride larger than itself."""
    kernel, stride = draw(sizes), draw(sizes)
    dilation = draw(st.tuples(one_or_two, one_or_two)) if dilated else (1, 1)
    pad = tuple(draw(st.integers(0, most_pad(kernel[axis]))) for axis in (0, 0, 1, 1))
    hw = []
    for axis in (0, 1):
        least = (kernel[axis] - 1) * dilation[axis] + 1 - pad[2 * axis] - pad[2 * axis + 1]
        hw.append(max(1, least) + draw(st.integers(0, 2)))
    return tuple(hw), {"kernel": kernel, "stride": stride, "pad": pad, **({"dilation": dilation} if dilated else {})}


def pools(draw, dilated):
    """As `windows`, with ceil_mode; there PyTorch pads symmetrically only."""
    hw, options = windows(draw, dilated, most_pad=lambda kernel: kernel // 2)
    ceil_mode = draw(st.booleans())
    if ceil_mode:
        top, _, left, _ = options["pad"]
        hw = (hw[0] + options["pad"][1], hw[1] + options["pad"][3])  # it still fits with the smaller pad
        options["pad"] = (top, top, left, left)
    return hw, {**options, "ceil_mode": ceil_mode}


def pad_image(x, pad, value=0.0):
    top, bottom, left, right = pad
    return F.pad(x, (left, right, top, bottom), value=value)


# One pair a layer: a random one with its shapes, and its twin(layer, params, buffers, train, *xs) -> out ----------


def conv2d(draw):
    hw, options = windows(draw, dilated=True)
    groups = draw(one_or_two)
    C, OC = groups * draw(one_or_two), groups * draw(one_or_two)
    return Conv2d(C, OC, groups=groups, bias=draw(st.booleans()), **options), [image(draw, hw, C)]


def conv2d_twin(layer, params, buffers, train, x):
    x = pad_image(x, layer.pad)
    return F.conv2d(x, params["w"], params.get("b"), layer.stride, 0, layer.dilation, layer.groups)


def linear(draw):
    D, OUT = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    return Linear(D, OUT, bias=draw(st.booleans())), [(draw(few), D)]


def linear_twin(layer, params, buffers, train, x):
    return F.linear(x, params["w"], params.get("b"))


def relu(draw):
    return ReLU(), [any_shape(draw)]


def relu_twin(layer, params, buffers, train, x):
    return F.relu(x)


def leaky_relu(draw):
    return LeakyReLU(draw(st.floats(0.001, 2))), [any_shape(draw)]


def leaky_relu_twin(layer, params, buffers, train, x):
    return F.leaky_relu(x, layer.slope)


def sigmoid(draw):
    return Sigmoid(), [any_shape(draw)]


def sigmoid_twin(layer, params, buffers, train, x):
    return torch.sigmoid(x)


def tanh(draw):
    return Tanh(), [any_shape(draw)]


def tanh_twin(layer, params, buffers, train, x):
    return torch.tanh(x)


def max_pool2d(draw):
    hw, options = pools(draw, dilated=True)
    return MaxPool2d(**options), [image(draw, hw, draw(one_or_two))]


def max_pool2d_twin(layer, params, buffers, train, x):
    if layer.ceil_mode:
        pad = layer.pad[::2]
        return F.max_pool2d(x, layer.kernel, layer.stride, pad, layer.dilation, ceil_mode=True)
    return F.max_pool2d(pad_image(x, layer.pad, -np.inf), layer.kernel, layer.stride, 0, layer.dilation)


def avg_pool2d(draw):
    hw, options = pools(draw, dilated=draw(st.booleans()))
    return AvgPool2d(count_include_pad=draw(st.booleans()), **options), [image(draw, hw, draw(one_or_two))]


def avg_pool2d_twin(layer, params, buffers, train, x):
    if layer.ceil_mode and layer.dilation == (1, 1):
        return F.avg_pool2d(x, layer.kernel, layer.stride, layer.pad[::2], True, layer.count_include_pad)
    real = pad_image(torch.ones_like(x), layer.pad, float(layer.count_include_pad))
    # Room for the windows that hang over; PyTorch's max pool, unlike its average, knows how many there are.
    over = [kernel * dilation + stride for kernel, stride, dilation in zip(layer.kernel, layer.stride, layer.dilation)]
    out_hw = max_pool2d_twin(layer, params, buffers, train, x).shape[2:]

    def sums(image):
        cells = F.unfold(F.pad(image, (0, over[1], 0, over[0])), layer.kernel, layer.dilation, 0, layer.stride)
        rows = [
            (image.shape[2 + a] + over[a] - (layer.kernel[a] - 1) * layer.dilation[a] - 1) // layer.stride[a] + 1
            for a in (0, 1)
        ]
        grid = cells.reshape(*image.shape[:2], -1, *rows)
        return grid[..., : out_hw[0], : out_hw[1]].sum(2)

    return sums(pad_image(x, layer.pad)) / sums(real)


def global_avg_pool(draw):
    return GlobalAvgPool(), [image(draw)]


def global_avg_pool_twin(layer, params, buffers, train, x):
    return F.adaptive_avg_pool2d(x, 1)


def lrn(draw):
    alpha, beta, k = (draw(st.floats(*span)) for span in ((0, 2), (0, 2), (0.5, 3)))
    return LRN(draw(st.integers(1, 6)), alpha, beta, k), [image(draw, channels=draw(st.integers(1, 6)))]


def lrn_twin(layer, params, buffers, train, x):
    return F.local_response_norm(x, layer.size, layer.alpha, layer.beta, layer.k)


def batch_norm2d(draw):
    N, C, *hw = image(draw, draw(st.tuples(few, st.integers(2, 4))))
    shape = draw(st.sampled_from([(N, C, *hw), (N + 1, C), (N, C, hw[1]), (N, C, 1, *hw)]))
    # A variance of nearly nothing would make every difference quotient useless.
    return BatchNorm2d(shape[1], eps=draw(st.floats(0.01, 0.5)), momentum=draw(st.floats(0, 1))), [shape]


def batch_norm2d_twin(layer, params, buffers, train, x):
    mean, var = buffers["running_mean"], buffers["running_var"]  # PyTorch, too, moves them in place
    return F.batch_norm(x, mean, var, params["w"], params["b"], train, layer.momentum, layer.eps)


def dropout(draw):
    return Dropout(draw(st.floats(0, 0.9))), [any_shape(draw)]


def dropout_twin(layer, params, buffers, train, x):
    if not train:
        return x * 1
    kept = np.random.default_rng(SEED).random(tuple(x.shape)) >= layer.p
    return x * torch.tensor(kept) / (1 - layer.p)


def flatten(draw):
    shape = any_shape(draw)
    return Flatten(draw(st.integers(-len(shape), len(shape)))), [shape]


def flatten_twin(layer, params, buffers, train, x):
    first = layer.axis + x.ndim if layer.axis < 0 else layer.axis
    return x.unsqueeze(0).flatten(0, first).unsqueeze(-1).flatten(1)


def concat(draw):
    shape = any_shape(draw)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    before, after = shape[: axis % len(shape)], shape[axis % len(shape) + 1 :]
    return Concat(axis), [(*before, size, *after) for size in draw(st.lists(few, min_size=1, max_size=3))]


def concat_twin(layer, params, buffers, train, *xs):
    return torch.cat(xs, layer.axis)


def add(draw):
    return Add(), broadcast_shapes(draw, draw(few))


def add_twin(layer, params, buffers, train, *xs):
    return torch.stack(torch.broadcast_tensors(*xs)).sum(0)


def softmax(draw):
    shape = any_shape(draw)
    return Softmax(draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())), [shape]


def over_classes(function, layer, x):
    if not layer.to_end:
        return function(x, layer.axis)
    return function(x.flatten(layer.axis), -1).reshape(x.shape)


def softmax_twin(layer, params, buffers, train, x):
    return over_classes(torch.softmax, layer, x)


CASES = {
    "conv2d": (conv2d, conv2d_twin),
    "linear": (linear, linear_twin),
    "relu": (relu, relu_twin),
    "leaky_relu": (leaky_relu, leaky_relu_twin),
    "sigmoid": (sigmoid, sigmoid_twin),
    "tanh": (tanh, tanh_twin),
    "max_pool2d": (max_pool2d, max_pool2d_twin),
    "avg_pool2d": (avg_pool2d, avg_pool2d_twin),
    "global_avg_pool": (global_avg_pool, global_avg_pool_twin),
    "lrn": (lrn, lrn_twin),
    "batch_norm2d": (batch_norm2d, batch_norm2d_twin),
    "dropout": (dropout, dropout_twin),
    "flatten": (flatten, flatten_twin),
    "concat": (concat, concat_twin),
    "add": (add, add_twin),
    "softmax": (softmax, softmax_twin),
}
