"""The textured grounds of the drawn pictures: clouds, stripes, gradients and checkers of two colours, with grain."""

import numpy as np
from PIL import Image

_GRAIN = 3  # grey levels
_FINE = 4


def draw_ground(rng, size):
    """(ground (3, S, S) uint8 in float64, far).

        ground = low + t * (high - low) + grain      t (S, S), 0..1, the texture; low and high two colours

    far(colours) is how much the colours (P, 3) differ from those between low and high, grain and all: in the channel
    that differs most, and of the two that differ least.
    """
    texture = _TEXTURES[rng.integers(len(_TEXTURES))](rng, size)
    low, high = _two_colours(rng)
    grain = rng.normal(0, _GRAIN, (size, size)).clip(-3 * _GRAIN, 3 * _GRAIN)
    ground = low[:, None, None] + texture * (high - low)[:, None, None] + grain
    ground = np.round(np.clip(ground, 0, 255))

    between = low + np.linspace(0, 1, 9)[:, None] * (high - low)

    def far(colours):
        return np.abs(colours[:, None] - between).max(axis=2).min() - 3 * _GRAIN

    return ground, far


def _two_colours(rng):
    """Neighbours of any colour, not too strong: the shape is to stand out."""
    middle = rng.uniform(50, 205) + rng.uniform(-45, 45, 3)
    step = rng.normal(0, 1, 3) * 0.5 + rng.choice([-1, 1])
    step *= rng.uniform(18, 38) / np.abs(step).max()
    return np.clip(middle - step, 0, 255), np.clip(middle + step, 0, 255)


def _clouds(rng, size):
    total = np.zeros((size, size))
    for cells, weight in ((3, 1.0), (6, 0.55), (12, 0.3), (24, 0.18)):
        coarse = Image.fromarray(rng.uniform(-1, 1, (cells + 2, cells + 2)).astype(np.float32))
        smooth = coarse.resize((size, size), Image.Resampling.BICUBIC, box=(1, 1, cells + 1, cells + 1))
        total += weight * np.asarray(smooth, np.float64)
    total -= total.min()
    return total / total.max()


def _stripes(rng, size):
    along, _ = _turned(rng, size)
    return _wave(along, rng.uniform(0.09, 0.25), rng.uniform())


def _checker(rng, size):
    along, across = _turned(rng, size)
    period = rng.uniform(0.16, 0.36)
    a, b = (2 * _wave(place, period, rng.uniform()) - 1 for place in (along, across))
    return (a * b + 1) / 2


def _gradient(rng, size):
    along, across = _turned(rng, size, fine=1)
    if rng.uniform() < 0.5:
        middle = rng.uniform(-0.4, 0.4, 2)
        along = np.hypot(along - middle[0], across - middle[1])
    return (along - along.min()) / np.ptp(along)


def _turned(rng, size, fine=_FINE):
    """Two coordinates at right angles in any direction; the picture's side is 1, its middle 0."""
    turn = rng.uniform(0, 2 * np.pi)
    y, x = (np.mgrid[: size * fine, : size * fine] + 0.5) / (size * fine) - 0.5
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _wave(place, period, phase):
    """(S, S): 0 and 1 by turns along `place`, which is `_FINE` times larger; the mean where both are in a pixel."""
    high = (place / period + phase) % 1 < 0.5
    size = len(place) // _FINE
    return high.reshape(size, _FINE, size, _FINE).mean(axis=(1, 3))


_TEXTURES = (_clouds, _stripes, _gradient, _checker)
