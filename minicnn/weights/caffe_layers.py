"""Caffe's layers of one input and without a window: inner products, activations, normalisation, other shapes."""

import numpy as np

from .. import layers
from .caffe_weights import weights


def _inner_product(b, layer, x):
    p = layer.param("inner_product_param")
    F, bias = p.get("num_output", 0), p.get("bias_term", True)
    if p.get("axis", 1) not in (1, 1 - x.ndim):
        raise layer.error(f"axis {p['axis']}: only whole images or rows are multiplied")
    is_turned = p.get("transpose", False)
    w, *rest = weights(layer, (None, F) if is_turned else (F, None), *[(F,)] * bias)
    w = np.ascontiguousarray(w.T) if is_turned else w
    return b.add(layer, layers.Linear(w.shape[1], F, bias), b.flat(x), params=dict(zip("wb", (w, *rest))))


def _lrn(b, layer, x):
    p = layer.param("lrn_param")
    if p.get("norm_region", "ACROSS_CHANNELS") != "ACROSS_CHANNELS":
        raise layer.error("norm_region WITHIN_CHANNEL is not supported")
    size = p.get("local_size", 5)
    if size % 2 == 0:
        raise layer.error(f"local_size {size} is even")
    return b.add(layer, layers.LRN(size, p.get("alpha", 1.0), p.get("beta", 0.75), p.get("k", 1.0)), x)


def _batch_norm(b, layer, x):
    # In evaluation it is the running statistics that count, as with use_global_stats.
    p = layer.param("batch_norm_param")
    mean, var, factor = weights(layer, (None,), (None,), (1,))
    if len(mean) != len(var):
        raise layer.error(f"{len(mean)} means and {len(var)} variances")
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 0.0 if factor[0] == 0 else 1 / np.float64(factor[0])
        params = {
            "w": np.ones_like(mean),
            "b": np.zeros_like(mean),
            "running_mean": (mean * scale).astype(np.float32),
            "running_var": (var * scale).astype(np.float32),
        }
    after = b.follower(layer, "Scale")
    told = after.param("scale_param") if after else {}
    if after and told.get("axis", 1) in (1, 1 - x.ndim) and told.get("num_axes", 1) == 1:
        params.update(zip("wb", weights(after, mean.shape, *[mean.shape] * told.get("bias_term", False))))
    else:
        after = None
    # Caffe's fraction is what stays of the old value, our momentum what comes of the new one.
    momentum = round(1 - p.get("moving_average_fraction", 0.999), 12)
    out = b.add(layer, layers.BatchNorm2d(len(mean), p.get("eps", 1e-5), momentum), x, params=params)
    if after:
        b.stands_for(after, out)
    return out


def _relu(b, layer, x):
    slope = layer.param("relu_param").get("negative_slope", 0.0)
    return b.add(layer, layers.ReLU() if slope == 0 else layers.LeakyReLU(slope), x)


def _prelu(b, layer, x):
    (w,) = weights(layer, (None,))
    if layer.param("prelu_param").get("channel_shared", False) and len(w) != 1:
        raise layer.error(f"channel_shared, and {len(w)} slopes")
    shape = (len(w), *(1,) * (x.ndim - 2))
    return b.add(layer, layers.PReLU(shape), x, params={"w": w.reshape(shape)})


def _elu(b, layer, x):
    return b.add(layer, layers.ELU(layer.param("elu_param").get("alpha", 1.0)), x)


def _sigmoid(b, layer, x):
    return b.add(layer, layers.Sigmoid(), x)


def _tanh(b, layer, x):
    return b.add(layer, layers.Tanh(), x)


def _softmax(b, layer, x):
    axis = layer.param("softmax_param").get("axis", 1)
    return b.add(layer, layers.Softmax(axis), b.scores(x) if axis == 1 and b.is_last(layer) else x)


def _dropout(b, layer, x):
    p = layer.param("dropout_param")
    if not p.get("scale_train", True):
        raise layer.error("scale_train false: it would change what it reads when the net is tested")
    return b.add(layer, layers.Dropout(p.get("dropout_ratio", 0.5)), x)


def _flatten(b, layer, x):
    p = layer.param("flatten_param")
    axis, end = (a + x.ndim if a < 0 else a for a in (p.get("axis", 1), p.get("end_axis", -1)))
    if end != x.ndim - 1 or not 1 <= axis <= end:
        raise layer.error(f"axes {axis} to {end} of {x.ndim}: only those up to the last one are flattened")
    made = layers.Flatten() if axis == 1 else layers.Reshape((0,) * axis + (-1,))
    return b.add(layer, made, x, ndim=axis + 1)


def _reshape(b, layer, x):
    p = layer.param("reshape_param")
    dims, axis, axes = p.get("shape", {}).get("dim", []), p.get("axis", 0), p.get("num_axes", -1)
    axis = axis + x.ndim + 1 if axis < 0 else axis
    if not 0 <= axis <= x.ndim or axes not in (-1, x.ndim - axis):
        raise layer.error(f"axis {axis} and num_axes {axes} of {x.ndim}: only axes up to the last one are reshaped")
    shape = (0,) * axis + tuple(dims)
    return b.add(layer, layers.Reshape(shape), x, ndim=len(shape))


LAYERS = {
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Sigmoid": _sigmoid,
    "TanH": _tanh,
    "Softmax": _softmax,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
}
