"""What every channel of a layer says about the image.

    out[n, k] = the layer's channel channels[n, k]

x         (N, C, H, W), preprocessed
out       (N, C', H', W') of the layer; (N, 1, H', W') where the unit names a channel; (N, C', 1, 1) for a layer without
          positions
channels  (N, C') int: by number, or by each image's largest value in them, the largest first; ties go to the first

The picture: one tile a channel, numbered; of several images one after the other, "image: channel". All tiles of one
image have one scale, so that weak channels look weak; it ends at the 99.5 % quantile. Black is zero; where the layer
has values below zero, white is zero, blue below and red above.

Caveat: it does not show what a channel looks for, only where it found it; and the padding beyond the image's edge is
found, too, which puts some channels first that have nothing inside.
"""

from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from .passes import look, to_host
from .pictures.colour import absolute, limit_of, signed
from .pictures.tiles import grid
from .units import find_unit, unit_title


class Activations(NamedTuple):
    """What `activations` returns."""

    out: np.ndarray
    channels: np.ndarray


def activations(net, x, unit, order: str = "number"):
    """What every channel of a layer says about the image, Activations(out (N, C, H, W), channels (N, C)).

    order  "number", or "strongest": each image's channels by their largest value
    """
    unit = find_unit(net, unit)
    if order not in ("number", "strongest"):
        raise UsageError(f"order is {order!r}, expected number or strongest")
    if unit.position is not None:
        raise UsageError(f"{unit}: activations are of whole channels; leave the position away")
    tape, _ = look(net, x, unit)
    out = to_host(net, tape.out(unit.layer))
    out = out.reshape(*out.shape[:2], *(out.shape[2:] or (1, 1)))
    if unit.channel is not None:
        return Activations(out[:, unit.channel : unit.channel + 1], np.full((len(out), 1), unit.channel))
    channels = np.tile(np.arange(out.shape[1]), (len(out), 1))
    if order == "strongest":
        channels = np.argsort(-out.max(axis=(2, 3)), axis=1, kind="stable")
    return Activations(np.take_along_axis(out, channels[:, :, None, None], axis=1), channels)


def picture(result, net, x=None, unit=None):
    """One tile a channel."""
    tiles, labels = [], []
    for n, (out, channels) in enumerate(zip(*result)):
        colours = signed if out.min() < 0 else absolute
        tiles += list(colours(out, limit_of(out, 0.995)))
        labels += [str(c) if len(result.out) == 1 else f"{n}: {c}" for c in channels]
    return grid(tiles, labels, title=unit_title(net, find_unit(net, unit)), least=32)
