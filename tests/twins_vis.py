"""The pictures of the papers once more, slowly: as loops over one image, and in PyTorch with an edited ReLU."""

from contextlib import contextmanager
from unittest import mock

import numpy as np

# At a ReLU, whose input was `forward`, the value `back` coming from above is sent on where
GATES = {
    "gradient": lambda forward, back: forward > 0,
    "deconvnet": lambda forward, back: back > 0,
    "guided_backprop": lambda forward, back: forward > 0 and back > 0,
}


def stages(x, convs, pool=2):
    """Convolution, rectifier, pooling, again and again: one (x, before the rectifier, switches, pooled) a stage.

    x      (C, H, W)
    convs  [w (F, C, K, K)], stride 1, no padding, no bias
    """
    found = []
    for w in convs:
        before = filtered(x, w)
        switches, pooled = pool_with_switches(np.maximum(before, 0), pool)
        found.append((x, before, switches, pooled))
        x = pooled
    return found


def picture(method, x, convs, channel):
    """The channel of the last stage at its strongest position, sent back to the image, (C, H, W)."""
    done = stages(x, convs)
    top = done[-1][3]
    back = np.zeros_like(top)
    back[channel][np.unravel_index(top[channel].argmax(), top[channel].shape)] = 1
    for w, (below, before, switches, _) in zip(convs[::-1], done[::-1]):
        unpooled = np.zeros_like(before)
        for cell in np.ndindex(*back.shape):
            unpooled[switches[cell]] += back[cell]
        for cell in np.ndindex(*unpooled.shape):
            if not GATES[method](before[cell], unpooled[cell]):
                unpooled[cell] = 0
        back = filtered_transposed(unpooled, w, below.shape)
    return back


def filtered(x, w):
    F, _, K, _ = w.shape
    out = np.zeros((F, x.shape[1] - K + 1, x.shape[2] - K + 1))
    for f, i, j in np.ndindex(*out.shape):
        out[f, i, j] = (w[f] * x[:, i : i + K, j : j + K]).sum()
    return out


def filtered_transposed(maps, w, shape):
    """Every filter flipped both ways, over maps with a border of zeros: the same filters, transposed."""
    K = w.shape[2]
    border = np.pad(maps, ((0, 0), (K - 1, K - 1), (K - 1, K - 1)))
    out = np.zeros(shape)
    for c, y, x in np.ndindex(*shape):
        out[c, y, x] = (w[:, c, ::-1, ::-1] * border[:, y : y + K, x : x + K]).sum()
    return out


def pool_with_switches(x, size):
    """({output cell: input cell of its largest value}, the values); windows side by side, a rest is not read."""
    pooled = np.zeros((len(x), x.shape[1] // size, x.shape[2] // size))
    switches = {}
    for c, i, j in np.ndindex(*pooled.shape):
        window = x[c, i * size : (i + 1) * size, j * size : (j + 1) * size]
        y, xx = divmod(int(window.argmax()), size)
        switches[c, i, j] = (c, i * size + y, j * size + xx)
        pooled[c, i, j] = window[y, xx]
    return switches, pooled


@contextmanager
def torch_relu(method):
    """Inside, `tensor.relu()` of PyTorch has the method's backward; twins_nets.py rectifies with it."""
    import torch

    class Edited(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, back):
            (x,) = ctx.saved_tensors
            if method != "deconvnet":
                back = back.masked_fill(x <= 0, 0)
            return back if method == "gradient" else back.clamp(min=0)

    with mock.patch.object(torch.Tensor, "relu", lambda self: Edited.apply(self)):
        yield
