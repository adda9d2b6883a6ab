"""The mean of a unit's gradients at several inputs, which smooth_grad and integrated_gradients share."""

import numpy as np

from .passes import on_device, walk
from .progress import bar, kept_when_interrupted


def mean_gradient(net, unit, dout, inputs, count, name, progress):
    """(N, C, H, W) float64: the mean over the inputs of d unit / d x; Ctrl-C keeps the mean so far.

    dout    where the gradient begins, of the unit's layer
    inputs  yields (N, C, H, W) arrays, `count` of them
    name    of the method, for the bar
    """
    total, done = 0.0, 0
    with kept_when_interrupted(name):
        for _, x in zip(bar(count, name, progress), inputs):
            _, tape = net.forward(on_device(net, x), until=unit.layer, once=True)
            total = total + walk(net, tape, dout, None).astype(np.float64)
            done += 1
    return total / max(done, 1)
