"""What the maps of `occlusion` look like, beside their image."""

import numpy as np
from PIL import Image, ImageDraw

from ..scanning.code_stream import thumbnail
from ..scanning.covering import square
from .colour import heat
from .predictions import class_name, percent
from .tiles import grid, load_font

_SIDE, _BELOW, _LINE = 336, 122, 19  # pixels: of a tile's longer side, of what stands below it, of a line of text
_INK, _UNSEEN, _OTHERS = (30, 30, 30), (128, 128, 128), (222, 222, 222)
_COLOURS = [(38, 84, 160), (240, 150, 40), (60, 150, 90), (200, 60, 110), (120, 200, 225)]


def draw(result, net, x):
    """A row an image: the image, then the maps that there are."""
    tiles, labels = [], []
    for n in range(len(x)):
        seen = thumbnail(net, x[n : n + 1], _SIDE)
        shown = [_photo(result, net, n, seen, x.shape[2:]), _heat(result.activation[n], result, x, seen.size, _sum)]
        named = ["image", f"{result.layer}:{result.channels[n]}"]
        if result.probability is not None:
            shown.append(_heat(result.probability[n], result, x, seen.size, _share))
            shown.append(_classes(result, net, n, x, seen.size))
            # The number first: a long name is cut off at its end.
            of_class = f"{percent(result.probability_before[n])}: {class_name(net, result.classes[n])}"
            named = [of_class, named[1], "probability of this class", "likeliest class"]
        tiles += shown
        labels += named
    return grid(_without_blank(tiles), labels, columns=len(tiles) // len(x), gap=8)


def _photo(result, net, n, seen, shape):
    """The image with the square where it mattered most."""
    of = result.activation if result.probability is None else result.probability
    what, how = ("the sum", _sum) if result.probability is None else ("the probability", _share)
    lines = [f"square {result.size}x{result.size}, stride {result.stride}"]
    if not np.isnan(of[n]).all():
        cell = np.unravel_index(np.nanargmin(of[n]), of[n].shape)
        rows, columns = square(cell, result.size, result.stride, shape)
        scale = seen.width / shape[1]
        box = [edge * scale for edge in (columns.start, rows.start, columns.stop, rows.stop)]
        pen = ImageDraw.Draw(seen)
        for inset, colour in ((0, "black"), (1, "white"), (2, "white"), (3, "black")):
            pen.rectangle([box[0] + inset, box[1] + inset, box[2] - 1 - inset, box[3] - 1 - inset], outline=colour)
        lines += [f"where it is drawn, {what}", f"is lowest: {how(of[n][cell])}"]
    tile, pen = _with_room_below(seen)
    for k, line in enumerate(lines):
        pen.text((0, seen.height + 5 + k * _LINE), line, fill=_INK, font=load_font(15))
    return tile


def _heat(values, result, x, size, how):
    """A map in heat colours with its scale below."""
    found = values[np.isfinite(values)]
    low, high = (found.min(), found.max()) if found.size else (0, 1)
    tile, pen = _with_room_below(_enlarged(heat(values, low, high), result.stride, x.shape[2:], size))
    scale = Image.fromarray(heat(np.arange(size[0])[None], 0, size[0] - 1)).resize((size[0], 12))
    tile.paste(scale, (0, size[1] + 6))
    ends = how(low), how(high)
    font = load_font(15)
    pen.text((0, size[1] + 22), ends[0], fill=_INK, font=font)
    pen.text((size[0] - font.getlength(ends[1]), size[1] + 22), ends[1], fill=_INK, font=font)
    return tile


def _sum(value):
    return f"{value:.4g}"


def _share(value):
    """With two decimals, rounded down: of a class that nothing shakes the lowest is near the highest."""
    return f"{int(value * 1e4) / 100:.2f} %"


def _classes(result, net, n, x, size):
    """The map of the likeliest class with its legend: the most frequent five, the followed one first."""
    likeliest, followed = result.likeliest[n], result.classes[n]
    found, counts = np.unique(likeliest[likeliest >= 0], return_counts=True)
    order = sorted(range(len(found)), key=lambda k: (found[k] != followed, -counts[k]))
    named, others = order[: len(_COLOURS)], order[len(_COLOURS) :]
    colours = np.full((*likeliest.shape, 3), _OTHERS, np.uint8)
    colours[likeliest < 0] = _UNSEEN
    entries = []
    for k, colour in zip(named, _COLOURS):
        colours[likeliest == found[k]] = colour
        entries.append((colour, f"{class_name(net, found[k])}: {percent(counts[k] / counts.sum())}"))
    if others:
        share = counts[others].sum() / counts.sum()
        entries.append((_OTHERS, f"{len(others)} other{'s' * (len(others) > 1)}: {percent(share)}"))
    tile, pen = _with_room_below(_enlarged(colours, result.stride, x.shape[2:], size))
    for line, (colour, text) in enumerate(entries):
        top = size[1] + 5 + line * _LINE
        pen.rectangle([0, top + 2, 14, top + 14], fill=colour)
        pen.text((21, top), text, fill=_INK, font=load_font(15))
    return tile


def _enlarged(colours, stride, shape, size):
    """(R, S, 3): every cell as its stride x stride pixels of the image (H, W), then that as large as the photo."""
    pixels = colours.repeat(stride, axis=0).repeat(stride, axis=1)[: shape[0], : shape[1]]
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


def _without_blank(tiles):
    """The tiles less the white rows that stand below all of them."""
    last = max(np.flatnonzero((np.asarray(tile) < 255).any(axis=(1, 2))).max(initial=0) for tile in tiles)
    return [tile.crop((0, 0, tile.width, last + 1)) for tile in tiles]


def _with_room_below(image):
    tile = Image.new("RGB", (image.width, image.height + _BELOW), "white")
    tile.paste(image, (0, 0))
    return tile, ImageDraw.Draw(tile)
