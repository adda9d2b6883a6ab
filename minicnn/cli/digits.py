"""Digits drawn with a font, as MNIST has its handwritten ones."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIDE, _BOX = 28, 20  # of the picture, and of the digit in it
_LARGE = 200


def draw_digit(digit):
    """A digit in white on black, a PIL image of mode "L", 28x28.

    It fills a box of 20x20 and has its centre of mass in the picture's middle, as in MNIST (LeCun, Cortes & Burges,
    The MNIST database). With a Pillow older than 10.1 or without FreeType the font is a bitmap, and coarser.
    """
    try:
        font = ImageFont.load_default(_LARGE)
    except (TypeError, ImportError):
        font = ImageFont.load_default()
    sheet = Image.new("L", (2 * _LARGE, 2 * _LARGE))
    ImageDraw.Draw(sheet).text((_LARGE // 2, _LARGE // 2), str(digit), fill=255, font=font)
    ink = sheet.crop(sheet.getbbox())
    scale = _BOX / max(ink.size)
    ink = ink.resize([max(1, round(side * scale)) for side in ink.size], Image.Resampling.BICUBIC)

    weight = np.asarray(ink, np.float64)
    x, y = (np.average(np.arange(weight.shape[axis]) + 0.5, weights=weight.sum(1 - axis)) for axis in (1, 0))
    picture = Image.new("L", (_SIDE, _SIDE))
    picture.paste(ink, (round(_SIDE / 2 - x), round(_SIDE / 2 - y)))
    return picture
