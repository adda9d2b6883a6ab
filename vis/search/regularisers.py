"""What an image is charged for, and what is taken off it: the terms by which a picture is kept plain.

Penalties are functions of x that give their value and its gradient; a picture is improved along

    d score / dx - weight * dx      of each penalty

                       value, one an image                                          source
    squared_norm       sum of x^2                                                   Simonyan et al. [1]
    alpha_norm         sum of |x|^alpha                                             Mahendran & Vedaldi [2]
    total_variation    sum of ((x[i,j+1] - x[i,j])^2 + (x[i+1,j] - x[i,j])^2)^(beta/2)      [2]

The others are done to x now and then, between two steps: `blur`, `clip_small_norm`, `clip_small_contribution` of
Yosinski et al. [3].

x, dx   (N, C, H, W) float64, in whatever units; 0 is the mean colour
values  (N,) float64

[1] Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, section 2
[2] Mahendran & Vedaldi, Understanding Deep Image Representations by Inverting Them, CVPR 2015, section 2.1
[3] Yosinski, Clune, Nguyen, Fuchs & Lipson, Understanding Neural Networks Through Deep Visualization, ICML workshop
    2015, section 3
"""

import numpy as np

from ...errors import UsageError

_EACH = (1, 2, 3)  # the axes of one image


def squared_norm(x):
    """(values, dx) of the sum of x^2; dx = 2 x."""
    return np.sum(x * x, axis=_EACH), 2 * x


def alpha_norm(x, alpha):
    """(values, dx) of the sum of |x|^alpha; dx = alpha * |x|^(alpha - 1) * sign(x), 0 where x is 0.

    alpha  >= 1; 6 in [2]: cheap as long as no pixel is far out
    """
    if not 1 <= alpha < float("inf"):
        raise UsageError(f"alpha is {alpha}, expected a number of 1 or more")
    size = np.abs(x)
    return np.sum(size**alpha, axis=_EACH), alpha * size ** (alpha - 1) * np.sign(x)


def total_variation(x, beta=2.0):
    """(values, dx) of the sum of r^(beta/2), r the sum of the squares of the two differences at a pixel.

    The differences that would reach over the last row and the last column are 0. Each channel has its own r.

        d / d difference = beta * r^(beta/2 - 1) * difference      0 where r is 0

    beta  > 0; 2 is the squared gradient and 1 the total variation, which keeps edges and has a kink at r = 0
    """
    if not 0 < beta < float("inf"):
        raise UsageError(f"beta is {beta}, expected a number above 0")
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    right[:, :, :, :-1] = x[:, :, :, 1:] - x[:, :, :, :-1]
    r = down * down + right * right
    flat = r == 0
    factor = np.where(flat, 0, beta * np.where(flat, 1, r) ** (beta / 2 - 1))
    down *= factor
    right *= factor
    dx = -down - right
    dx[:, :, 1:] += down[:, :, :-1]
    dx[:, :, :, 1:] += right[:, :, :, :-1]
    return np.sum(r ** (beta / 2), axis=_EACH), dx


def blur(x, sigma):
    """x under a Gaussian of that standard deviation in pixels; 0 leaves it as it is.

        out[i, j] = sum of g[k] * g[l] * x[i + k, j + l],  g[k] proportional to exp(-k^2 / (2 * sigma^2))

    g ends at four standard deviations and sums to 1. Beyond the edge x is mirrored, the edge pixel twice, so that a
    constant stays one.
    """
    if not 0 <= sigma < float("inf"):
        raise UsageError(f"sigma is {sigma}, expected a number of 0 or more")
    reach = int(4 * sigma + 0.5)
    if reach == 0:
        return x.copy()
    k = np.arange(-reach, reach + 1)
    g = np.exp(-(k**2) / (2 * sigma**2))
    g /= g.sum()
    for axis in (2, 3):
        size = x.shape[axis]
        width = [(0, 0)] * 4
        width[axis] = (reach, reach)
        padded = np.moveaxis(np.pad(x, width, mode="symmetric"), axis, 0)
        x = np.moveaxis(sum(g[i] * padded[i : i + size] for i in range(len(g))), 0, axis)
    return np.ascontiguousarray(x)


def clip_small_norm(x, percentile):
    """x with its weak pixels at 0: those whose norm over the channels is below that percentile of their image's.

    percentile  0 to 100; 0 leaves x as it is
    """
    return _clip(x, np.sqrt(np.sum(x * x, axis=1)), percentile)


def clip_small_contribution(x, dx, percentile):
    """x with those pixels at 0 that matter little: |sum over c of x * dx| below that percentile of their image's.

    To first order, that sum is by how much the score would fall if the pixel were 0.

    dx          d score / d x
    percentile  0 to 100; 0 leaves x as it is
    """
    return _clip(x, np.abs(np.sum(x * dx, axis=1)), percentile)


def _clip(x, strength, percentile):
    """x where its strength (N, H, W) reaches the percentile of its image, else 0."""
    if not 0 <= percentile <= 100:
        raise UsageError(f"percentile is {percentile}, expected a number from 0 to 100")
    least = np.percentile(strength, percentile, axis=(1, 2), keepdims=True)
    return np.where((strength < least)[:, None], 0, x)
