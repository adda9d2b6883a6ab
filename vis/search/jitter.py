"""Moving the image about, so that no pattern can rest on exact places: shifts, scales and rotations.

A step is made on the moved image and taken back to where it was:

    slope = A'(d score / d (A x))      A the move, A' its adjoint: <A x, y> = <x, A' y>

so it is the exact gradient of score(A x) with respect to x.

x, out, dout, dx  (N, C, H, W), float

Jitter of up to 32 pixels: Mordvintsev, Olah & Tyka, Inceptionism (DeepDream), 2015. Scales and rotations: Olah,
Mordvintsev & Schubert, Feature Visualization, Distill 2017, "transformation robustness".
"""

import math

import numpy as np

from ...errors import UsageError


def shift(x, dy, dx):
    """x moved down by dy rows and right by dx columns; what leaves at one edge enters at the other.

    Its adjoint and its inverse are one: shift(dout, -dy, -dx).
    """
    return np.roll(x, (dy, dx), axis=(2, 3))


def warp(x, scale, angle):
    """x enlarged and turned about its centre, in its own size.

        out[p] = x[c + R(-angle) (p - c) / scale],  c = ((H - 1) / 2, (W - 1) / 2)

    read between pixels bilinearly; 0, the mean colour, beyond the edge.

    scale  > 0; above 1 enlarges
    angle  degrees, counterclockwise as one sees it
    """
    N, C, H, W = x.shape
    flat = x.reshape(N, C, H * W)
    out = np.zeros_like(flat)
    for place, weight in _corners(H, W, scale, angle):
        out += weight.astype(x.dtype) * flat[:, :, place]
    return out.reshape(x.shape)


def warp_adjoint(dout, scale, angle):
    """dx with <warp(x), dout> = <x, dx>: every value goes back to the four pixels that it was read from.

    scale, angle  those of `warp`
    """
    N, C, H, W = dout.shape
    rows = dout.reshape(N * C, H * W)
    dx = np.zeros((N * C, H * W))
    for place, weight in _corners(H, W, scale, angle):
        for row, dx_row in zip(rows, dx):
            dx_row += np.bincount(place, weight * row, minlength=H * W)
    return dx.reshape(dout.shape).astype(dout.dtype, copy=False)


def _corners(H, W, scale, angle):
    """The four pixels that each pixel of `warp` reads: [(place (H*W,) in the flat image, weight (H*W,))] * 4."""
    if not 0 < scale < float("inf") or not math.isfinite(angle):
        raise UsageError(f"scale is {scale} and angle {angle}, expected a number above 0 and a number")
    turn = math.radians(angle)
    cos, sin = math.cos(turn) / scale, math.sin(turn) / scale
    i, j = np.mgrid[:H, :W].reshape(2, -1)
    di, dj = i - (H - 1) / 2, j - (W - 1) / 2
    # Rows count downwards, so a turn counterclockwise on the screen has these signs.
    y, x = (H - 1) / 2 + cos * di + sin * dj, (W - 1) / 2 - sin * di + cos * dj
    # A pixel of the edge stays one where only the last bit says that it is beyond.
    y, x = (np.where(np.abs(v - np.round(v)) < 1e-9, np.round(v), v) for v in (y, x))
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    corners = []
    for a in (0, 1):
        for b in (0, 1):
            row, column = top + a, left + b
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < H) & (column >= 0) & (column < W)
            place = np.where(inside, row * W + column, 0)
            corners.append((place, np.where(inside, weight, 0)))
    return corners
