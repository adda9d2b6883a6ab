"""Numbers as colours. Every scale says what zero looks like.

    signed      one value a pixel: blue below zero, white at zero, red above
    absolute    one value a pixel: black at zero, white at the largest size
    signed_rgb  three values a pixel: each channel from 0 to 255, zero is mid-grey 128

These scales are linear and symmetric about zero. The end of the scale is `limit`, beyond which colours no longer
change; each picture has its own, so two pictures show the same pattern where one is the other times a positive
constant.

    heat        one value a pixel between two ends: nearly black, violet, red, orange, pale yellow; NaN is mid-grey
"""

import numpy as np

_BLUE, _WHITE, _RED = np.array([[33, 70, 200], [255, 255, 255], [200, 30, 33]], np.float64)

# Lighter at every step, so that it can also be read without seeing colours.
_HEAT = np.array([[12, 12, 50], [96, 24, 120], [205, 50, 70], [250, 150, 40], [255, 250, 200]], np.float64)


def limit_of(values, quantile=1.0):
    """The end of the scale: that quantile of |values|; 1 where it is zero, so that nothing is divided by zero.

    A quantile below 1 lets the few largest values be cut off, that would otherwise leave all others without contrast.
    """
    size = np.abs(values)
    return float(np.quantile(size, quantile) or size.max(initial=0) or 1)


def signed(values, limit=None):
    """(..., H, W) numbers as (..., H, W, 3) uint8 from blue (-limit) through white (0) to red (limit)."""
    t = _scaled(values, limit)[..., None]
    return _to_bytes(_WHITE + np.where(t < 0, -t * (_BLUE - _WHITE), t * (_RED - _WHITE)))


def absolute(values, limit=None):
    """(..., H, W) numbers as (..., H, W, 3) uint8 greys: |value| from black (0) to white (limit)."""
    return _to_bytes(np.repeat(np.abs(_scaled(values, limit))[..., None] * 255, 3, axis=-1))


def signed_rgb(values, channel_order="RGB", limit=None):
    """(..., 3, H, W) numbers as (..., H, W, 3) uint8: each channel from 0 (-limit) through 128 (0) to 255 (limit).

    channel_order  "RGB" or "BGR", that of the second axis from the left among the last three
    """
    t = np.moveaxis(_scaled(values, limit), -3, -1)
    if channel_order == "BGR":
        t = t[..., ::-1]
    return _to_bytes(np.minimum(128 + 128 * t, 255))


def heat(values, low, high):
    """(..., H, W) numbers as (..., H, W, 3) uint8 from nearly black (low) to pale yellow (high); NaN is mid-grey.

    Values beyond the ends have the ends' colours; where low = high, all have low's.
    """
    values = np.asarray(values, np.float64)
    t = np.clip((values - low) / ((high - low) or 1), 0, 1) * (len(_HEAT) - 1)
    colours = np.stack([np.interp(t, range(len(_HEAT)), stops) for stops in _HEAT.T], axis=-1)
    return _to_bytes(np.where(np.isnan(values)[..., None], 128, colours))


def show_gradient(dx, channel_order="RGB", quantile=0.999):
    """What the gradient pictures look like: (N, C, H, W) as (N, H, W, 3) uint8, every image by its own limit.

    Three channels become colours (`signed_rgb`), any other number is summed over the channels (`signed`).
    """
    if dx.shape[1] == 3:
        return np.stack([signed_rgb(d, channel_order, limit_of(d, quantile)) for d in dx])
    return np.stack([signed(d, limit_of(d, quantile)) for d in dx.sum(axis=1)])


def channel_order(net):
    """The order of the net's input channels; RGB unless its meta says otherwise."""
    return net.meta.channel_order if net.meta else "RGB"


def _scaled(values, limit):
    values = np.asarray(values, np.float64)
    return np.clip(values / (limit_of(values) if limit is None else limit), -1, 1)


def _to_bytes(levels):
    return np.uint8(np.round(levels))
