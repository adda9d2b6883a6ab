"""Projected gradient steps in a ball: as much loss as a distortion of a given length makes.

    r <- r + step * g / |g|                    g = d loss / d I, against g where a class is to be reached
    r <- r * min(1, eps / |r|)                 back into the ball
    I  = I_0 + r, held to [0, 1]               which leaves it in the ball

from a random r in the ball, uniform in direction and volume. |.| is the length over all values of a picture, loss the
logarithmic one of the class. The step is 2.5 * eps / steps: any point of the ball can be reached from any other.
Madry, Makelov, Schmidt, Tsipras & Vladu, Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018,
sections 2.1 and 5
"""

import numpy as np

from ..search.unit_box import log_loss


def climb_in_ball(box, pictures, labels, targeted, eps, steps, rng):
    """Pictures I (N, C, H, W) of high loss, or of low loss if targeted, no further than eps from the given ones.

    box       a UnitBox
    pictures  (N, C, H, W) in [0, 1]
    labels    (N,): the class to reach if targeted, else the one to leave
    eps       the ball's radius, the length of r
    rng       np.random.Generator of the start
    """
    moved = eps * _in_ball(pictures.shape, rng)
    step = 2.5 * eps / steps * (-1 if targeted else 1)
    moved = np.clip(pictures + moved, 0, 1) - pictures
    for _ in range(steps):
        scores, tape = box.forward(pictures + moved)
        slope = box.gradient(tape, log_loss(scores, labels)[1])
        moved += step * slope / np.maximum(_length(slope), 1e-300)
        moved *= np.minimum(1, eps / np.maximum(_length(moved), 1e-300))
        moved = np.clip(pictures + moved, 0, 1) - pictures
    return pictures + moved


def _in_ball(shape, rng):
    """A point in each image's unit ball, uniform: a random direction times U^(1/n)."""
    direction = rng.standard_normal(shape)
    radius = rng.random((shape[0], 1, 1, 1)) ** (1 / np.prod(shape[1:]))
    return direction / _length(direction) * radius


def _length(r):
    return np.sqrt(np.square(r).sum(axis=(1, 2, 3), keepdims=True))
