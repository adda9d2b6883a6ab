"""How often a net, or the average of several, is right."""

from typing import NamedTuple

import numpy as np

from ..device import on_device, to_host


class Evaluation(NamedTuple):
    """loss: the mean softmax cross-entropy; confusion (C, C) int64: confusion[label, answer] counts images."""

    loss: float
    confusion: np.ndarray

    @property
    def count(self):
        return int(self.confusion.sum())

    @property
    def accuracy(self):
        """The part of the images, 0 to 1, that got their own class."""
        return float(np.trace(self.confusion)) / self.count


def evaluate(nets, batches, attack=None, seed=0):
    """The Evaluation of one net, or of the mean of several nets' probabilities.

        p[n,c] = mean over nets of softmax(scores)[n,c],  answer = the c with the largest p, ties to the first

    nets     a Net, or several that read the same input and have as many classes
    batches  of (x, labels): a Loader without augmentation
    attack   an `Attack`, made for the first net, on the images before they are judged
    seed     of the attack's start
    """
    nets = nets if isinstance(nets, (list, tuple)) else [nets]
    loss, confusion, count = 0.0, None, 0
    for i, (x, labels) in enumerate(batches):
        if attack:
            x = attack(nets[0], x, labels, np.random.default_rng([seed, i]))
        log_p = _log_mean([_log_probabilities(net, x) for net in nets])
        if confusion is None:
            confusion = np.zeros((log_p.shape[1], log_p.shape[1]), np.int64)
        np.add.at(confusion, (labels, log_p.argmax(axis=1)), 1)
        loss -= float(log_p[np.arange(len(log_p)), labels].sum())
        count += len(labels)
    return Evaluation(loss / count, confusion)


def _log_probabilities(net, x):
    """(N, C) float64: of a probability that would round to 0 the logarithm still has its size."""
    scores = to_host(net, net(on_device(net, x), until=net.scores)).astype(np.float64)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def _log_mean(log_ps):
    """log of the mean of what these are the logarithms of."""
    return np.logaddexp.reduce(log_ps, axis=0) - np.log(len(log_ps))
