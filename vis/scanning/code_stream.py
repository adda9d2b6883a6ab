"""The codes of any number of pictures, a batch at a time: what codes, neighbours and tsne share.

A code is what a layer makes of a picture, as one vector:

    flatten   code = out[n] row by row            all that the layer says, and where: C*H*W numbers
    mean      code[c] = mean of out[n, c]         what it says anywhere: C numbers
"""

import math

import numpy as np
from PIL import Image

from ...errors import UsageError
from ..counts import at_least_one
from ..image import deprocess, preprocess
from ..passes import on_device, to_host
from ..progress import bar
from ..units import Unit, find_unit

SPATIAL = ("flatten", "mean")


def code_unit(net, unit):
    """The Unit whose values are the code; unless given, the layer that the classifier reads ("fc7" in AlexNet).

    The classifier is the last layer with weights before the scores. A net that is nothing else has its scores as code.
    Raises UsageError for a unit with a position, which is one number and no code.
    """
    if unit is None:
        name = net.scores
        while name != net.input and not net[name].layer.param_shapes:
            name = net[name].inputs[0]
        before = net.input if name == net.input else net[name].inputs[0]
        return Unit(net.scores if before == net.input else before)
    unit = find_unit(net, unit)
    if unit.position is not None:
        raise UsageError(f"{unit}: a code is of a layer or a channel; leave the position away")
    return unit


def code_of(net, x, unit, spatial):
    """(N, D) of the net's dtype: the codes of a batch x (N, C, H, W); a channel alone where the unit names one.

    Raises UsageError for a channel that the layer does not have.
    """
    out = to_host(net, net(on_device(net, x), until=unit.layer))
    if unit.channel is not None:
        if unit.channel >= out.shape[1]:
            raise UsageError(f"{unit}: channel {unit.channel} of 0 to {out.shape[1] - 1}")
        out = out[:, unit.channel : unit.channel + 1]
    if spatial == "mean" and out.ndim > 2:
        return out.mean(axis=tuple(range(2, out.ndim)))
    return out.reshape(len(out), -1)


def read(net, pictures, numbers):
    """(kept, x): these pictures as one batch (N, C, H, W) of the net's input; kept are the numbers not skipped."""
    kept, xs = [], []
    for number, picture in pictures.each(numbers):
        kept.append(number)
        xs.append(preprocess(picture, net.meta))
    return kept, np.concatenate(xs).astype(net.dtype) if xs else None


def stream(net, pictures, unit, spatial, batch, name, progress):
    """(numbers, x, codes) of one batch after the other, with a bar: at most so many pictures are in memory.

    Raises UsageError for a batch below 1 or another word for `spatial`.
    """
    at_least_one(batch=batch)
    if spatial not in SPATIAL:
        raise UsageError(f"spatial is {spatial!r}, expected {' or '.join(SPATIAL)}")
    for step in bar(math.ceil(len(pictures) / batch), name, progress):
        numbers, x = read(net, pictures, range(step * batch, min((step + 1) * batch, len(pictures))))
        if numbers:
            yield numbers, x, code_of(net, x, unit, spatial)


def as_seen(net, picture, side):
    """The part of a picture that the net receives, its longer side `side` pixels: a PIL image."""
    return thumbnail(net, preprocess(picture, net.meta), side)


def thumbnail(net, x, side):
    """One image x (1, C, H, W), preprocessed, as a PIL image whose longer side has `side` pixels."""
    seen = Image.fromarray(deprocess(x, net.meta)[0])
    scale = side / max(seen.size)
    # Pixels stay square and sharp where a small picture becomes larger.
    how = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    return seen.resize([max(1, round(length * scale)) for length in seen.size], how)
