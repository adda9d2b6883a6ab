"""Keras' activations: as layers of their own, and as what another layer does last."""

from functools import partial

from .. import layers
from . import keras
from .keras_layer import our_axis

_BY_NAME = {
    "linear": layers.Identity,
    "relu": layers.ReLU,
    "relu6": partial(layers.Clip, 0, 6),
    "elu": layers.ELU,
    "sigmoid": layers.Sigmoid,
    "tanh": layers.Tanh,
    "softmax": layers.Softmax,  # over axis 1, the channels: Keras' last one
}


def activated(b, k, x):
    """What x becomes by the option `activation` of the layer that made it."""
    name = k.text("activation", "linear", *_BY_NAME)
    return x if name == "linear" else b.add(k, _BY_NAME[name](), x, part=name, image=x.image)


def _activation(b, k, x):
    return b.add(k, _BY_NAME[k.text("activation", "linear", *_BY_NAME)](), x, image=x.image)


def _relu(b, k, x):
    most, slope = k.number("max_value", None), k.number("negative_slope", 0)
    if k.number("threshold", 0) or (slope and most is not None):
        raise k.error("a threshold, or a slope and a max_value at once")
    return b.add(k, _leaky(slope) if most is None else layers.Clip(0, most), x, image=x.image)


def _leaky_relu(b, k, x):
    slope = k.number("alpha", None)
    slope = k.number("negative_slope", 0.3) if slope is None else slope  # its name in Keras 3
    return b.add(k, _leaky(slope), x, image=x.image)


def _leaky(slope):
    return layers.LeakyReLU(slope) if slope else layers.ReLU()


def _elu(b, k, x):
    return b.add(k, layers.ELU(k.number("alpha", 1.0)), x, image=x.image)


def _prelu(b, k, x):
    rank = len(x.shape)
    shared = [our_axis(k, axis, rank) for axis in k.list("shared_axes", [])]
    shape = tuple(1 if axis in shared else size for axis, size in enumerate(x.shape))[1:]

    def params():
        layout = partial(keras.channels_outermost, image=x.image) if x.image and not shared else keras.prelu
        return {"w": b.weight(k, "alpha", layout)}

    return b.add(k, layers.PReLU(shape), x, params=params, image=x.image)


def _softmax(b, k, x):
    axes = k.list("axis")
    if len(axes) != 1:
        raise k.error(f"{len(axes)} axes, expected one")
    return b.add(k, layers.Softmax(our_axis(k, axes[0], len(x.shape))), x, image=x.image)


LAYERS = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _softmax,
}
