"""How often a net, or the average of several, is right."""

from typing import NamedTuple

import numpy as np

from ..kernels import get
from ..layers.softmax_cross_entropy import softmax_cross_entropy_forward


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
        p = np.mean([_probabilities(net, x, labels) for net in nets], axis=0)
        if confusion is None:
            confusion = np.zeros((p.shape[1], p.shape[1]), np.int64)
        np.add.at(confusion, (labels, p.argmax(axis=1)), 1)
        with np.errstate(divide="ignore"):
            loss -= float(np.log(p[np.arange(len(p)), labels], dtype=np.float64).sum())
        count += len(labels)
    return Evaluation(loss / count, confusion)


def _probabilities(net, x, labels):
    scores = net(get(net.backend).to_device(x) if net.backend else x, until=net.scores)
    _, cache = softmax_cross_entropy_forward(scores, labels)
    return get(net.backend).to_host(cache.probabilities) if net.backend else cache.probabilities
