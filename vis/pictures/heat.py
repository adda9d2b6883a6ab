"""Heat maps: one number a pixel, over the image that it is about."""

import numpy as np

from ..image import deprocess
from ..search.pyramid import resize
from .colour import absolute, limit_of, signed
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


def heat_picture(maps, net, x=None, title=None):
    """A row an image: the image, and beside it the map over the faint image; the map alone where there is no image.

    maps  (N, H, W) >= 0 of the image's size
    """
    pixels = _pixels(net, x)
    if pixels is None:
        return grid([absolute(heat) for heat in maps], title=title, least=112)
    return _beside(pixels, [overlay(*both) for both in zip(pixels, maps)], title)


def signed_picture(maps, net, x=None, title=None):
    """The same of maps that are also below zero: blue, white at zero, red; the scale ends at the 99.5 % quantile.

    maps  (N, H, W)
    """
    tiles, pixels = [signed(heat, limit_of(heat, 0.995)) for heat in maps], _pixels(net, x)
    return grid(tiles, title=title, least=112) if pixels is None else _beside(pixels, tiles, title)


def _pixels(net, x):
    """The images to look at; None where they are not given, or the net does not say what they look like."""
    return None if x is None or net.meta is None else deprocess(x, net.meta)


def _beside(pixels, tiles, title):
    return grid([tile for both in zip(pixels, tiles) for tile in both], columns=2, title=title, least=112)
