"""Patches as three papers show them."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ...layers import ReLU
from ..image import deprocess, preprocess
from ..passes import look, on_device, to_host, walk
from ..rules import RULES
from ..units import Unit, unit_title
from .colour import channel_order, show_gradient
from .tiles import enlarge, grid, load_font

_MOST_CHANNELS = 16  # more make a picture that nobody can look at
_SIDE = 96  # of a patch's tile
_GREY, _WHITE, _DARK = 128, (255, 255, 255), (20, 20, 20)


class Row(NamedTuple):
    """One channel's K patches; pictures are (h, w, 3) uint8.

    title      the channel's number, or the class's name
    values     K numbers
    images     what the net sees
    boxes      of the fields, in these; where a field does not fit into the image, of `where_it_matters`
    patches    cut out of them
    guided     guided backprop cut out at the same place; empty where the net has no ReLU
    deconvnet  the same
    """

    title: str
    values: list
    images: list
    boxes: list
    patches: list
    guided: list
    deconvnet: list


def rows(result, net):
    """The Rows of the first channels; the pictures are read again."""
    for u, channel in enumerate(result.channels[:_MOST_CHANNELS].tolist()):
        x = np.concatenate([preprocess(result.source[int(n)], net.meta) for n in result.pictures[u]]).astype(net.dtype)
        images, order = deprocess(x, net.meta), channel_order(net)
        boxes = [_at_most_all(box, x.shape[2:]) for box in result.boxes[u]]
        slopes, (walked, has_positions) = {"guided_backprop": [], "deconvnet": []}, _walked(result, net, x, u)
        if has_positions and not _fits(result.boxes[u, 0], x.shape[2:]):
            boxes = where_it_matters(walked["guided_backprop"])
        for name, dx in walked.items():
            cuts = [cut(d, box, 0) for d, box in zip(dx, boxes)]
            slopes[name] = [show_gradient(one[None], order)[0] for one in cuts]
        yield Row(
            unit_title(net, Unit(result.layer, channel)).removeprefix(f"{result.layer}:"),
            result.values[u].tolist(),
            list(images),
            boxes,
            [cut(image.transpose(2, 0, 1), box, _GREY).transpose(1, 2, 0) for image, box in zip(images, boxes)],
            *slopes.values(),
        )


def _walked(result, net, x, u):
    """({rule: dx} from the unit at its recorded position in each picture, whether it has one); without a ReLU none."""
    if not any(isinstance(node.layer, ReLU) for node in net.nodes):
        return {}, False
    channel = int(result.channels[u])
    tape, dout = look(net, x, Unit(result.layer, channel))
    dout = np.zeros_like(to_host(net, dout))
    for n, (row, column) in enumerate(result.positions[u]):
        dout[(n, channel, row, column)[: dout.ndim]] = 1
    seed = on_device(net, dout)
    return {name: walk(net, tape, seed, RULES[name]) for name in ("guided_backprop", "deconvnet")}, dout.ndim == 4


def cut(image, box, fill):
    """(C, h, w): the box of an image (C, H, W), with `fill` where it goes on past the border."""
    top, left, bottom, right = map(int, box)
    C, H, W = image.shape
    out = np.full((C, bottom - top, right - left), fill, image.dtype)
    inside = slice(max(top, 0), min(bottom, H)), slice(max(left, 0), min(right, W))
    out[:, inside[0].start - top : inside[0].stop - top, inside[1].start - left : inside[1].stop - left] = image[
        (slice(None), *inside)
    ]
    return out


def _fits(box, size):
    top, left, bottom, right = box
    return bottom - top < size[0] and right - left < size[1]


def _at_most_all(box, size):
    """The box; on an axis where it is as large as the image, the image."""
    top, left, bottom, right = map(int, box)
    if bottom - top >= size[0]:
        top, bottom = 0, size[0]
    if right - left >= size[1]:
        left, right = 0, size[1]
    return top, left, bottom, right


def where_it_matters(dx):
    """[(top, left, bottom, right)] of each image: squares of one size around the middle 98 % of |dx|, (N, C, H, W).

    By rows and by columns 1 % may lie before and 1 % behind the square, which is as large as the image needs that needs
    the most; it is moved back into the image, and cut off where the image is narrower. Where dx is 0, all of the image.
    """
    sizes = np.abs(dx.astype(np.float64)).sum(axis=1)
    spans = [[_middle(size.sum(axis=axis)) for axis in (1, 0)] if size.any() else None for size in sizes]
    side = max((end - start for both in spans if both for start, end in both), default=0)
    found = []
    for both in spans:
        ends = []
        for (start, end), length in zip(both or (), sizes.shape[1:]):
            first = min(max((start + end - side) // 2, 0), max(length - side, 0))
            ends.append((first, min(first + side, length)))
        (top, bottom), (left, right) = ends or [(0, length) for length in sizes.shape[1:]]
        found.append((top, left, bottom, right))
    return found


def _middle(sizes):
    """(first, last + 1) of where the middle 98 % lie."""
    total = np.cumsum(sizes)
    first, last = np.searchsorted(total, (0.01 * total[-1], 0.99 * total[-1]))
    return int(first), int(last) + 1


def girshick(shown, layer):
    """A row a channel: the image, the field as a white box, the value beside it."""
    tiles = [_boxed(*one) for row in shown for one in zip(row.images, row.boxes, row.values)]
    labels = [row.title if k == 0 else "" for row in shown for k in range(len(row.images))]
    return grid(tiles, labels, columns=len(shown[0].images), title=layer)


def _boxed(image, box, value):
    factor = max(1, math.ceil(168 / min(image.shape[:2])))
    picture = enlarge(Image.fromarray(image), 168)
    draw, text = ImageDraw.Draw(picture), f"{value:.3g}"
    top, left, bottom, right = box
    left, right = max(left, 0) * factor, min(right * factor, picture.width) - 1
    top, bottom = max(top, 0) * factor, min(bottom * factor, picture.height) - 1
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_DARK)
    draw.rectangle((left, top, right, bottom), outline=_WHITE, width=2)
    # Beside the box, which may be smaller than the text: above it, else below; inside where there is no room.
    font = load_font(15)
    _, _, wide, high = font.getbbox(text)
    x, y = max(min(left, picture.width - wide - 4), 0), top - high - 7
    if y < 0:
        y = bottom + 3 if bottom + high + 7 < picture.height else top + 3
    draw.rectangle((x, y, x + wide + 3, y + high + 3), fill=_DARK)
    draw.text((x + 2, y + 1), text, fill=_WHITE, font=font)
    return picture


def springenberg(shown, layer):
    """A row a channel: the patches, beside them guided backprop."""
    tiles, labels = [], []
    for row in shown:
        tiles += [grid(list(map(_sized, side)), columns=len(side), gap=1) for side in (row.patches, row.guided)]
        labels += [row.title, "guided backprop"]
    return grid(tiles, labels, columns=2, title=layer, gap=6)


def zeiler(shown, layer):
    """A block a channel: the square of the deconvnet's pictures, beside it the square of the patches."""
    tiles, labels = [], []
    for row in shown:
        columns = math.ceil(math.sqrt(len(row.patches)))
        tiles += [grid(list(map(_sized, side)), columns=columns, gap=1) for side in (row.deconvnet, row.patches)]
        labels += [f"{row.title}   deconvnet", "patches"]
    return grid(tiles, labels, columns=2 * min(len(shown), 3), title=layer, gap=6)


def _sized(pixels):
    """All with a longer side of so many pixels; the smallest keep theirs square, because smoothing would hide them."""
    image = Image.fromarray(pixels)
    longer = max(image.size)
    how = Image.Resampling.NEAREST if longer < 24 else Image.Resampling.LANCZOS
    return image.resize([max(1, round(side * _SIDE / longer)) for side in image.size], how)
