"""What every channel of a layer says about the image.

    out[n, c] = the layer's channel c

x     (N, C, H, W), preprocessed
out   (N, C', H', W') of the layer, in its order; one channel alone (N, 1, H', W') where the unit names one;
      (N, C', 1, 1) for a layer without positions

The picture: one tile a channel, numbered; of several images one after the other, "image: channel". All tiles of one
image have one scale, so that weak channels look weak; it ends at the 99.5 % quantile. Black is zero; where the layer
has values below zero, white is zero, blue below and red above.

Caveat: it does not show what a channel looks for, only where it found it.
"""

from ..errors import UsageError
from .colour import absolute, limit_of, signed
from .passes import look, to_host
from .tiles import grid
from .units import find_unit, unit_title


def activations(net, x, unit):
    """What every channel of a layer says about the image, (N, C, H, W) of the layer."""
    unit = find_unit(net, unit)
    if unit.position is not None:
        raise UsageError(f"{unit}: activations are of whole channels; leave the position away")
    tape, _ = look(net, x, unit)
    out = to_host(net, tape.out(unit.layer))
    out = out.reshape(*out.shape[:2], *(out.shape[2:] or (1, 1)))
    return out if unit.channel is None else out[:, unit.channel : unit.channel + 1]


def picture(result, net, x=None, unit=None):
    """One tile a channel."""
    unit = find_unit(net, unit)
    tiles, labels = [], []
    for n, out in enumerate(result):
        colours = signed if out.min() < 0 else absolute
        tiles += list(colours(out, limit_of(out, 0.995)))
        channels = range(len(out)) if unit.channel is None else [unit.channel]
        labels += [str(c) if len(result) == 1 else f"{n}: {c}" for c in channels]
    return grid(tiles, labels, title=unit_title(net, unit), least=32)
