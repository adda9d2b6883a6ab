"""The first attack: the smallest distortion that box-constrained L-BFGS finds.

    minimise  c * |r|^2 + loss(I + r, target)     over r with I + r in [0, 1], from r = 0

loss is -log of the target's probability. The larger c, the smaller r, and from some c on the target is no longer
reached: a line search closes in on that c, and of all minimisers that reached the target the one with the smallest |r|
is taken. On a net that is linear in two classes it ends at the distance to the boundary.

The paper writes c |r|, which has no slope at the start r = 0; the square has the same solutions, each for another c.
Its distortion of n values is sqrt(sum r^2 / n). Scipy does the minimising: the extra `optimise`.
Szegedy, Zaremba, Sutskever, Bruna, Erhan, Goodfellow & Fergus, Intriguing properties of neural networks, ICLR 2014,
section 4.1
"""

import numpy as np

from ...extras import load
from ..search.unit_box import log_loss

FACTOR = 4.0  # from one c to the next, until one has reached the target and one has not
CLOSE = 1.02  # the search ends where these two are so near each other: |r| then is within about 2 % of what it finds
SEARCHES = 24


def smaller_distortions(box, picture, target, steps=20):
    """Yields I (1, C, H, W) that the net takes for the target, each nearer to the picture than the one before.

    box      a UnitBox
    picture  (1, C, H, W) in [0, 1]
    target   the class to reach
    steps    iterations of L-BFGS for each c
    Raises MissingExtraError without scipy.
    """
    c, reached, missed, nearest = 1.0, None, None, np.inf
    for _ in range(SEARCHES):
        found = _minimise(box, picture, target, c, steps)
        if box.scores(found)[0].argmax() == target:
            reached, distance = c, np.linalg.norm(found - picture)
            if distance < nearest:
                nearest = distance
                yield found
        else:
            missed = c
        if reached is None:
            c /= FACTOR
        elif missed is None:
            c *= FACTOR
        elif missed < CLOSE * reached:
            return
        else:
            c = np.sqrt(reached * missed)


def _minimise(box, picture, target, c, steps):
    """I + r of the smallest c * |r|^2 + loss, as far as so many steps go."""
    minimize = load("scipy.optimize", "optimise").minimize
    labels = np.array([target])

    def objective(flat):
        moved = flat.reshape(picture.shape)
        scores, tape = box.forward(moved)
        losses, dscores = log_loss(scores, labels)
        r = moved - picture
        return c * np.vdot(r, r) + losses[0], (2 * c * r + box.gradient(tape, dscores)).ravel()

    bounds = np.broadcast_to([0.0, 1.0], (picture.size, 2))
    found = minimize(objective, picture.ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return found.x.reshape(picture.shape)
