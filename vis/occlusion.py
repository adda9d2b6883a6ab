"""Which parts of an image count: a square is moved over it, and the net asked again at every place.

    x[i,j] = x with a square around cell (i,j) covered
    probability[i,j] = softmax(scores of x[i,j])[class]        falls where the class is covered
    activation[i,j]  = sum over y, x of out[i,j][channel]      of one feature map of a layer: falls where its part is
    likeliest[i,j]   = argmax of the scores of x[i,j]          ties go to the first

The map's cell (i,j) is the square of stride x stride pixels at row i*stride, column j*stride, the last ones cut off at
the image's edge; the covering square has the same middle (rounded up and to the left), and is cut off at the edge, too.

x            (N, C, H, W), preprocessed
unit         the class; unless given, each image's likeliest
probability  (N, R, S) float64, R = ceil(H / stride), S = ceil(W / stride); activation (N, R, S) of the net's dtype
likeliest    (N, R, S) int64
classes, channels (N,): the class, and the feature map that sums to most in the image that is not covered; of that one
             also probability_before, activation_before (N,)
Raises UsageError for a unit that is no class, and for a class of a net whose scores have positions: of such a net the
activation is followed alone, and the three others are None.

[1] gives neither the square's size nor the stride: a fifth of the image's shorter side (45 of 224 pixels, about what
its figure shows) and a third of the square are ours. Its square is grey, and its layer the fifth and last of its
convolutional ones. All images' squares share batches; the tape of one batch is in memory at a time. Ctrl-C keeps the
places that were looked at; the others are NaN, or -1.

The picture: a row an image. The image with the square where it lowered the probability most; the feature map's sum and
the class's probability, from nearly black (lowest) to pale yellow (highest), with their ends below; the likeliest
class, with its legend. Mid-grey is what was not looked at.

Caveat: the square is something to see, too: it hides what is there, and adds corners and a colour that the photo does
not have. What matters in two places, so that covering either changes nothing, stays unseen.
[1] Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2 and figure 7

examples:
  minicnn vis occlusion demo/digits/3.png --out pictures
  minicnn vis occlusion demo/digits/3.png demo/digits/5.png --size 7 --stride 2 --layer conv2 --out pictures
"""

import math
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from .counts import at_least_one
from .image import check_finite
from .passes import on_device, to_host
from .pictures.occlusion_picture import draw
from .progress import bar, kept_when_interrupted
from .scanning.covering import filling, square
from .search.unit_box import find_target, softmax
from .shares.cut import has_positions
from .units import find_unit


class Occlusion(NamedTuple):
    probability: np.ndarray | None  # (N, R, S) float64
    activation: np.ndarray  # (N, R, S)
    likeliest: np.ndarray | None  # (N, R, S) int64
    classes: np.ndarray | None  # (N,) int64
    channels: np.ndarray  # (N,) int64
    probability_before: np.ndarray | None  # (N,)
    activation_before: np.ndarray  # (N,)
    layer: str
    size: int  # of the square
    stride: int


def occlusion(
    net,
    x,
    unit=None,
    layer: str = "",
    size: int = 0,
    stride: int = 0,
    fill: str = "grey",
    batch: int = 8,
    seed: int = 0,
    progress: bool = True,
):
    """What covering a part of the image changes, `Occlusion`: maps (N, R, S).

    layer   the layer whose strongest feature map is followed, or layer:channel; the last with positions unless given
    size    of the covering square in pixels; 0: a fifth of the image's shorter side
    stride  from one square to the next in pixels; 0: a third of the square
    fill    what covers: "grey", "mean" (the colour that the preprocessing takes off) or "noise"
    batch   how many covered images go through the net at a time, >= 1
    seed    of the noise
    """
    x = np.asarray(x)
    check_finite("x", x)
    size, stride = _sizes(x.shape[2:], size, stride, batch)
    cover = filling(net, x.shape[1:], fill, seed)
    followed = _followed(net, x, layer)
    asked = [_ask(net, x[n : n + batch], followed.layer) for n in range(0, len(x), batch)]
    result = _empty(net, x, unit, followed, asked, size, stride)
    places = list(np.ndindex(result.activation.shape))
    with kept_when_interrupted("occlusion"):
        for step in bar(math.ceil(len(places) / batch), "occlusion", progress):
            some = places[step * batch : (step + 1) * batch]
            hidden = x[[n for n, _, _ in some]]
            for image, (_, *cell) in zip(hidden, some):
                box = (slice(None), *square(cell, size, stride, x.shape[2:]))
                image[box] = cover[box]
            _note(result, some, *_ask(net, hidden, followed.layer))
    return result


def _sizes(shape, size, stride, batch):
    """(size, stride) with the defaults filled in; UsageError for what cannot be."""
    size = size or max(1, round(min(shape) / 5))
    stride = stride or max(1, size // 3)
    if not 1 <= size <= min(shape):
        raise UsageError(f"size is {size}, expected 1 to {min(shape)}, the image's shorter side")
    at_least_one(stride=stride, batch=batch)
    return size, stride


def _followed(net, x, layer):
    """The Unit of the layer to follow, with a channel where one was named."""
    if layer:
        followed = find_unit(net, layer)
        if followed.position is not None:
            raise UsageError(f"layer is {layer!r}: a feature map is summed as a whole, leave the position away")
        return followed
    _, tape = net.forward(on_device(net, x[:1]), until=net.scores)
    with_positions = [entry.name for entry in tape if has_positions(entry)]
    return find_unit(net, with_positions[-1] if with_positions else net.scores)


def _ask(net, x, layer):
    """(scores (n, K) or None where they have positions, sums (n, C) of the layer's feature maps)."""
    x = on_device(net, x)
    out, tape = net.forward(x, until=net.scores)
    maps = to_host(net, tape.out(layer) if layer in tape else net(x, until=layer))
    scores = to_host(net, out)
    sums = maps.reshape(*maps.shape[:2], -1).sum(axis=2)
    return (scores.reshape(scores.shape[:2]) if scores[0].size == scores.shape[1] else None), sums


def _empty(net, x, unit, followed, asked, size, stride):
    """The result before any place was looked at, with what the net says of the images that are not covered."""
    sums = np.concatenate([sums for _, sums in asked])
    if followed.channel is not None and followed.channel >= sums.shape[1]:
        raise UsageError(f"{followed}: channel {followed.channel} of 0 to {sums.shape[1] - 1}")
    each = np.arange(len(x))
    channels = sums.argmax(axis=1) if followed.channel is None else np.full(len(x), followed.channel)
    shape = (len(x), *(math.ceil(length / stride) for length in x.shape[2:]))
    result = Occlusion(
        probability=None,
        activation=np.full(shape, np.nan, sums.dtype),
        likeliest=None,
        classes=None,
        channels=channels,
        probability_before=None,
        activation_before=sums[each, channels],
        layer=followed.layer,
        size=size,
        stride=stride,
    )
    if asked[0][0] is None:
        if unit is not None:
            raise UsageError(f"{unit}: {net.scores} has positions, so this net has no classes to follow")
        return result
    scores = np.concatenate([scores for scores, _ in asked]).astype(np.float64)
    classes = scores.argmax(axis=1)
    if unit is not None:
        classes = np.full(len(x), find_target(net, unit, scores.shape[1]))
    return result._replace(
        probability=np.full(shape, np.nan),
        likeliest=np.full(shape, -1),
        classes=classes,
        probability_before=softmax(scores)[each, classes],
    )


def _note(result, places, scores, sums):
    """Write into the maps what the net said of these places."""
    n, i, j = np.transpose(places)
    row = np.arange(len(places))
    result.activation[n, i, j] = sums[row, result.channels[n]]
    if scores is not None:
        result.probability[n, i, j] = softmax(scores.astype(np.float64))[row, result.classes[n]]
        result.likeliest[n, i, j] = scores.argmax(axis=1)


def picture(result, net, x=None, unit=None):
    """A row an image: the image, the feature map's sum, the class's probability, the likeliest class."""
    return draw(result, net, x)
