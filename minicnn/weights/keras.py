"""Keras' and TensorFlow's arrays as minicnn's: their images are (N, H, W, C), channels last, ours (N, C, H, W).

Everything returned is a new array in C order, of the dtype that it was given. For weights of your own (from an `.h5`
file, say): convert each, put them into a dict named as `net.state_dict()`, and `net.load_state_dict` it.
Layouts: keras.io/api/layers, what each layer says of its weights.
"""

from math import prod

import numpy as np

from ..kernels.errors import ShapeError
from ..kernels.shapes import show


def conv2d(kernel):
    """Conv2D: w[f,c,k,l] = kernel[k,l,c,f].

    kernel  (KH, KW, C // groups, F)
    out     (F, C // groups, KH, KW)
    """
    _check("kernel", kernel, 4)
    return np.array(kernel.transpose(3, 2, 0, 1), order="C")


def depthwise_conv2d(kernel):
    """DepthwiseConv2D, a convolution of C groups: w[c*M + m,0,k,l] = kernel[k,l,c,m].

    kernel  (KH, KW, C, M)
    out     (C*M, 1, KH, KW)
    """
    _check("kernel", kernel, 4)
    KH, KW, C, M = kernel.shape
    return np.array(kernel.transpose(2, 3, 0, 1), order="C").reshape(C * M, 1, KH, KW)


def conv_transpose2d(kernel):
    """Conv2DTranspose, whose kernel has the outputs before the inputs: w[c,f,k,l] = kernel[k,l,f,c].

    kernel  (KH, KW, F, C)
    out     (C, F, KH, KW)
    """
    return conv2d(kernel)


def linear(kernel, image=None):
    """Dense: w[f,d] = kernel[d,f].

    kernel  (D, F)
    image   (H, W, C) where a Flatten stands before it: Keras counts (y*W + x)*C + c, minicnn (c*H + y)*W + x
    out     (F, D)
    Raises ShapeError where D is not H*W*C.
    """
    _check("kernel", kernel, 2)
    if image is None:
        return np.array(kernel.T, order="C")
    _check_flat(kernel, image)
    return conv2d(kernel.reshape(*image, kernel.shape[1])).reshape(kernel.shape[::-1])


def channels_outermost(flat, image):
    """What belongs to a flattened image: out[(c*H + y)*W + x] = flat[(y*W + x)*C + c].

    flat    (H*W*C,)
    image   (H, W, C)
    out     (C*H*W,)
    Raises ShapeError where the sizes differ.
    """
    _check("flat", flat, 1)
    _check_flat(flat, image)
    return np.array(flat.reshape(image).transpose(2, 0, 1), order="C").ravel()


def batch_norm2d(gamma, beta, mean, variance):
    """BatchNormalization: {"w": gamma, "b": beta, "running_mean": mean, "running_var": variance}.

    gamma, beta  (C,), or None for a layer without: ones, zeros
    mean, variance  (C,)
    """
    given = {"w": gamma, "b": beta, "running_mean": mean, "running_var": variance}
    for name, array in given.items():
        if array is not None:
            _check(name, array, 1)
    given["w"] = np.ones_like(mean) if gamma is None else gamma
    given["b"] = np.zeros_like(mean) if beta is None else beta
    return {name: np.array(array) for name, array in given.items()}


def prelu(alpha):
    """PReLU: the slopes, with the channels outermost.

    alpha   (H, W, C), with 1 for an axis that shares them, or (D,)
    out     (C, H, W) or (D,)
    """
    if alpha.ndim == 1:
        return np.array(alpha)
    _check("alpha", alpha, 3)
    return np.array(alpha.transpose(2, 0, 1), order="C")


def _check(name, array, ndim):
    if array.ndim != ndim:
        raise ShapeError(f"{name} has {array.ndim} dimensions, expected {ndim} ({name} {show(array.shape)})")


def _check_flat(array, image):
    if len(array) != prod(image):
        raise ShapeError(f"{show(array.shape)} belongs to no flattened image {show(image)}")
