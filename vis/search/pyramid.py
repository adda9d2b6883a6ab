"""One image in several sizes: what is worked out from coarse to fine.

    octave k of K-1 .. 0:   (round(H / ratio^k), round(W / ratio^k))

and resizing, which for arrays of numbers that are no pixels cannot be left to Pillow's 8 bits.
"""

import math

import numpy as np

from ...errors import UsageError
from ...kernels.errors import ShapeError
from ...kernels.shapes import check_float, show
from ..counts import at_least_one


def octave_sizes(H, W, octaves, ratio, least=1):
    """The sizes from the smallest to the full one, [(h, w), ..., (H, W)].

    octaves  how many, >= 1
    ratio    of each size to the one before, > 1
    least    sizes whose shorter side is below it are left out; the full size stays, whatever it is
    Raises UsageError for other numbers.
    """
    at_least_one(octaves=octaves)
    if not 1 < ratio < math.inf:
        raise UsageError(f"the octaves' ratio is {ratio}, expected a number above 1")
    if min(H, W) < 1:
        raise UsageError(f"an image of {H}x{W} has no octaves")
    least, sizes = max(1, least), [(H, W)]
    for k in range(1, octaves):
        size = round(H / ratio**k), round(W / ratio**k)
        if min(size) < least:
            break
        sizes.insert(0, size)
    return sizes


def resize(x, size):
    """The images in another size: each new value a mean of the old ones near it, as Pillow's "bilinear".

        out[i] = sum over j of w[i,j] * x[j] / sum over j of w[i,j]          along each side
        w[i,j] = max(0, 1 - |j + 1/2 - (i + 1/2) * s| / max(s, 1)),          s = old size / new size

    A side that grows is interpolated; one that shrinks is averaged over as many values as fall together, so that no
    fine pattern turns into a coarse one. Values beyond the border have no weight; a constant stays one.

    x     (N, C, H, W) float32 or float64
    size  (h, w)
    out   (N, C, h, w), x's dtype; a new array
    """
    check_float(x=x)
    if x.ndim != 4 or 0 in x.shape[2:] or min(size) < 1:
        raise ShapeError(
            f"x is {show(x.shape)}, to be {show(tuple(size))}: expected (N,C,H,W) and (h,w), none of them 0"
        )
    for axis in (2, 3):
        x = _resize_axis(x, axis, size[axis - 2])
    return x


def _resize_axis(x, axis, count):
    """One side of the images, tap by tap: memory of the result's size, whatever the sides are."""
    places, weights = _taps(x.shape[axis], count)
    shape = [1] * x.ndim
    shape[axis] = count
    out = np.zeros((*x.shape[:axis], count, *x.shape[axis + 1 :]), x.dtype)
    for place, weight in zip(places, weights):
        out += x.take(place, axis) * weight.reshape(shape).astype(x.dtype)
    return out


def _taps(old, new):
    """(places, weights), each (taps, new): which values the new ones are made of, and with which share."""
    scale = old / new
    reach = max(scale, 1.0)
    centres = (np.arange(new) + 0.5) * scale
    first = np.floor(centres - reach).astype(int)
    places = first + np.arange(math.ceil(2 * reach) + 1)[:, None]
    weights = np.maximum(0, 1 - np.abs(places + 0.5 - centres) / reach)
    weights[(places < 0) | (places >= old)] = 0
    return np.clip(places, 0, old - 1), weights / weights.sum(axis=0)
