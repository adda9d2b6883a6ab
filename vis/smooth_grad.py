"""The mean gradient of many noisy copies of the image: SmoothGrad.

    out = mean over k of  d unit / d x  at  x + e_k,     e_k ~ N(0, (noise * (max x - min x))^2)

x     (N, C, H, W), preprocessed
out   (N, C, H, W), in units of the score a unit of x

The slope changes from pixel to pixel and from one image to the next; what is the same for all neighbours stays. A
channel is looked at where it is strongest without noise. The paper looks at 50 copies, with noise between 0.1 and 0.2
of the image's range; 0.15 is the middle. Ctrl-C keeps the mean so far.

The picture: the largest size over the channels, black is zero, white the 99 % quantile, as in the paper.

Caveat: the noise takes the net to images that it was not trained on, and how much is right is a matter of taste: little
changes little, much blurs. It shows where the slope is steep, as the gradient does, not what the value is made of.
Smilkov, Thorat, Kim, Viegas & Wattenberg, SmoothGrad, arXiv 1706.03825, 2017, section 3
"""

import numpy as np

from ..errors import UsageError
from .counts import at_least_one
from .mean_gradient import mean_gradient
from .passes import look
from .pictures.colour import absolute, limit_of
from .pictures.tiles import grid
from .units import find_unit, unit_title


def smooth_grad(net, x, unit, samples: int = 50, noise: float = 0.15, seed: int = 0, progress: bool = True):
    """The mean gradient of noisy copies of the image, (N, C, H, W).

    samples  how many copies, >= 1
    noise    its standard deviation, in parts of each image's range from the lowest to the highest value, >= 0
    seed     of the noise
    """
    at_least_one(samples=samples)
    if not 0 <= noise < float("inf"):
        raise UsageError(f"noise is {noise}, expected a number >= 0")
    unit = find_unit(net, unit)
    _, dout = look(net, x, unit)
    rng = np.random.default_rng(seed)
    size = noise * np.ptp(x, axis=(1, 2, 3), keepdims=True)
    noisy = ((x + size * rng.standard_normal(x.shape)).astype(x.dtype) for _ in range(samples))
    mean = mean_gradient(net, unit, dout, noisy, samples, "smooth_grad", progress)
    return np.broadcast_to(mean, x.shape).astype(x.dtype)


def picture(result, net, x=None, unit=None):
    """One tile an image."""
    sizes = np.abs(result).max(axis=1)
    return grid([absolute(s, limit_of(s, 0.99)) for s in sizes], title=unit_title(net, find_unit(net, unit)), least=112)
