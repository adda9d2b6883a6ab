"""Keras' layers as plain loops over (N, H, W, C), from what keras.io/api/layers says of each; nothing of minicnn."""

import math

import numpy as np


def pads(size, window, stride, padding):
    """(out size, what is padded before)."""
    if padding == "valid":
        return (size - window) // stride + 1, 0
    out = math.ceil(size / stride)
    return out, max((out - 1) * stride + window - size, 0) // 2


def windows(x, window, stride, padding, dilation=(1, 1)):
    """Yields (i, j, [(k, l, y, x), ...]): where each out reads, and which cells of its window are in the image."""
    (H, W), (KH, KW) = x.shape[1:3], window
    OH, top = pads(H, (KH - 1) * dilation[0] + 1, stride[0], padding)
    OW, left = pads(W, (KW - 1) * dilation[1] + 1, stride[1], padding)
    for i in range(OH):
        for j in range(OW):
            cells = []
            for k in range(KH):
                for l in range(KW):
                    row, column = i * stride[0] - top + k * dilation[0], j * stride[1] - left + l * dilation[1]
                    if 0 <= row < H and 0 <= column < W:
                        cells.append((k, l, row, column))
            yield i, j, cells


def _out(x, window, stride, padding, dilation, F):
    places = list(windows(x, window, stride, padding, dilation))
    return places, np.zeros((len(x), places[-1][0] + 1, places[-1][1] + 1, F))


def conv2d(x, kernel, bias=None, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    KH, KW, CG, F = kernel.shape
    places, out = _out(x, (KH, KW), stride, padding, dilation, F)
    for n in range(len(x)):
        for i, j, cells in places:
            for f in range(F):
                first = f // (F // groups) * CG
                out[n, i, j, f] = sum(
                    kernel[k, l, c, f] * x[n, y, z, first + c] for k, l, y, z in cells for c in range(CG)
                )
    return out if bias is None else out + bias


def depthwise_conv2d(x, kernel, bias=None, stride=(1, 1), padding="valid", dilation=(1, 1)):
    KH, KW, C, M = kernel.shape
    places, out = _out(x, (KH, KW), stride, padding, dilation, C * M)
    for n in range(len(x)):
        for i, j, cells in places:
            for c in range(C):
                for m in range(M):
                    out[n, i, j, c * M + m] = sum(kernel[k, l, c, m] * x[n, y, z, c] for k, l, y, z in cells)
    return out if bias is None else out + bias


def separable_conv2d(x, depthwise, pointwise, bias=None, **options):
    return conv2d(depthwise_conv2d(x, depthwise, **options), pointwise, bias)


def conv2d_transpose(x, kernel, bias=None, stride=(1, 1), padding="valid"):
    # Every pixel leaves the kernel, times its value, in the out; "same" cuts off what is beyond size * stride.
    N, H, W = x.shape[:3]
    KH, KW, F, _ = kernel.shape
    whole = np.zeros((N, H * stride[0] + KH, W * stride[1] + KW, F))
    for n in range(N):
        for i in range(H):
            for j in range(W):
                for k in range(KH):
                    for l in range(KW):
                        for f in range(F):
                            whole[n, i * stride[0] + k, j * stride[1] + l, f] += kernel[k, l, f] @ x[n, i, j]
    sizes = [s * t + (max(w - t, 0) if padding == "valid" else 0) for s, t, w in zip((H, W), stride, (KH, KW))]
    top, left = [max(w - t, 0) // 2 if padding == "same" else 0 for t, w in zip(stride, (KH, KW))]
    out = whole[:, top : top + sizes[0], left : left + sizes[1]]
    return out if bias is None else out + bias


def pool2d(x, reduce, window, stride, padding):
    places, out = _out(x, window, stride, padding, (1, 1), x.shape[3])
    for i, j, cells in places:
        out[:, i, j] = reduce([x[:, y, z] for _, _, y, z in cells], axis=0)
    return out


def dense(x, kernel, bias=None):
    out = np.zeros((len(x), kernel.shape[1]))
    for n in range(len(x)):
        for f in range(kernel.shape[1]):
            out[n, f] = sum(x[n, d] * kernel[d, f] for d in range(len(kernel)))
    return out if bias is None else out + bias


def batch_normalization(x, gamma, beta, mean, variance, epsilon):
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def flatten(x):
    return np.array([[x[n, y, z, c] for y in range(x.shape[1]) for z in range(x.shape[2]) for c in range(x.shape[3])]
                     for n in range(len(x))])  # fmt: skip


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)
