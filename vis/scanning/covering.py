"""Covering parts of images: where a square is put, and what it is filled with."""

import numpy as np

from ...errors import UsageError
from ...train.standardise import standardise
from ..image import require_meta

FILLS = ("grey", "mean", "noise")


def square(cell, size, stride, shape):
    """The slices (rows, columns) that the square of `size` pixels around cell (i, j) covers of an image (H, W).

    begin = i*stride + floor((stride - size) / 2),  end = begin + size,   cut off at 0 and H; columns likewise
    """
    found = []
    for index, length in zip(cell, shape):
        begin = index * stride + (stride - size) // 2
        found.append(slice(max(0, begin), min(length, begin + size)))
    return tuple(found)


def filling(net, shape, fill, seed):
    """What covers an image x (C, H, W), an array of that shape, preprocessed, of the net's dtype.

        grey   the middle between black and white, level 128 of 255
        mean   0: the colour, or the image, that the net's preprocessing takes off
        noise  every pixel and colour on its own, even from black to white, drawn with the seed

    Raises UsageError for another word, MinicnnError for grey or noise where the net has no meta.
    """
    if fill not in FILLS:
        raise UsageError(f"fill is {fill!r}, expected {', '.join(FILLS[:-1])} or {FILLS[-1]}")
    if fill == "mean":
        return np.zeros(shape, net.dtype)
    require_meta(net.meta)
    C, H, W = shape
    levels = np.full((1, C, H, W), 128, np.uint8)
    if fill == "noise":
        levels = np.random.default_rng(seed).integers(0, 256, (1, C, H, W), dtype=np.uint8)
    return standardise(levels, net.meta)[0].astype(net.dtype)
