"""Softmax cross-entropy: the loss of a classifier, from the scores before the softmax."""

from functools import partial
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim
from .checks import as_labels, check_batch


class SoftmaxCrossEntropyCache(NamedTuple):
    probabilities: Any  # (N, C)
    labels: Any


def softmax_cross_entropy_forward(scores, labels):
    """loss = mean over n of -log p[n, labels[n]],  p[n,c] = exp(scores[n,c]) / sum over c' of exp(scores[n,c']).

    scores  (N, C) float32 or float64; the largest of each row is taken off first, so that exp never overflows
    labels  (N,) integers in [0, C)
    loss    a float, summed in float64
    cache   p (N, C), and labels
    Raises ShapeError for a batch of none; errors of labels as in `as_labels`.
    """
    check_float(scores=scores)
    check_ndim("scores", scores.shape, 2)
    check_batch(scores)
    N, C = scores.shape
    labels = as_labels(labels, N, C)
    xp = current().xp
    shifted = scores - scores.max(axis=1, keepdims=True)
    e = xp.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    # -log p by subtraction: p itself may be rounded to 0.
    losses = xp.log(total[:, 0]) - shifted[xp.arange(N), labels]
    return float(losses.mean(dtype="float64")), SoftmaxCrossEntropyCache(e / total, labels)


def softmax_cross_entropy_backward(dout, cache):
    """dscores[n,c] = dout / N * (p[n,c] - [c = labels[n]]).

    Because loss = log(sum of exp(scores)) - scores[label], and the derivative of the first term is p.

    dout    a number, the gradient with respect to the loss: 1.0 unless something follows
    dscores (N, C)
    """
    N = len(cache.labels)
    dscores = cache.probabilities.copy()
    dscores[current().xp.arange(N), cache.labels] -= 1
    return dscores * (float(dout) / N)


CASES = [
    ((partial(softmax_cross_entropy_forward, labels=[2, 0, 2, 1]), softmax_cross_entropy_backward), (4, 3)),
    ((partial(softmax_cross_entropy_forward, labels=[0]), softmax_cross_entropy_backward), (1, 2)),
]
