"""Caffe's layers that may read several blobs: joins, sums and products, scales and biases."""

import numpy as np

from .. import layers
from .caffe_weights import weights


def _concat(b, layer, *xs):
    p = layer.param("concat_param")
    return b.add(layer, layers.Concat(p.get("axis", p.get("concat_dim", 1))), *xs)


def _eltwise(b, layer, *xs):
    p = layer.param("eltwise_param")
    operation, factors = p.get("operation", "SUM"), p.get("coeff", [])
    if operation == "MAX":
        raise layer.error("operation MAX is not supported")
    if len(xs) < 2 or len(factors) not in (0, len(xs)) or (factors and operation != "SUM"):
        raise layer.error(f"{operation} of {len(xs)} blobs with {len(factors)} coefficients")
    if operation == "PROD":
        return b.add(layer, layers.Multiply(), *xs)
    if factors == [1, -1]:
        return b.add(layer, layers.Subtract(), *xs)
    terms = list(xs)
    for i, factor in enumerate(factors):
        if factor != 1:
            constant = _constant(b, layer, np.array([factor], np.float32), f"coeff{i}")
            terms[i] = b.add(layer, layers.Multiply(), xs[i], constant, part=f"term{i}")
    return b.add(layer, layers.Add(), *terms)


def _scale(b, layer, *xs):
    p = layer.param("scale_param")
    axis, axes = _span(layer, p, xs)
    has_bias = p.get("bias_term", False)
    arrays = weights(layer, *[(None,) * axes] * ((len(xs) == 1) + has_bias))
    if len({array.shape for array in arrays}) > 1:
        raise layer.error(f"scales {arrays[0].shape} and biases {arrays[1].shape}")
    factor = _operand(b, layer, xs, axis, arrays, "gamma")
    out = b.add(layer, layers.Multiply(), xs[0], factor, part="scaled" if has_bias else None)
    if not has_bias:
        return out
    return b.add(layer, layers.Add(), out, _operand(b, layer, [out], axis, arrays[-1:], "beta"))


def _bias(b, layer, *xs):
    axis, axes = _span(layer, layer.param("bias_param"), xs)
    arrays = weights(layer, *[(None,) * axes] * (len(xs) == 1))
    return b.add(layer, layers.Add(), xs[0], _operand(b, layer, xs, axis, arrays, "beta"))


def _span(layer, p, xs):
    """(the first axis of xs[0] that is scaled, how many there are)."""
    ndim, axis = xs[0].ndim, p.get("axis", 1)
    axis = axis + ndim if axis < 0 else axis
    axes = xs[1].ndim if len(xs) > 1 else p.get("num_axes", 1)
    axes = ndim - axis if axes == -1 else axes
    least = 0 if len(xs) > 1 else 1  # the batch has no weights of its own
    if len(xs) > 2 or axis < least or axes < 0 or axis + axes > ndim:
        raise layer.error(f"{axes} axes from axis {axis} on, of {ndim}, with {len(xs)} blobs")
    return axis, axes


def _operand(b, layer, xs, axis, arrays, part):
    """What xs[0] is scaled or shifted by: xs[1], or the first array; with ones for the axes after it."""
    if len(xs) > 1:
        missing = xs[0].ndim - axis - xs[1].ndim
        if not missing:
            return xs[1]
        axes = tuple(range(xs[1].ndim, xs[1].ndim + missing))
        return b.add(layer, layers.Unsqueeze(axes), xs[1], part=part, ndim=xs[0].ndim - axis)
    array = arrays[0]
    return _constant(b, layer, array.reshape(array.shape + (1,) * (xs[0].ndim - axis - array.ndim)), part)


def _constant(b, layer, array, part):
    return b.add(layer, layers.Constant(array.shape), part=part, params={"value": array}, ndim=array.ndim)


LAYERS = {"Concat": _concat, "Eltwise": _eltwise, "Scale": _scale, "Bias": _bias}
