"""The contract's convolution and its two gradients as PyTorch's calls: on a card these are cuDNN's.

Arrays are tensors. Symmetric padding only.
"""

import torch.nn.functional as F
from torch.nn import grad


def _forward(x, w, b, stride, pad, dilation, groups):
    return F.conv2d(x, w, b, stride, _symmetric(pad), dilation, groups)


def _backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    return grad.conv2d_input(x_shape, w, dout, stride, _symmetric(pad), dilation, groups)


def _backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    return grad.conv2d_weight(x, w_shape, dout, stride, _symmetric(pad), dilation, groups)


def _symmetric(pad):
    return pad[0], pad[2]


CALLS = {
    "conv2d_forward": _forward,
    "conv2d_backward_input": _backward_input,
    "conv2d_backward_weight": _backward_weight,
}
