"""A confusion matrix as a picture."""

import numpy as np
from PIL import Image, ImageDraw

from ..font import load_font

_CELL, _FONT, _PAD = 44, 15, 10
_DIAGONAL, _OTHERS = np.array([33, 102, 172]), np.array([178, 24, 43])
_INK, _LIGHT = (40, 40, 40), (255, 255, 255)


def picture(confusion, classes):
    """A row a class, a column an answer, in each cell the count; a PIL image.

        shade[label, answer] = sqrt(confusion[label, answer] / images of that label)

    Right answers are blue, wrong ones red; the root lets rare mistakes be seen.

    confusion  (C, C) integers, confusion[label, answer]
    classes    C names
    """
    C = len(confusion)
    font = load_font(_FONT)
    widest = max(font.getbbox(name)[2] for name in classes)
    left, top = widest + 2 * _PAD, widest + 2 * _PAD
    image = Image.new("RGB", (left + C * _CELL + _PAD, top + C * _CELL + _PAD), "white")
    draw = ImageDraw.Draw(image)
    total = np.maximum(confusion.sum(axis=1), 1)
    for i in range(C):
        middle = top + (i + 0.5) * _CELL
        _text(draw, (left - _PAD - font.getbbox(classes[i])[2], middle - _FONT * 0.7), classes[i], font)
        _upright(image, (left + int((i + 0.5) * _CELL), top - _PAD), classes[i], font)
        for j in range(C):
            shade = float(np.sqrt(confusion[i, j] / total[i]))
            colour = 255 + ((_DIAGONAL if i == j else _OTHERS) - 255) * shade
            x, y = left + j * _CELL, top + i * _CELL
            draw.rectangle([x + 1, y + 1, x + _CELL - 1, y + _CELL - 1], fill=tuple(int(v) for v in colour))
            text = str(int(confusion[i, j]))
            width = font.getbbox(text)[2]
            ink = _LIGHT if shade > 0.6 else _INK
            _text(draw, (x + (_CELL - width) / 2, y + _CELL / 2 - _FONT * 0.7), text, font, ink)
    return image


def _text(draw, place, text, font, ink=_INK):
    draw.text(place, text, fill=ink, font=font)


def _upright(image, bottom_middle, text, font):
    """The text turned to run upwards, its end at the bottom."""
    _, _, width, height = font.getbbox(text)
    tile = Image.new("RGB", (width, height + 4), "white")
    ImageDraw.Draw(tile).text((0, 0), text, fill=_INK, font=font)
    tile = tile.rotate(90, expand=True)
    x, y = bottom_middle
    image.paste(tile, (x - tile.width // 2, y - tile.height))
