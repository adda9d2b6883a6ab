"""Points snapped to a grid: each gets a cell of its own, near to where it was."""

import math

import numpy as np

from ... import extras


def snap(points):
    """The cells of a square grid that M points are assigned to, with the smallest sum of squared moves.

        minimise  sum over m of |p[m] - centre of cell[m]|^2,   no cell twice       p scaled to 0..1 along each axis

    points  (M, 2), M >= 1: x to the right, y downward
    cells   (M, 2) int64: row and column, 0..S-1
    Returns (cells, S), S = ceil(sqrt(M)). It takes memory for M*S*S numbers.
    Raises MissingExtraError without scipy.
    """
    points = np.asarray(points, np.float64)
    side = math.ceil(math.sqrt(len(points)))
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - low) / np.where(high > low, high - low, 1)
    centres = (np.arange(side) + 0.5) / side
    moves = [(scaled[:, axis, None] - centres) ** 2 for axis in (1, 0)]
    cost = (moves[0][:, :, None] + moves[1][:, None, :]).reshape(len(points), side * side)
    _, cells = extras.load("scipy.optimize", "analysis").linear_sum_assignment(cost)
    return np.stack(np.divmod(cells, side), axis=1), side
