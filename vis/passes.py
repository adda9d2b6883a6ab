"""One pass forward, any number of walks backward: what the gradient pictures share.

A net on a device is given, and gives back, NumPy arrays here: pictures are looked at in host memory.
"""

import numpy as np

from ..device import on_device, to_host
from .image import check_finite
from .units import find_unit


def look(net, x, unit):
    """Run the net as far as the unit; (tape, dout), dout asking for that unit.

    x      (N, C, H, W) of the net's dtype, preprocessed
    unit   what `find_unit` takes
    Raises ImageError for NaN or infinite values in x, and what `find_unit`, `Unit.seed` and `net.forward` raise.
    """
    unit = find_unit(net, unit)
    check_finite("x", np.asarray(x))
    out, tape = net.forward(on_device(net, x), until=unit.layer)
    return tape, unit.seed(out)


def walk(net, tape, dout, rules):
    """dx (N, C, H, W): dout walked back to the image under the rules; the tape stays as it is, for the next walk."""
    dx, _ = net.backward(dout, tape, rules=rules, params=False)
    return to_host(net, dx)
