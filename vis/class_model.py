"""What a class looks like to the net: an image that raises its score as much as its size allows.

    I <- I + learning_rate * (d score / dI - 2 * penalty * I)      steps times, from I = 0

climbs  score(I) - penalty * |I|^2,  |I|^2 the sum of squares. The score is the one before the softmax, so that it is
the class that rises and not the others that fall. I is the net's input in units of its contrast, range / std: between
black and white lies 1 whatever the net's preprocessing, and one learning rate and penalty suit many nets. I = 0 is the
mean colour.

unit  a class; or any channel, position or node
out   (1, C, H, W), preprocessed: I * range / std
Raises MinicnnError for a net without meta, and where there is no slope at I = 0 (as in a net of ReLUs without biases).

The paper gives no step and no penalty; the defaults are ours, for pictures in which GoogLeNet's classes can be told.
Their probability is then about 1, but where another class is nearly the same ("Eskimo dog" beside "Siberian husky"):
only the class's own score is looked at. Ctrl-C keeps the image so far.

The picture: mid-grey (in a net of greys: white) is the mean colour; the scale ends at the image's 99.5 % quantile.

Caveat: nothing holds the image to those that exist. Several copies of the class's parts, without a place for each,
raise the score more than one whole object, and the fine pattern all over is the net's, not the class's. What other
papers did about that is in `maximise`.
Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, section 2
"""

import numpy as np

from ..errors import MinicnnError, UsageError
from .counts import at_least_one
from .image import contrast
from .passes import look, walk
from .pictures.colour import channel_order, show_gradient
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .rules import RULES
from .units import find_unit, unit_title


def class_model(net, unit, steps: int = 200, learning_rate: float = 0.2, penalty: float = 0.1, progress: bool = True):
    """What a class looks like to the net, (1, C, H, W), preprocessed.

    steps          how often the image is improved, >= 1
    learning_rate  how far each step goes, > 0
    penalty        what size costs: lambda of the formula, >= 0; its product with the learning rate stays below 1/2
    """
    unit = find_unit(net, unit)
    _check(steps, learning_rate, penalty)
    scale = contrast(net.meta)
    image = np.zeros((1, *net.meta.input_size))
    with kept_when_interrupted("class_model"):
        for step in bar(steps, "class_model", progress):
            tape, dout = look(net, (image * scale).astype(net.dtype), unit)
            slope = walk(net, tape, dout, RULES["gradient"]) * scale
            if step == 0 and not slope.any():
                raise MinicnnError(f"{unit} does not change with the image around the mean colour: nothing to climb")
            image = image + learning_rate * (slope - 2 * penalty * image)
    return (image * scale).astype(net.dtype)


def _check(steps, learning_rate, penalty):
    at_least_one(steps=steps)
    if not 0 < learning_rate < float("inf"):
        raise UsageError(f"learning_rate is {learning_rate}, expected a number above 0")
    # From 1/2 on, a step takes off all of the image and more: it swings instead of settling.
    if not 0 <= penalty * learning_rate < 0.5:
        raise UsageError(f"penalty is {penalty}, expected 0 or more, and below {0.5 / learning_rate:g}, half a step")


def picture(result, net, x=None, unit=None):
    """One tile a class."""
    return grid(
        show_gradient(result, channel_order(net), 0.995), title=unit_title(net, find_unit(net, unit)), least=112
    )
