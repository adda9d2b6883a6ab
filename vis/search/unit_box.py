"""A net as a function of pictures whose pixels lie from 0, black, to 1, white: where distances have one unit.

    I = (x - black) / (white - black)        x the net's input, of which black and white are two

One step of a pixel's 256 levels is 1/255, whatever the net's preprocessing; what lies outside of the box [0, 1] is no
picture. With a mean image black differs from pixel to pixel.
"""

import numpy as np

from ...errors import UsageError
from ...kernels.errors import ShapeError
from ...kernels.shapes import show
from ...train.adversarial import pixel_range
from ..image import check_finite
from ..passes import on_device, to_host
from ..units import find_unit


class UnitBox:
    """Scores and gradients of a net at pictures I (N, C, H, W) float64 in [0, 1].

    size  (C, H, W) of the pictures
    Raises MinicnnError for a net without meta.
    """

    def __init__(self, net, size):
        self.net = net
        self._black, white, _ = (array.astype(np.float64) for array in pixel_range(net, tuple(size)))
        self._contrast = white - self._black

    def pictures(self, x):
        """I, not held to the box: what lies outside of it stays there."""
        return (np.asarray(x, np.float64) - self._black) / self._contrast

    def inputs(self, pictures):
        """x, of the net's dtype."""
        return (pictures * self._contrast + self._black).astype(self.net.dtype)

    def scores(self, pictures):
        """(N, K) float64, before the softmax."""
        return class_scores(self.net, self.inputs(pictures))

    def forward(self, pictures):
        """(scores (N, K) float64, tape)."""
        net = self.net
        out, tape = net.forward(on_device(net, self.inputs(pictures)), until=net.scores)
        return _one_a_class(net, out), tape

    def gradient(self, tape, dscores):
        """dI (N, C, H, W) float64 from dscores (N, K); the tape can be walked again."""
        net = self.net
        dout = np.ascontiguousarray(dscores.reshape(tape.shape(net.scores)), net.dtype)
        dx, _ = net.backward(on_device(net, dout), tape, params=False)
        return to_host(net, dx).astype(np.float64) * self._contrast


def class_scores(net, x):
    """(N, K) float64 of the net's inputs x, before the softmax; nothing is kept for a walk backward."""
    return _one_a_class(net, net(on_device(net, x), until=net.scores))


def _one_a_class(net, out):
    scores = to_host(net, out)
    if scores[0].size != scores.shape[1]:
        raise ShapeError(f"{net.scores} is {show(scores.shape)}, expected one score a class, (N,K)")
    return scores.reshape(len(scores), -1).astype(np.float64)


def softmax(scores):
    """(N, K) probabilities of (N, K) scores."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def log_loss(scores, labels):
    """(losses (N,), dscores (N, K)):  loss[n] = -log softmax(scores[n])[labels[n]], each image's own."""
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    dscores = softmax(scores)
    dscores[rows, labels] -= 1
    return losses, dscores


def find_target(net, unit, classes):
    """The number of the class that `unit` names, below `classes`; raises UsageError where it names no class."""
    unit = find_unit(net, unit)
    if unit.layer != net.scores or unit.channel is None or unit.channel >= classes:
        raise UsageError(f"{unit}: a class is needed, 0 to {classes - 1} or its name (the scores are {net.scores})")
    return unit.channel


def check_pictures(net, x):
    """Raises ImageError for NaN or infinite values, ShapeError for another number of channels than the net's meta."""
    check_finite("x", np.asarray(x))
    if np.ndim(x) != 4 or np.shape(x)[1] != net.meta.input_size[0]:
        raise ShapeError(f"x is {show(np.shape(x))}, the net's images (N,{net.meta.input_size[0]},H,W)")
