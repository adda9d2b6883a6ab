"""Which pixels a class score is most sensitive to, whatever the direction.

    out[n, i, j] = max over c of |d unit / d x[n, c, i, j]|

x     (N, C, H, W), preprocessed
out   (N, H, W), >= 0, in units of the score a unit of x

The picture: black is zero, white the 99.9 % quantile of each image's own map. A class means its score before
the softmax, as in the paper: raising a probability can also be done by lowering the other scores. The paper's maps are
means over ten crops and reflections; this one is of the image as it is given.

Caveat: it does not show an object's outline: a pixel counts where changing it alone would change the score, which is at
edges and on the object's most telling parts, and neighbouring pixels differ widely.
Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, section 3.1
"""

import numpy as np

from .gradient import gradient
from .pictures.colour import absolute, limit_of
from .pictures.tiles import grid
from .units import find_unit, unit_title


def saliency(net, x, unit):
    """Which pixels a unit is most sensitive to: |gradient|, its maximum over the channels, (N, H, W)."""
    return np.abs(gradient(net, x, unit)).max(axis=1)


def picture(result, net, x=None, unit=None):
    """One tile an image."""
    return grid(
        [absolute(r, limit_of(r, 0.999)) for r in result], title=unit_title(net, find_unit(net, unit)), least=112
    )
