"""Multiclass hinge loss: the right score must beat every other one by a margin of 1."""

from functools import partial
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim
from .checks import as_labels, check_batch


class HingeCache(NamedTuple):
    violated: Any  # (N, C) bool: this class comes too near
    labels: Any
    dtype: Any  # of scores


def hinge_forward(scores, labels):
    """loss = mean over n of the sum over c other than labels[n] of max(0, scores[n,c] - scores[n, labels[n]] + 1).

    scores  (N, C) float32 or float64
    labels  (N,) integers in [0, C)
    loss    a float, summed in float64
    cache   violated (N, C): where the margin is broken, which is all that the gradient reads
    Raises ShapeError for a batch of none; errors of labels as in `as_labels`.
    Weston & Watkins, ESANN 1999
    """
    check_float(scores=scores)
    check_ndim("scores", scores.shape, 2)
    check_batch(scores)
    N, C = scores.shape
    labels = as_labels(labels, N, C)
    n = current().xp.arange(N)
    margins = scores - scores[n, labels][:, None] + 1
    margins[n, labels] = 0
    violated = ~(margins <= 0)  # so that NaN counts, and the loss is NaN
    loss = current().xp.where(violated, margins, 0).sum(dtype="float64") / N
    return float(loss), HingeCache(violated, labels, scores.dtype)


def hinge_backward(dout, cache):
    """dscores[n,c] = dout / N where c's margin is broken; the right class gets minus the sum of its row.

    max(0, margin) has a kink where margin = 0: the gradient there is 0.

    dout    a number, the gradient with respect to the loss: 1.0 unless something follows
    dscores (N, C)
    """
    N = len(cache.labels)
    dscores = cache.violated.astype(cache.dtype)
    dscores[current().xp.arange(N), cache.labels] = -dscores.sum(axis=1)
    return dscores * (float(dout) / N)


CASES = [
    ((partial(hinge_forward, labels=[2, 0, 2, 1]), hinge_backward), (4, 3)),
    ((partial(hinge_forward, labels=[0]), hinge_backward), (1, 2)),
]
