"""How a dream is made: from coarse to fine, step by step; see `dream`."""

import numpy as np

from ..image import contrast
from .image_parts import gradient_in_parts, value_in_parts
from .jitter import shift
from .pyramid import resize
from .unit_box import UnitBox

_KEPT = 400  # pixels of the longer side


class Dream:
    """One dream, as far as it has come.

    photo, image  (N, C, H, W), from 0, black, to 1, white: what it began with, what it is now
    norms         [((N,) before, (N,) after)] of each octave that is done: the objective's values
    seen          [(N, C, h, w)] the image after each of them
    """

    def __init__(self, photo):
        self.photo = self.image = photo
        self.norms, self.seen = [], []

    def records(self):
        """(norms (N, K, 2) float32, seen (N, K, C, h, w)) of the octaves that are done."""
        N, C, H, W = self.photo.shape
        norms = np.array(self.norms).reshape(-1, 2, N).transpose(2, 0, 1)
        return norms.astype(np.float32), np.array(self.seen).reshape(-1, N, C, *_small(H, W)).swapaxes(0, 1)


class Dreamer:
    """How every size and every frame is dreamt."""

    def __init__(self, net, layer, objective, steps, step_size, jitter, tile, rng):
        self.net, self.layer, self.objective = net, layer, objective
        self.steps, self.step_size, self.jitter, self.tile, self.rng = steps, step_size, jitter, tile, rng
        self.contrast = contrast(net.meta).astype(net.dtype)

    def fill(self, dream, sizes, ticks, record=True):
        """Dream at all sizes, from coarse to fine; the dream is kept as far as it comes. Returns it."""
        detail = np.zeros((*dream.photo.shape[:2], *sizes[0]), dream.photo.dtype)
        for size in sizes:
            photo = resize(dream.photo, size)
            image = np.clip(photo + resize(detail, size), 0, 1)
            before = self._measure(image) if record else None
            try:
                for _ in range(self.steps):
                    image[...] = self._step(image)
                    ticks.update()
            finally:
                detail = image - photo
                dream.image = np.clip(dream.photo + resize(detail, dream.photo.shape[2:]), 0, 1)
            if record:
                dream.norms.append((before, self._measure(image)))
                dream.seen.append(resize(image, _small(*dream.photo.shape[2:])))
        return dream

    def _step(self, image):
        """The image after one step, made on the moved image."""
        dy, dx = (self.rng.integers(-reach, reach + 1) for reach in map(self._reach, image.shape[2:]))
        moved = shift(image, dy, dx)
        x = UnitBox(self.net, image.shape[1:]).inputs(moved)
        _, slope = gradient_in_parts(self.net, x, self.layer, self.objective, self.tile)
        slope *= self.contrast
        size = np.abs(slope).mean(axis=(1, 2, 3), keepdims=True)
        moved += self.step_size * slope / np.where(size > 0, size, 1)
        return np.clip(shift(moved, -dy, -dx), 0, 1)

    def _reach(self, side):
        """By how much a side may be moved: seams between parts must be able to fall anywhere."""
        parts = -(-side // self.tile)
        return self.jitter if parts == 1 else max(self.jitter, -(-side // parts) // 2)

    def _measure(self, image):
        x = UnitBox(self.net, image.shape[1:]).inputs(image)
        return value_in_parts(self.net, x, self.layer, self.objective, self.tile)


def _small(H, W):
    """The size in which an octave is kept."""
    share = min(1, _KEPT / max(H, W))
    return max(1, round(H * share)), max(1, round(W * share))
