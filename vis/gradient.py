"""The gradient of a unit with respect to the image.

    dx = d unit / d x

unit  a class means its score before the softmax; a channel its strongest position; a node the sum of its values
x     (N, C, H, W), preprocessed
dx    (N, C, H, W), in units of the score a unit of x

The picture: of a colour image, mid-grey is zero, and a colour brighter than that says that more of it would raise the
unit; of a grey one, white is zero, red raises and blue lowers it. Every image has its own scale, which ends at the
99.9 % quantile of |dx|.

Caveat: it is the slope at this very image, which a small step obeys; it does not say what a larger change would do, nor
which pixels the unit's value is made of.
Simonyan, Vedaldi & Zisserman, ICLR workshop 2014, section 3.
"""

from .passes import look, walk
from .pictures.colour import channel_order, show_gradient
from .pictures.tiles import grid
from .rules import RULES
from .units import find_unit, unit_title


def gradient(net, x, unit):
    """The gradient of a unit with respect to the image, (N, C, H, W)."""
    tape, dout = look(net, x, unit)
    return walk(net, tape, dout, RULES["gradient"])


def picture(result, net, x=None, unit=None):
    """One tile an image."""
    return grid(show_gradient(result, channel_order(net)), title=unit_title(net, find_unit(net, unit)), least=112)
