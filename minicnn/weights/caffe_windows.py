"""Caffe's layers that slide a window: convolutions, their transposes, pooling."""

from .. import layers
from .caffe_weights import weights


def _convolution(b, layer, x):
    F, window = _window_of_convolution(layer, x)
    w, *bias = weights(layer, (F, None, *window["kernel"]), *[(F,)] * window["bias"])
    made = layers.Conv2d(w.shape[1] * window["groups"], F, **window)
    return b.add(layer, made, x, params=dict(zip("wb", (w, *bias))))


def _deconvolution(b, layer, x):
    # Caffe's is the gradient of a convolution: its weights are (C, F // groups, KH, KW).
    F, window = _window_of_convolution(layer, x)
    if F % max(window["groups"], 1):
        raise layer.error(f"group {window['groups']} does not divide num_output {F}")
    w, *bias = weights(layer, (None, F // max(window["groups"], 1), *window["kernel"]), *[(F,)] * window["bias"])
    made = layers.ConvTranspose2d(w.shape[0], F, **window)
    return b.add(layer, made, x, params=dict(zip("wb", (w, *bias))))


def _window_of_convolution(layer, x):
    """(num_output, arguments of Conv2d's constructor)."""
    p = layer.param("convolution_param")
    if x.ndim != 4 or p.get("axis", 1) not in (1, -3):
        raise layer.error("only images (N, C, H, W), with the channels at axis 1, are convolved")
    window = {
        "kernel": _pair(layer, p, "kernel_size", None),
        "stride": _pair(layer, p, "stride", 1),
        "pad": _pair(layer, p, "pad", 0),
        "dilation": _pair(layer, p, "dilation", 1),
        "groups": p.get("group", 1),
        "bias": p.get("bias_term", True),
    }
    return p.get("num_output", 0), window


def _pooling(b, layer, x):
    p = layer.param("pooling_param")
    method = p.get("pool", "MAX")
    if method == "STOCHASTIC":
        raise layer.error("stochastic pooling is not supported")
    if p.get("global_pooling", False):
        if any(key in p for key in ("kernel_size", "kernel_h", "kernel_w")):
            raise layer.error("global_pooling and a window")
        return b.add(layer, layers.GlobalMaxPool() if method == "MAX" else layers.GlobalAvgPool(), x)
    kernel, stride = _pair(layer, p, "kernel_size", None), _pair(layer, p, "stride", 1)
    pad, ceil = _pair(layer, p, "pad", 0), p.get("round_mode", "CEIL") == "CEIL"
    if any(a >= k for a, k in zip(pad, kernel)):
        raise layer.error(f"pad {pad} is not smaller than the window {kernel}")
    if ceil and not any(pad):
        _check_last_window(layer, x, kernel, stride)
    pool = layers.MaxPool2d if method == "MAX" else layers.AvgPool2d
    return b.add(layer, pool(kernel, stride, pad, ceil_mode=ceil), x)


def _check_last_window(layer, x, kernel, stride):
    # Caffe drops a window that begins outside of the image only where there is a pad; it holds no number then.
    for axis, (k, s) in enumerate(zip(kernel, stride)):
        size = x.shape[2 + axis] if x.shape and len(x.shape) == 4 else None
        if s > k and (size is None or -(-(size - k) // s) * s >= size):
            raise layer.error(f"stride {stride} is larger than the window {kernel}: the last one may hold nothing")


def _pair(layer, p, name, default):
    """(vertical, horizontal) from `name`, given once or twice, or from its _h and _w."""
    stem = name.removesuffix("_size")
    each, both = [p.get(f"{stem}_h"), p.get(f"{stem}_w")], p.get(name, [])
    if each == [None, None]:
        both = both or ([default] if default is not None else [])
        if len(both) not in (1, 2):
            raise layer.error(f"{name} is given {len(both)} times, expected one number, or one an axis")
        return (both[0], both[-1])
    if name == "pad":
        each = [0 if size is None else size for size in each]
    if both or None in each:
        raise layer.error(f"expected {name}, or both {stem}_h and {stem}_w")
    return tuple(each)


LAYERS = {"Convolution": _convolution, "Deconvolution": _deconvolution, "Pooling": _pooling}
