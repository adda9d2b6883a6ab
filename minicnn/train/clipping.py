"""Gradients that are too long are cut, in place, before an optimiser sees them."""

import math

import numpy as np

from ..errors import MinicnnError
from ..layers.checks import check_number

_BLOCK = 8_192  # numbers: few enough that their memory is not given back and asked for again each time


def clip_by_norm(grads, most):
    """All gradients shortened together, so that their direction stays; returns the norm that they had.

        norm = sqrt(sum of dw^2 over all keys),  dw <- dw * most / norm  where norm > most

    grads   {key: dw}, changed in place
    most    > 0
    norm    a float, summed in float64; where it is no finite number the gradients stay: no factor mends them
    Raises MinicnnError for a read-only gradient.
    Pascanu et al., ICML 2013, algorithm 1
    """
    _check(grads, most)
    norm = global_norm(grads)
    if most < norm < math.inf:
        for dw in grads.values():
            dw *= most / norm
    return norm


def global_norm(grads):
    """sqrt(sum of dw^2 over all keys), a float, summed in float64."""
    return math.sqrt(sum(_square(dw) for dw in grads.values()))


def clip_by_value(grads, most):
    """Every number of every gradient limited by itself: dw <- min(max(dw, -most), most); NaN stays.

    grads   {key: dw}, changed in place
    most    > 0
    Raises MinicnnError for a read-only gradient.
    """
    _check(grads, most)
    for dw in grads.values():
        np.clip(dw, -most, most, out=dw)


def _check(grads, most):
    check_number("most", most, lambda v: 0 < v < math.inf, "a number above 0")
    for key, dw in grads.items():
        if not getattr(dw.flags, "writeable", True):
            raise MinicnnError(f"{key}: the gradient is read-only and cannot be clipped")


def _square(dw):
    """The sum of dw^2 in float64, block by block: a copy of a whole gradient in float64 may be a gigabyte."""
    flat = dw.reshape(-1)
    size = _BLOCK if isinstance(dw, np.ndarray) else max(1, flat.size)  # a card would be waited for at each block
    blocks = (flat[i : i + size].astype("float64") for i in range(0, flat.size, size))
    return sum(float(block @ block) for block in blocks)
