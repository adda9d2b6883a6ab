"""What a net says of pictures, in words."""

import numpy as np

from ..search.unit_box import class_scores, softmax
from ..units import Unit, unit_title


def captions(net, x):
    """For each image its most likely class with the probability: ["flamingo: 98.7 %", ...]; x (N, C, H, W)."""
    shares = softmax(np.concatenate([class_scores(net, x[n : n + 1]) for n in range(len(x))]))
    return [f"{class_name(net, row.argmax())}: {percent(row.max())}" for row in shares]


def class_name(net, number):
    """The class's first name, or its number where the net has no names."""
    return unit_title(net, Unit(net.scores, int(number))).removeprefix(f"{net.scores}:")


def percent(share):
    """ "98.7 %"; never rounded up to 100."""
    return f"{min(int(share * 1000) / 10, 99.9 if share < 1 else 100):.1f} %"
