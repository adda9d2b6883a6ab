"""What in the image a unit answers to, sent back through a deconvnet.

    every ReLU   dx = dout where dout > 0, else 0
    all others   their gradients: a convolution sends back through its own filters transposed, a max pool to its
                 switches, a normalisation as it was

x     (N, C, H, W), preprocessed
dx    (N, C, H, W); of no unit: only its pattern means something

The unit is best a channel, from its strongest position (all other activations of the layer are zero, as in the paper).
The paper starts from the activation's value, here it is 1: for a positive one the pattern is the same times a constant.
Where a net has local response normalisation, the paper's deconvnet leaves it out, here its gradient is taken.

The picture: as the gradient's; zero is mid-grey, or white in a net of greys.

Caveat: it is no gradient and says nothing about slopes. Of the image it knows only the switches of the max pools and
what normalisations did: in a net without either, it is the same for every image but for the position it starts from.
Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 2.1
"""

from .gradient import picture
from .passes import look, walk
from .rules import RULES

__all__ = ["deconvnet", "picture"]


def deconvnet(net, x, unit):
    """What a unit answers to, by Zeiler and Fergus's deconvnet, (N, C, H, W)."""
    tape, dout = look(net, x, unit)
    return walk(net, tape, dout, RULES["deconvnet"])
