"""Orders in which like stands beside like, for pictures of matrices."""

import numpy as np


def row_order(alike):
    """An order of M things in which groups stand together: (M,) int64.

        begin with M rows of one; join the two rows whose members are most alike on average, until one is left;
        each join turns the rows so that the most alike of their ends meet

    alike  (M, M), symmetric: larger is more alike
    Ties go to the first; the end with the smaller number comes first.
    Sokal & Michener, A Statistical Method for Evaluating Systematic Relationships, University of Kansas Science
    Bulletin 38, 1958 (average linkage); the turning is ours
    """
    rows = [[m] for m in range(len(alike))]
    between = np.array(alike, np.float64)
    np.fill_diagonal(between, -np.inf)
    for _ in range(len(rows) - 1):
        a, b = sorted(np.unravel_index(between.argmax(), between.shape))
        sizes = len(rows[a]), len(rows[b])
        rows[a] = _joined(rows[a], rows[b], alike)
        merged = (sizes[0] * between[a] + sizes[1] * between[b]) / sum(sizes)
        between[a], between[:, a] = merged, merged
        between[b], between[:, b], between[a, a] = -np.inf, -np.inf, -np.inf
    order = np.array(rows[0] if rows else [], np.int64)
    return order if len(order) == 0 or order[0] <= order[-1] else order[::-1]


def _joined(a, b, alike):
    """The two rows as one, each turned or not."""
    ways = [(x, y) for x in (a, a[::-1]) for y in (b, b[::-1])]
    first, second = max(ways, key=lambda way: alike[way[0][-1], way[1][0]])
    return first + second


def column_order(values):
    """The columns (M, D) by where among the rows they are large: (D,) int64.

        by  sum of i * u[i,d] / sum of u[i,d],   u[i,d] = max(values[i,d] - mean of column d, 0)^2

    A column without differences stands in the middle.
    """
    above = np.maximum(values - values.mean(axis=0), 0) ** 2
    total = above.sum(axis=0)
    middle = np.arange(len(values)) @ above / np.where(total > 0, total, 1)
    return np.argsort(np.where(total > 0, middle, (len(values) - 1) / 2), kind="stable")


def cosines(values):
    """(M, M): the cosine of the angle between each two rows (M, D) as seen from their mean; 0 for a row at the mean."""
    centred = values - values.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(length > 0, length, 1)
    return unit @ unit.T
