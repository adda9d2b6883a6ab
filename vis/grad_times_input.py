"""Gradient times input: what each number of the image adds to a unit, as far as the slope goes.

    out = x * d unit / d x

x     (N, C, H, W), preprocessed: 0 is the mean colour
out   (N, C, H, W), in units of the score

In a net of convolutions, ReLUs, poolings and linear layers without biases the numbers add up to the unit's value: such
a net is linear between its kinks. There it is also LRP with epsilon 0, and integrated gradients from the mean colour.

The picture: the image, and beside it the sum over the channels: red speaks for the unit, blue against it, white is
zero; each image's scale ends at its 99.5 % quantile.

Caveat: what is as bright as the mean colour counts for nothing, whatever it shows. With biases the sum is another one;
the slope is noisy from pixel to pixel, and so is this.
Shrikumar, Greenside, Shcherbina & Kundaje, Not just a black box, arXiv 1605.01713, 2016
"""

from .gradient import gradient
from .pictures.heat import signed_picture
from .units import find_unit, unit_title


def grad_times_input(net, x, unit):
    """Gradient times input, (N, C, H, W)."""
    return x * gradient(net, x, unit)


def picture(result, net, x=None, unit=None):
    """The image and, beside it, the sum over the channels."""
    return signed_picture(result.sum(axis=1), net, x, unit_title(net, find_unit(net, unit)))
