"""Making an image whose loss is small: L-BFGS or Adam, held between black and white."""

import numpy as np

from ...extras import load
from ...train.optimisers import Adam

_PAIRS = 20  # of steps and gradients that L-BFGS remembers: scipy's 10 is for problems with fewer numbers


def lbfgs(image, loss, steps, done):
    """Lower the loss of an image by L-BFGS with the bounds 0 and 1, in place.

    image  (...) float64, changed step by step, so that it is there when Ctrl-C comes
    loss   function: image -> (value, dimage)
    steps  iterations at most; each looks at one image, seldom at more
    done   function without arguments, called after each iteration, when `loss` was last asked for the image as it is
    Raises MissingExtraError without scipy.
    Byrd, Lu, Nocedal & Zhu, A Limited Memory Algorithm for Bound Constrained Optimization, SIAM J. Sci. Comput. 1995
    """
    optimise = load("scipy.optimize", "optimise")

    def flat_loss(flat):
        value, slope = loss(flat.reshape(image.shape))
        return value, slope.ravel().astype(np.float64)

    def keep(flat):
        image[...] = flat.reshape(image.shape)
        done()

    # No tolerance: it takes all its steps, as long as one can be found that lowers the loss.
    options = {"maxiter": steps, "maxfun": 10 * steps, "maxcor": _PAIRS, "ftol": 0, "gtol": 0}
    bounds = optimise.Bounds(np.zeros(image.size), np.ones(image.size))
    start = image.ravel().copy()
    optimise.minimize(flat_loss, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=keep, options=options)


def adam(image, loss, steps, done, rate):
    """Lower the loss of an image by Adam, in place; after each step what is outside of 0 and 1 is put back to it.

    image, loss, steps  as in `lbfgs`
    done                called after each step, when `loss` was last asked for the image before it
    rate                how far a pixel goes in a step, of the range from black to white
    """
    optimiser = Adam()
    for _ in range(steps):
        _, slope = loss(image)
        optimiser.step({"image": image}, {"image": slope.astype(image.dtype)}, rate)
        np.clip(image, 0, 1, out=image)
        done()
