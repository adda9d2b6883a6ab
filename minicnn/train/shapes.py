"""Drawn pictures without an end: one shape on a textured ground, with the exact pixels that it covers."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .grounds import draw_ground
from .outlines import OUTLINES

CLASSES = tuple(sorted(OUTLINES))
_FINE = 4  # drawn so much larger, then reduced
_LEAST_AREA, _MOST_AREA = 0.04, 0.15  # of the picture
_STRETCH = 0.1  # by at most exp of this, and in the other direction by 1 / that
_CONTRAST = 72  # grey levels, in the channel that differs most, between every colour of the shape and of the ground
_COLOURFUL = 60  # grey levels between the strongest and the weakest channel
# How far the widest outline reaches from its middle, where its area is 1.
_REACH = max(np.hypot(*points.T).max() for outline in OUTLINES.values() for _, points in outline) * np.exp(_STRETCH)


class Drawn(NamedTuple):
    """image (3,S,S) uint8; label; mask (S,S) bool, the pixels that the shape covers, if only in part; box of the mask,
    (left, top, right, bottom), the last two exclusive."""

    image: np.ndarray
    label: int
    mask: np.ndarray
    box: tuple


class Shapes:
    """Picture i depends on (seed, i) alone, for every i from 0 on: there is no last one.

        image = ground + cover * (paint - ground)      cover: the covered part of each pixel, in sixteenths

    Class, area, place, turn, colours and ground are drawn independently of each other, so that only the outline tells
    the class: at the same area a star is wider than a circle.

    seed  an int of at least 0
    size  of the pictures in pixels, size x size
    """

    classes = CLASSES

    def __init__(self, seed=0, size=64):
        self.seed, self.size = seed, size

    def item(self, index):
        """The Drawn picture of this number."""
        rng = np.random.default_rng([self.seed, index])
        ground, far = draw_ground(rng, self.size)
        label = int(rng.integers(len(CLASSES)))
        cover = _cover(rng, OUTLINES[CLASSES[label]], self.size)
        paint = _paint(rng, far, self.size)
        image = np.round(ground + cover * (paint - ground)).astype(np.uint8)
        mask = cover > 0
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return Drawn(image, label, mask, box)

    def ground(self, index):
        """(3, S, S) uint8: the picture of this number without its shape."""
        return draw_ground(np.random.default_rng([self.seed, index]), self.size)[0].astype(np.uint8)

    def batch(self, indices):
        """(images (N, 3, S, S) uint8, labels (N,) int64) of the pictures of these numbers."""
        drawn = [self.item(int(index)) for index in indices]
        return np.stack([d.image for d in drawn]), np.array([d.label for d in drawn], np.int64)


def _cover(rng, outline, size):
    """(S, S) float: the covered part of each pixel of a shape of any area, turn and place, whole inside the picture."""
    radius = size * np.sqrt(rng.uniform(_LEAST_AREA, _MOST_AREA))
    turn, stretch = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-_STRETCH, _STRETCH))
    # The room is the same for every class, so that the place says nothing of it either.
    middle = rng.uniform(_REACH * radius, size - _REACH * radius, 2)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.array([[cos, -sin], [sin, cos]])
    canvas = Image.new("L", (size * _FINE, size * _FINE))
    pen = ImageDraw.Draw(canvas)
    for value, points in outline:
        points = (points * (stretch, 1 / stretch)) @ turned.T * radius + middle
        # Pillow counts pixels from their middles.
        pen.polygon([tuple(point) for point in points * _FINE - 0.5], fill=value)
    fine = np.asarray(canvas, np.float64).reshape(size, _FINE, size, _FINE)
    return fine.mean(axis=(1, 3))


def _paint(rng, far, size):
    """(3, S, S) float: a colour that is nowhere near the ground's, lighter towards one side."""
    turn, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 16)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    light = strength * (x * np.cos(turn) + y * np.sin(turn))
    shades = np.linspace(light.min(), light.max(), 9)[:, None]
    while True:
        colour = rng.uniform(10, 245, 3)
        if np.ptp(colour) > _COLOURFUL and far(np.clip(colour + shades, 0, 255)) >= _CONTRAST:
            return np.clip(colour[:, None, None] + light, 0, 255)
