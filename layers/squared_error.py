"""Squared error: the loss of a regression."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..kernels.shapes import check_float, check_same
from .checks import check_batch


class SquaredErrorCache(NamedTuple):
    difference: Any


def squared_error_forward(scores, targets):
    """loss = mean over n of 1/2 * the sum of (scores[n] - targets[n])^2.

    scores, targets  (N, ...) of one shape and dtype, float32 or float64
    loss    a float, summed in float64
    cache   scores - targets
    Raises ShapeError for a batch of none, or where the shapes differ (nothing is broadcast).
    """
    check_float(scores=scores, targets=targets)
    check_same("scores", scores.shape, "targets", targets.shape)
    check_batch(scores)
    difference = scores - targets
    loss = 0.5 * (difference * difference).sum(dtype="float64") / len(scores)
    return float(loss), SquaredErrorCache(difference)


def squared_error_backward(dout, cache):
    """dscores = dout / N * (scores - targets): the 1/2 of the loss takes up the 2 of the square.

    dout    a number, the gradient with respect to the loss: 1.0 unless something follows
    dscores scores' shape
    """
    return cache.difference * (float(dout) / len(cache.difference))


CASES = [
    ((partial(squared_error_forward, targets=np.linspace(-1, 2, 12).reshape(4, 3)), squared_error_backward), (4, 3)),
    ((partial(squared_error_forward, targets=np.ones((1, 2, 1, 2))), squared_error_backward), (1, 2, 1, 2)),
]
