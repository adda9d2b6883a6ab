"""Keras' layers that slide a window: convolutions, pooling, zero padding.

"same" pads so that ceil(size / stride) windows fit, and an odd pad goes to the end: TensorFlow's notes on padding,
tensorflow.org/api_docs/python/tf/nn. Padding never counts in an average.
"""

from .. import layers
from . import keras
from .keras_activations import activated
from .keras_layer import brief, is_int

_MOST_FILTERS = 1 << 24


def _conv2d(b, k, x):
    geometry = _geometry(b, k, x, k.pair("kernel_size"))
    channels, groups = (b.channels(k, x), _filters(k)), k.integer("groups", 1)
    layer = layers.Conv2d(*channels, groups=groups, bias=_has_bias(k), **geometry)
    return activated(b, k, b.add(k, layer, x, params=_params(b, k, layer, "kernel", keras.conv2d)))


def _depthwise_conv2d(b, k, x):
    layer = _depthwise(b, k, x, bias=_has_bias(k))
    params = _params(b, k, layer, "depthwise_kernel", keras.depthwise_conv2d)
    return activated(b, k, b.add(k, layer, x, params=params))


def _separable_conv2d(b, k, x):
    # A window for each channel, then a product that mixes them.
    first = _depthwise(b, k, x, bias=False)
    params = _params(b, k, first, "depthwise_kernel", keras.depthwise_conv2d)
    between = b.add(k, first, x, part="depthwise", params=params)
    layer = layers.Conv2d(b.channels(k, between), _filters(k), 1, bias=_has_bias(k))
    return activated(b, k, b.add(k, layer, between, params=_params(b, k, layer, "pointwise_kernel", keras.conv2d)))


def _depthwise(b, k, x, bias):
    geometry, C = _geometry(b, k, x, k.pair("kernel_size")), b.channels(k, x)
    return layers.Conv2d(C, C * k.integer("depth_multiplier", 1), groups=C, bias=bias, **geometry)


def _conv_transpose2d(b, k, x):
    # TensorFlow's is the gradient of a convolution whose "same" pads are for the larger image, size * stride.
    k.channels_last()
    kernel, stride, same = k.pair("kernel_size"), k.pair("strides", (1, 1)), _is_same(k)
    if k.pair("dilation_rate", (1, 1)) != (1, 1) or k.pair("output_padding", (0, 0), least=0) != (0, 0):
        raise k.error("dilation_rate or output_padding, with which Keras' own runtimes disagree")
    more = [max(s - w, 0) for w, s in zip(kernel, stride)]
    total = [max(w - s, 0) if same else 0 for w, s in zip(kernel, stride)]
    layer = layers.ConvTranspose2d(
        b.channels(k, x), _filters(k), kernel, stride, _halves(total), tuple(more), bias=_has_bias(k)
    )
    return activated(b, k, b.add(k, layer, x, params=_params(b, k, layer, "kernel", keras.conv_transpose2d)))


def _max_pool2d(b, k, x):
    return b.add(k, layers.MaxPool2d(**_pool_geometry(b, k, x)), x)


def _average_pool2d(b, k, x):
    return b.add(k, layers.AvgPool2d(count_include_pad=False, **_pool_geometry(b, k, x)), x)


def _pool_geometry(b, k, x):
    kernel = k.pair("pool_size", (2, 2))
    geometry = _geometry(b, k, x, kernel, stride=kernel)
    del geometry["dilation"]
    return geometry


def _global(layer):
    def pool(b, k, x):
        k.channels_last()
        b.channels(k, x)
        out = b.add(k, layer(), x)
        return out if k.flag("keepdims", False) else b.add(k, layers.Flatten(), out, part="flatten")

    return pool


def _zero_padding2d(b, k, x):
    k.channels_last()
    b.channels(k, x)
    padding = k.list("padding", 1)
    pairs = padding * 2 if len(padding) == 1 else padding
    pairs = [[p, p] if is_int(p, 0) else p for p in pairs]
    if len(pairs) != 2 or not all(isinstance(p, list) and len(p) == 2 and all(is_int(v, 0) for v in p) for p in pairs):
        raise k.error(f"padding is {brief(padding)}, expected an int, two, or two pairs of them")
    return b.add(k, layers.Pad(((0, 0), (0, 0), *map(tuple, pairs))), x)


def _geometry(b, k, x, kernel, stride=(1, 1)):
    """kernel, stride, pad and dilation, as our constructors take them."""
    k.channels_last()
    b.channels(k, x)
    stride, dilation, same = k.pair("strides", stride), k.pair("dilation_rate", (1, 1)), _is_same(k)
    reach = [(w - 1) * d + 1 for w, d in zip(kernel, dilation)]
    total = [_same(k, *axis) if same else 0 for axis in zip(x.shape[2:], reach, stride)]
    return {"kernel": kernel, "stride": stride, "pad": _halves(total), "dilation": dilation}


def _same(k, size, reach, stride):
    if stride == 1:
        return reach - 1
    if size is None:
        raise k.error("padding same with a stride needs the image's size, which the file leaves open")
    return max((-(-size // stride) - 1) * stride + reach - size, 0)


def _halves(total):
    """(top, bottom, left, right)"""
    (top, left), (vertical, horizontal) = [t // 2 for t in total], total
    return top, vertical - top, left, horizontal - left


def _is_same(k):
    return k.text("padding", "valid", "valid", "same") == "same"


def _filters(k):
    return k.integer("filters", most=_MOST_FILTERS)


def _has_bias(k):
    return k.flag("use_bias", True)


def _params(b, k, layer, kernel, layout):
    def params():
        made = {"w": b.weight(k, kernel, layout)}
        return made | {"b": b.weight(k, "bias")} if "b" in layer.param_shapes else made

    return params


LAYERS = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise_conv2d,
    "SeparableConv2D": _separable_conv2d,
    "Conv2DTranspose": _conv_transpose2d,
    "MaxPooling2D": _max_pool2d,
    "AveragePooling2D": _average_pool2d,
    "GlobalMaxPooling2D": _global(layers.GlobalMaxPool),
    "GlobalAveragePooling2D": _global(layers.GlobalAvgPool),
    "ZeroPadding2D": _zero_padding2d,
}
