"""The outlines of the drawn shapes, by name.

An outline is polygons that are painted one over the other, [(1 or 0, points (P, 2))]; 0 cuts a hole. y points down, the
area is 1 and the middle of the area is at the origin, so that neither size nor place tells one shape from another.
"""

import numpy as np


def _polar(radius, count=240, start=0.0):
    """Points at `radius`, a number or a function of the angle."""
    angle = start + np.arange(count) * 2 * np.pi / count
    r = radius(angle) if callable(radius) else radius
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def _star():
    points = _polar(1, 10, -np.pi / 2)
    points[1::2] *= 0.45
    return points


def _cross():
    corner = np.array([(1, 0.34), (0.34, 0.34), (0.34, 1)])
    quarter = np.array([(0, 1), (-1, 0)])
    return np.concatenate([corner @ np.linalg.matrix_power(quarter, k) for k in range(4)])


def _crescent():
    # The unit circle less one of radius 0.78 that is moved to the right: they meet at the angle `tip`.
    shift, r = 0.52, 0.78
    tip = np.arccos((1 + shift**2 - r**2) / (2 * shift))
    outer = np.linspace(tip, 2 * np.pi - tip, 160)
    rim = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    inner = np.arctan2(np.sin(tip), np.cos(tip) - shift)
    bite = np.linspace(2 * np.pi - inner, inner, 120)
    return np.concatenate([rim, np.stack([shift + r * np.cos(bite), r * np.sin(bite)], axis=1)])


def _heart():
    t = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1)


def _arrow():
    half = np.array([(0, -1.05), (0.78, -0.15), (0.32, -0.15), (0.32, 0.95)])
    return np.concatenate([half, half[:0:-1] * (-1, 1)])


def _area_and_middle(points):
    # The shoelace formula, and the same for the first moments.
    x, y = points.T
    u, v = np.roll(x, -1), np.roll(y, -1)
    doubled = x * v - u * y
    return doubled.sum() / 2, np.array([((x + u) * doubled).sum(), ((y + v) * doubled).sum()]) / (3 * doubled.sum())


def _unit(points, hole=None):
    area, middle = _area_and_middle(points)
    area = abs(area) - (0 if hole is None else abs(_area_and_middle(hole)[0]))
    return [(value, (p - middle) / np.sqrt(area)) for value, p in ((1, points), (0, hole)) if p is not None]


OUTLINES = {
    "arrow": _unit(_arrow()),
    "circle": _unit(_polar(1)),
    "crescent": _unit(_crescent()),
    "cross": _unit(_cross()),
    "flower": _unit(_polar(lambda angle: 1 + 0.32 * np.cos(5 * angle))),
    "heart": _unit(_heart()),
    "ring": _unit(_polar(1), _polar(0.55)),
    "square": _unit(_polar(1, 4, np.pi / 4)),
    "star": _unit(_star()),
    "triangle": _unit(_polar(1, 3)),
}
