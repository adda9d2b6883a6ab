"""Heat maps: one number a pixel, over the image that it is about."""

import numpy as np

from .colour import absolute, limit_of, signed
from .image import deprocess
from .pyramid import resize
from .tiles import grid

_RED, _YELLOW = np.array([[215, 25, 10], [255, 240, 60]], np.float64)


def enlarged(maps, size):
    """(N, h, w) maps >= 0 as large as the image that they are about, (N, H, W): interpolated."""
    return resize(maps[:, None], size)[:, 0]


def overlay(pixels, heat):
    """The image in faint grey where heat is 0, red and then yellow where it is strong; the scale ends at its maximum.

    pixels  (H, W, 3) uint8
    heat    (H, W) >= 0
    """
    t = np.clip(heat / limit_of(heat), 0, 1)[..., None]
    grey = pixels.mean(axis=2, keepdims=True) * 0.6 + 80
    cover = np.minimum(1, 1.6 * t) * 0.85
    return np.uint8(np.round(grey * (1 - cover) + (_RED + t * (_YELLOW - _RED)) * cover))


def heat_picture(maps, net, x=None, title=None, quantile=1.0):
    """A row an image: the image and the map beside it; the maps alone where the image is not there to be shown.

    maps      (N, H, W) of the image's size: over the faint image where none is below zero, else blue, white and red
    quantile  of a map, where its scale ends
    """
    pixels = deprocess(x, net.meta) if x is not None and net.meta else None
    tiles = []
    for n, heat in enumerate(maps):
        limit = limit_of(heat, quantile)
        if heat.min() < 0:
            shown = signed(heat, limit)
        else:
            shown = absolute(heat, limit) if pixels is None else overlay(pixels[n], np.minimum(heat, limit))
        tiles += [shown] if pixels is None else [pixels[n], shown]
    return grid(tiles, columns=None if pixels is None else 2, title=title, least=112)
