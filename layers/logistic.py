"""Logistic loss: the loss of a yes-or-no classifier, from the score before the sigmoid."""

from functools import partial
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_float, show
from .checks import as_labels, check_batch
from .sigmoid import sigmoid


class LogisticCache(NamedTuple):
    scores: Any
    labels: Any  # scores' shape


def logistic_forward(scores, labels):
    """loss = mean over n of -log p[n] where labels[n] = 1, -log(1 - p[n]) where it is 0;  p = sigmoid(scores).

    Computed as max(s, 0) - s * label + log(1 + exp(-|s|)), which never overflows.

    scores  (N,) or (N, 1) float32 or float64
    labels  (N,) integers, 0 or 1
    loss    a float, summed in float64
    Raises ShapeError for a batch of none; errors of labels as in `as_labels`.
    """
    check_float(scores=scores)
    if scores.ndim not in (1, 2) or scores.shape[1:] not in ((), (1,)):
        raise ShapeError(f"scores {show(scores.shape)} must be (N,) or (N, 1), one number an example")
    check_batch(scores)
    labels = as_labels(labels, len(scores), 2).reshape(scores.shape).astype(scores.dtype)
    xp = current().xp
    losses = xp.maximum(scores, 0) - scores * labels + xp.log1p(xp.exp(-abs(scores)))
    return float(losses.mean(dtype="float64")), LogisticCache(scores, labels)


def logistic_backward(dout, cache):
    """dscores = dout / N * (sigmoid(scores) - labels).

    dout    a number, the gradient with respect to the loss: 1.0 unless something follows
    dscores scores' shape
    """
    return (sigmoid(cache.scores) - cache.labels) * (float(dout) / len(cache.scores))


CASES = [
    ((partial(logistic_forward, labels=[1, 0, 0, 1]), logistic_backward), (4,)),
    ((partial(logistic_forward, labels=[0, 1]), logistic_backward), (2, 1)),
]
