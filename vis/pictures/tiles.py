"""Many small pictures in one: a grid of tiles with labels."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...font import load_font
from ...kernels.errors import ShapeError
from ...kernels.shapes import show

_BACKGROUND, _INK = (255, 255, 255), (30, 30, 30)


def grid(tiles, labels=None, columns=None, title=None, gap=2, least=1):
    """The tiles row by row in one picture, each with its label above it.

    tiles    (H, W, 3) uint8 arrays or PIL images; the cells have the largest one's size
    labels   one text a tile, cut off where the tile is too narrow; None for no labels
    columns  tiles a row; as many as make the whole about square unless given
    title    a text over the whole
    gap      pixels between two tiles and around all
    least    tiles are enlarged by a whole factor until their shorter side has at least so many pixels
    Returns a PIL image of mode "RGB".
    Raises ShapeError for no tiles or another number of labels.
    """
    tiles = [enlarge(_as_image(tile), least) for tile in tiles]
    if not tiles or (labels is not None and len(labels) != len(tiles)):
        raise ShapeError(f"a grid of {len(tiles)} tiles with {len(labels or [])} labels")
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    font = load_font(max(11, min(22, width // 14)))
    line = _line_height(font)
    head = 0 if labels is None else line
    top = gap if title is None else gap + line
    columns = columns or _columns(len(tiles), width + gap, height + head + gap)
    rows = math.ceil(len(tiles) / columns)
    size = (gap + columns * (width + gap), top + rows * (height + head + gap))
    picture = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    if title is not None:
        draw.text((gap, gap), _fitted(title, size[0] - 2 * gap, font), fill=_INK, font=font)
    for k, tile in enumerate(tiles):
        x, y = gap + k % columns * (width + gap), top + k // columns * (height + head + gap)
        if labels is not None:
            draw.text((x, y), _fitted(str(labels[k]), width, font), fill=_INK, font=font)
        picture.paste(tile, (x, y + head))
    return picture


def enlarge(image, least):
    """The picture times a whole factor, its pixels kept square and sharp, until its shorter side is at least that."""
    factor = max(1, math.ceil(least / min(image.size)))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _as_image(tile):
    if isinstance(tile, Image.Image):
        return tile
    if tile.ndim != 3 or tile.shape[2] != 3 or tile.dtype != np.uint8 or 0 in tile.shape:
        raise ShapeError(f"a tile is (H, W, 3) uint8, not {show(tile.shape)} {tile.dtype}")
    return Image.fromarray(tile)


def _columns(count, width, height):
    """About square: columns * width = rows * height, with rows = count / columns."""
    return max(1, min(count, round(math.sqrt(count * height / width))))


def _line_height(font):
    return math.ceil(font.getbbox("Ag")[3]) + 3


def _fitted(text, width, font):
    """The text, or as much of its beginning as fits into so many pixels, with dots at the end."""
    if isinstance(font, ImageFont.ImageFont):
        text = text.encode("latin-1", "replace").decode("latin-1")  # all that the bitmap font has
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "..") > width:
        text = text[:-1]
    return text + ".." if text else ""
