"""What in the image raises a unit through units that raise it too.

    every ReLU   dx = dout where x > 0 and dout > 0, else 0      x the ReLU's input
    all others   their gradients

x     (N, C, H, W), preprocessed
dx    (N, C, H, W); of no unit: only its pattern means something

The gate of the gradient (x > 0) and the deconvnet's (dout > 0) together: what would hold the unit back is left out at
every ReLU, and what stays is much cleaner than either alone. The unit is best a channel, from its strongest position.

The picture: as the gradient's; zero is mid-grey, or white in a net of greys.

Caveat: it hardly depends on which class is asked for, and much on the image: it recovers the image's own edges where
the net reacts at all (Nie, Zhang & Patel, ICML 2018; Adebayo et al., NeurIPS 2018), so it does not explain a decision.
Springenberg, Dosovitskiy, Brox & Riedmiller, Striving for Simplicity, ICLR workshop 2015, section 3.4
"""

from .gradient import picture
from .passes import look, walk
from .rules import RULES

__all__ = ["guided_backprop", "picture"]


def guided_backprop(net, x, unit):
    """What raises a unit through units that raise it too, by Springenberg's guided backpropagation, (N, C, H, W)."""
    tape, dout = look(net, x, unit)
    return walk(net, tape, dout, RULES["guided_backprop"])
