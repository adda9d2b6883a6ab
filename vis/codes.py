"""What a layer makes of many pictures: a vector each, its code.

    codes[m] = the layer's output for picture m, row by row        spatial = "flatten"
    codes[m, c] = mean over y, x of out[m, c, y, x]                spatial = "mean"

pictures  any number, of any size; each becomes the net's input as its preprocessing says
unit      a layer, or one channel of it; unless given, the layer that the classifier reads ("fc7" in AlexNet)
codes     (M, D) of the net's dtype; D = C*H*W or C
numbers   (M,) which picture each row is of: all of them but those that could not be read and were to be skipped
Raises UsageError for a unit with a position, MinicnnError where not one picture could be looked at.

Only one batch of pictures is in memory at a time, beside the codes. Ctrl-C keeps those that there are.

The picture: a row a picture, at most 32 of them, evenly chosen; a column a dimension, at most 400, those that vary
most. Black is zero and white the 99 % quantile; where the codes have values below zero, white is zero, blue below and
red above. Rows are sorted so that groups stand together [1], columns by where among the rows they are strongest, so
that what a group of pictures has in common is a bright block about the diagonal. To the right: how alike each two
pictures' codes are, the cosine of the angle between them as seen from their mean, blue below zero and red above; the
scale ends at the 99 % quantile of two different pictures.

Caveat: a code is a place among the others; one dimension alone rarely means anything that has a name. Sorting finds
some order even among noise: believe the blocks of the right-hand square, not its diagonal.
[1] average linkage: Sokal & Michener, University of Kansas Science Bulletin 38, 1958. The code of a picture as the last
hidden layer's vector: Krizhevsky, Sutskever & Hinton, ImageNet Classification with Deep Convolutional Neural Networks,
NIPS 2012, section 6.1
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from ..errors import MinicnnError
from .inputs import Pictures
from .pictures.colour import absolute, limit_of, signed
from .pictures.seriation import column_order, cosines, row_order
from .pictures.tiles import grid
from .progress import kept_when_interrupted
from .scanning.code_stream import as_seen, code_unit, stream
from .units import unit_title

_MOST_ROWS, _MOST_COLUMNS, _SIDE, _WIDTH, _GAP = 32, 400, 48, 800, 6


class Codes(NamedTuple):
    codes: np.ndarray  # (M, D)
    numbers: np.ndarray  # (M,) int64
    pictures: Pictures  # picture numbers[m] has the code codes[m]


def codes(net, pictures: Pictures, unit=None, spatial: str = "flatten", batch: int = 16, progress: bool = True):
    """What a layer makes of many pictures, `Codes`: codes (M, D), numbers (M,).

    pictures  of any size: files, folders and zip archives, or PIL images and arrays
    spatial   what becomes of a layer's positions: "flatten" keeps them all, "mean" averages over them
    batch     how many pictures go through the net at a time, >= 1
    """
    pictures, unit = Pictures.of(pictures), code_unit(net, unit)
    found, numbers = None, []
    with kept_when_interrupted("codes"):
        for new, _x, vectors in stream(net, pictures, unit, spatial, batch, "codes", progress):
            if found is None:
                found = np.empty((len(pictures), vectors.shape[1]), vectors.dtype)
            found[len(numbers) : len(numbers) + len(new)] = vectors
            numbers += new
    if not numbers:
        raise MinicnnError(f"not one of {len(pictures)} pictures was looked at")
    return Codes(found[: len(numbers)], np.array(numbers), pictures)


def picture(result, net, x=None, unit=None):
    """The codes as an image, thumbnails to the left, how alike they are to the right."""
    shown = np.unique(np.linspace(0, len(result.codes) - 1, min(_MOST_ROWS, len(result.codes))).round().astype(int))
    values = result.codes[shown].astype(np.float64)
    alike = cosines(values)
    rows = row_order(alike)
    shown, values, alike = shown[rows], values[rows], alike[np.ix_(rows, rows)]
    others = alike[~np.eye(len(alike), dtype=bool)]
    alike = signed(alike, limit_of(others, 0.99) if others.size else 1)
    dimensions = np.sort(np.argsort(-values.var(axis=0), kind="stable")[:_MOST_COLUMNS])
    values = values[:, dimensions]
    values = values[:, column_order(values)]
    colours = signed if values.min() < 0 else absolute
    width = max(1, _WIDTH // values.shape[1])
    sheet = Image.new("RGB", (_SIDE + values.shape[1] * width + len(shown) * _SIDE + 2 * _GAP, len(shown) * _SIDE))
    sheet.paste((255, 255, 255), (0, 0, *sheet.size))
    for row, number in enumerate(result.numbers[shown]):
        sheet.paste(as_seen(net, result.pictures[number], _SIDE), (0, row * _SIDE))
    parts = [(colours(values, limit_of(values, 0.99)), width), (alike, _SIDE)]
    left = _SIDE + _GAP
    for part, cell in parts:
        part = Image.fromarray(part).resize((part.shape[1] * cell, len(shown) * _SIDE), Image.Resampling.NEAREST)
        sheet.paste(part, (left, 0))
        left += part.width + _GAP
    return grid([sheet], title=_title(result, net, unit, len(shown), values.shape[1]))


def _title(result, net, unit, rows, columns):
    count, length = result.codes.shape
    pictures = f"{count} pictures" if rows == count else f"{rows} of {count} pictures"
    dimensions = f"{length} dimensions" if columns == length else f"{columns} of {length} dimensions"
    return f"{unit_title(net, code_unit(net, unit))}: {pictures}, {dimensions}"
