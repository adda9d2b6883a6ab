"""Digits drawn with a font, as MNIST has its handwritten ones."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIDE, _BOX = 28, 20  # of the picture, and of the digit in it
_LARGE = 200
_SLANT, _WIDTH = 0.2, 0.7  # of handwriting: how far it leans, and how narrow it is beside a font


def draw_digit(digit):
    """A digit in white on black, a PIL image of mode "L", 28x28.

    It leans and is narrow, as handwriting; it fits into a box of 20x20 and has its centre of mass in the picture's
    middle, as in MNIST (LeCun, Cortes & Burges, The MNIST database). With a Pillow older than 10.1 or without FreeType
    the font is a bitmap, and coarser.
    """
    try:
        font = ImageFont.load_default(_LARGE)
    except (TypeError, ImportError):
        font = ImageFont.load_default()
    sheet = Image.new("L", (2 * _LARGE, 2 * _LARGE))
    ImageDraw.Draw(sheet).text((_LARGE // 2, _LARGE // 2), str(digit), fill=255, font=font)
    lean = (1, _SLANT, -_SLANT * _LARGE, 0, 1, 0)  # a pixel is read from x' = x + _SLANT * (y - _LARGE), y' = y
    sheet = sheet.transform(sheet.size, Image.Transform.AFFINE, lean, Image.Resampling.BICUBIC)
    ink = sheet.crop(sheet.getbbox())
    scale = _BOX / max(ink.size)
    size = round(ink.width * scale * _WIDTH), round(ink.height * scale)
    ink = ink.resize(size, Image.Resampling.BICUBIC)

    weight = np.asarray(ink, np.float64)
    x, y = (np.average(np.arange(weight.shape[axis]) + 0.5, weights=weight.sum(1 - axis)) for axis in (1, 0))
    picture = Image.new("L", (_SIDE, _SIDE))
    picture.paste(ink, (round(_SIDE / 2 - x), round(_SIDE / 2 - y)))
    return picture
