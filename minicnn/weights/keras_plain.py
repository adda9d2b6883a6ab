"""Keras' layers without a window: dense, batch norm, dropout, sums and joins, other shapes."""

from functools import partial
from math import prod

import numpy as np

from .. import layers
from . import keras
from .keras_activations import activated
from .keras_layer import is_int, our_axis

_MOST_UNITS = 1 << 24


def _dense(b, k, x):
    if len(x.shape) != 2:
        raise k.error("reads an image; only rows, as Flatten and global pooling make them, are computed")
    layer = layers.Linear(x.shape[1], k.integer("units", most=_MOST_UNITS), k.flag("use_bias", True))

    def params():
        made = {"w": b.weight(k, "kernel", partial(keras.linear, image=x.image))}
        return made | {"b": b.weight(k, "bias")} if "b" in layer.param_shapes else made

    return activated(b, k, b.add(k, layer, x, params=params))


def _batch_norm(b, k, x):
    axes = k.list("axis", [-1])
    if len(axes) != 1 or our_axis(k, axes[0], len(x.shape)) != 1:
        raise k.error("its axis is not the last one, the channels")
    scale, center = k.flag("scale", True), k.flag("center", True)
    # Keras' momentum is what stays of the old value, ours what comes of the new one.
    momentum = round(1 - k.number("momentum", 0.99), 12)
    layer = layers.BatchNorm2d(x.shape[1], k.number("epsilon", 1e-3), momentum)

    def params():
        names = "gamma" if scale else None, "beta" if center else None, "moving_mean", "moving_variance"
        layout = partial(keras.channels_outermost, image=x.image) if x.image else np.array
        return keras.batch_norm2d(*(None if name is None else b.weight(k, name, layout) for name in names))

    return b.add(k, layer, x, params=params, image=x.image)


def _dropout(b, k, x):
    if k.list("noise_shape", None) is not None:
        raise k.error("noise_shape, by which values are dropped together")
    return b.add(k, layers.Dropout(k.number("rate")), x, image=x.image)


def _merged(layer, most=None):
    def merge(b, k, *xs):
        if len({len(x.shape) for x in xs}) != 1 or not 2 <= len(xs) <= (most or len(xs)):
            raise k.error(f"reads {len(xs)} inputs of {' and '.join(str(len(x.shape)) for x in xs[:6])} axes")
        # Flattened images of one size are all in our order, and stay so.
        image = xs[0].image if len({(x.image, x.shape) for x in xs}) == 1 else None
        return b.add(k, layer(), *(xs if image else map(b.in_order, xs)), image=image)

    return merge


def _concatenate(b, k, *xs):
    axis = our_axis(k, k.integer("axis", -1, least=-4, most=3), len(xs[0].shape))
    return b.add(k, layers.Concat(axis), *map(b.in_order, xs))


def _flatten(b, k, x):
    k.channels_last()
    return _rows(b, k, x)


def _reshape(b, k, x):
    target, whole = [-1 if size is None else size for size in k.list("target_shape")], prod(b.sizes(k, x))
    if not all(size == -1 or is_int(size, most=1 << 32) for size in target) or target.count(-1) > 1:
        raise k.error("target_shape is not a list of sizes, of which one may be open")
    if -1 in target:
        target[target.index(-1)] = whole // prod(size for size in target if size > 0)
    if prod(target) != whole:
        raise k.error(f"target_shape {target} has not the {whole} elements of what it reads")
    if len(target) == 1:
        return _rows(b, k, x)
    if len(target) != 3:
        raise k.error(f"target_shape {target}: only rows and images are computed")
    return _image(b, k, x, *target)


def _rows(b, k, x, part=None):
    """x as rows, in our order."""
    if len(x.shape) == 2:
        return b.add(k, layers.Flatten(), x, part=part, image=x.image)
    C, H, W = b.sizes(k, x)
    return b.add(k, layers.Flatten(), x, part=part, image=None if C == 1 or H * W == 1 else (H, W, C))


def _image(b, k, x, H, W, C):
    x = b.in_order(x if len(x.shape) == 2 else _rows(b, k, x, part="rows"))
    if C == 1 or H * W == 1:
        return b.add(k, layers.Reshape((0, C, H, W)), x)
    return b.add(k, layers.Transpose((0, 3, 1, 2)), b.add(k, layers.Reshape((0, H, W, C)), x, part="hwc"))


LAYERS = {
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
}
MERGING = {
    "Add": _merged(layers.Add),
    "Subtract": _merged(layers.Subtract, most=2),
    "Multiply": _merged(layers.Multiply),
    "Concatenate": _concatenate,
}
