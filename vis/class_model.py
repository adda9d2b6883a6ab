"""What a class looks like to the net: an image that raises its score."""

import numpy as np

from .image import contrast, deprocess
from .passes import look, walk
from .progress import kept_when_interrupted
from .progress import steps as bar
from .rules import RULES
from .tiles import grid
from .units import find_unit, unit_title


def class_model(net, unit, steps: int = 200, learning_rate: float = 1.0, penalty: float = 0.001, progress: bool = True):
    unit = find_unit(net, unit)
    scale = contrast(net.meta)
    z = np.zeros((1, *net.meta.input_size))
    with kept_when_interrupted("class_model"):
        for _ in bar(steps, "class_model", progress):
            tape, dout = look(net, (z * scale).astype(net.dtype), unit)
            dz = walk(net, tape, dout, RULES["gradient"]) * scale
            z = z + learning_rate * (dz - 2 * penalty * z)
    return (z * scale).astype(net.dtype)


def picture(result, net, x=None, unit=None):
    """One tile a class."""
    return grid(list(deprocess(result, net.meta)), title=unit_title(net, find_unit(net, unit)))
