"""Images moved, within what an eye hardly sees, to where the net is most wrong: attacks, and what robust nets train on.

A net trained on them has gradients that people can read: Tsipras et al., Robustness May Be at Odds with Accuracy, ICLR
2019, section 2.
"""

from dataclasses import dataclass

import numpy as np

from ..device import computing, on_device, to_host
from ..errors import MinicnnError
from ..layers.checks import check_number
from ..layers.softmax_cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward


@dataclass(frozen=True)
class Attack:
    """Projected gradient ascent of the loss inside a cube around each image.

        x_0     = x + uniform(-eps, eps)  where `start`, else x
        x_(k+1) = clip(x_k + step * sign(dloss/dx at x_k)),    clip: to x - eps..x + eps, and to black..white

        attacked = Attack(eps=8, step=2, steps=20)(net, x, labels, rng)

    eps, step  in 255ths of the way from black to white
    steps      1 with a random start and step 1.25 * eps is the fast FGSM of [2]; many small ones are PGD [1]
    start      from a random place in the cube; without, one step of eps is FGSM
    targeted   the labels are classes to reach: down the loss instead of up
    [1] Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, section 2.1
    [2] Wong, Rice & Kolter, Fast is better than free, ICLR 2020, algorithm 3
    """

    eps: float = 8.0
    step: float = 10.0
    steps: int = 1
    start: bool = True
    targeted: bool = False

    def __post_init__(self):
        for name in ("eps", "step"):
            check_number(name, getattr(self, name), lambda v: 0 < v <= 255, "above 0, at most 255")
        check_number("steps", self.steps, lambda v: v == int(v) and v >= 1, "an int >= 1")

    def __call__(self, net, x, labels, rng=None):
        """The moved images, in x's shape and dtype; the net is run as in evaluation.

        x       (N, C, H, W), preprocessed as net.meta says
        labels  (N,), the true classes, or those to reach
        rng     np.random.Generator of the start
        """
        low, high, unit = pixel_range(net, x.shape[1:])
        eps, step = self.eps * unit, (-self.step if self.targeted else self.step) * unit
        lowest, highest = np.maximum(x - eps, low), np.minimum(x + eps, high)
        moved = x
        if self.start:
            # One draw of float32 in [0, 1) a number, whatever the net's dtype.
            noise = rng.random(x.shape, np.float32).astype(x.dtype)
            moved = np.clip(x + (2 * noise - 1) * eps, lowest, highest)
        for _ in range(self.steps):
            moved = np.clip(moved + step * np.sign(loss_gradient(net, moved, labels)), lowest, highest)
        return moved


def loss_gradient(net, x, labels):
    """d(softmax cross-entropy)/dx, (N, C, H, W), of the net in evaluation; its sign does not depend on the batch.

    A net on a device is given, and gives back, NumPy arrays here.
    """
    with computing(net):
        scores, tape = net.forward(on_device(net, x), until=net.scores, once=True)
        # A net that ends in a global pooling has scores (N, K, 1, 1).
        _, cache = softmax_cross_entropy_forward(scores.reshape(len(scores), -1), labels)
        dscores = softmax_cross_entropy_backward(1.0, cache).reshape(scores.shape)
        return to_host(net, net.backward(dscores, tape, params=False)[0])


def pixel_range(net, size=None):
    """(black, white, a 255th of the way) in the net's input: (1, C, 1, 1) each, of its dtype.

    size  (C, H, W) of the images: where the net has a mean image of that size, black and white are (1, C, H, W)
    Raises MinicnnError for a net without meta.
    """
    meta = net.meta
    if meta is None:
        raise MinicnnError("this net has no meta, so it does not say where black and white are in its input")
    mean, std = (np.float64(values).reshape(1, -1, 1, 1) for values in (meta.mean, meta.std))
    if meta.mean_image is not None and size == meta.input_size:
        mean = meta.mean_image.values[None].astype(np.float64)
    black, white = -mean / std, (meta.range - mean) / std
    return tuple(a.astype(net.dtype) for a in (black, white, meta.range / std / 255))
