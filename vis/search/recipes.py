"""The recipes of `maximise`: what is changed, how far each step goes, and what keeps the picture plain.

`RECIPES` is the table below, a column a recipe; images are in units of their contrast, white - black = 1.

    space              what is changed: the pixels, or the waves that they are made of (parametrise.py)
    start              zeros: the mean colour (held to 20 to 80 % of white under a sigmoid); noise: with noise around it
    bounds             none; clip: darker than black becomes black after each step, and so on; sigmoid: the image is
                       read through a curve that stays between black and white
    climb              a step from the score's gradient g and the penalties' p: plain  rate * (g - p);  adam  Adam's;
                       normed  rate * (g / rms(g) - p), whose penalties weigh alike whatever the unit
    penalty            weight of the sum of squares, which is taken off the score
    variation          weight of the total variation, likewise (regularisers.py)
    decay              the share of the image that is taken off after each step
    blur, blur_every   the Gaussian's standard deviation in pixels, and after how many steps it is used
    clip_norm          the percentile of the pixels' norms below which a pixel becomes 0, after each step
    clip_contribution  the percentile of the pixels' contributions below which a pixel becomes 0
    jitter             at each step the image is shifted by up to this share of its shorter side,
    zoom, turn         scaled by 1 - zoom to 1 + zoom, turned by up to so many degrees either way

Where the numbers are from:

simonyan    The objective of [1], section 2, which gives no numbers: these are class_model's.
yosinski_n  decay, blur and percentiles are row n of [2], table 1; the third made most of the paper's pictures. Table 1
            has no steps: 500 to 1000 and the start, noise of 10/255, are those of the paper's code
            (deep-visualization-toolbox, optimize_image.py). Fewer steps and normed rates are ours, chosen by looking
            at GoogLeNet's birds: the fourth keeps a tenth of the pixels, an object only where steps are short. The
            second forgets within three steps, so its picture never settles: patches of the object, whatever the rate.
variation   Total variation in place of blurring, as [3] uses it to invert codes; the numbers are ours. From
            rate * variation = 1/8 on, pixels swing: a step takes off more than their difference from their neighbours.
olah        [4]: Adam on waves, jitter by 16 of 224 pixels, scales of 5 %, turns of 5 degrees. There 2560 steps of rate
            0.05, which is 0.003 in these units; fewer steps are ours: after 64, goldfish and flamingo are certain to
            GoogLeNet.
robust      For nets trained against adversarial pictures, as [5]: steps of one length from black to white, and nothing
            else. Steps and rate are ours.

[1] Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014
[2] Yosinski, Clune, Nguyen, Fuchs & Lipson, Understanding Neural Networks Through Deep Visualization, ICML workshop,
    2015
[3] Mahendran & Vedaldi, Understanding Deep Image Representations by Inverting Them, CVPR 2015
[4] Olah, Mordvintsev & Schubert, Feature Visualization, Distill 2017
[5] Santurkar et al., Image Synthesis with a Single (Robust) Classifier, NeurIPS 2019
"""

from dataclasses import dataclass, fields, replace

from ...errors import UnknownNameError, UsageError
from .parametrise import SPACES

_TABLE = """
name               simonyan  yosinski_1  yosinski_2  yosinski_3  yosinski_4  variation  olah     robust
space              pixels    pixels      pixels      pixels      pixels      pixels     fourier  pixels
start              zeros     noise       noise       noise       noise       noise      noise    noise
bounds             none      none        none        none        none        clip       sigmoid  clip
climb              plain     normed      normed      normed      normed      normed     adam     normed
steps              200       200         60          200         200         200        128      60
rate               0.2       0.02        0.012       0.02        0.0015      0.01       0.003    0.01
penalty            0.1       0           0           0           0           0          0        0
variation          0         0           0           0           0           8          0        0
decay              0         0           0.3         0.0001      0           0          0        0
blur               0         0.5         0           1.0         0.5         0          0        0
blur_every         0         4           0           4           4           0          0        0
clip_norm          0         50          20          0           0           0          0        0
clip_contribution  0         0           0           0           90          0          0        0
jitter             0         0           0           0           0           0.07       0.07     0
zoom               0         0           0           0           0           0          0.05     0
turn               0         0           0           0           0           0          5        0
"""

_WORDS = {
    "space": tuple(SPACES),
    "start": ("zeros", "noise"),
    "bounds": ("none", "clip", "sigmoid"),
    "climb": ("plain", "normed", "adam"),
}
_FINITE = (lambda v: 0 <= v < float("inf"), "0 or more")
_PERCENTILE = (lambda v: 0 <= v <= 100, "0 to 100")
_LIMITS = {
    "steps": (lambda v: v >= 1, "1 or more"),
    "rate": (lambda v: 0 < v < float("inf"), "a number above 0"),
    **dict.fromkeys(("penalty", "variation", "blur", "blur_every", "turn"), _FINITE),
    "decay": (lambda v: 0 <= v < 1, "0 to below 1"),
    "clip_norm": _PERCENTILE,
    "clip_contribution": _PERCENTILE,
    "jitter": (lambda v: 0 <= v <= 1, "0 to 1"),
    "zoom": (lambda v: 0 <= v < 1, "0 to below 1"),
}


@dataclass(frozen=True)
class Recipe:
    """A column of the table.

    Raises UnknownNameError for a word that is not there, UsageError for a number out of its range.
    """

    name: str
    space: str
    start: str
    bounds: str
    climb: str
    steps: int
    rate: float
    penalty: float
    variation: float
    decay: float
    blur: float
    blur_every: int
    clip_norm: float
    clip_contribution: float
    jitter: float
    zoom: float
    turn: float

    def __post_init__(self):
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise UnknownNameError(name, getattr(self, name), words)
        for name, (good, wanted) in _LIMITS.items():
            if not good(getattr(self, name)):
                raise UsageError(f"{name} is {getattr(self, name)}, expected {wanted}")
        if (self.blur > 0) != (self.blur_every > 0):
            raise UsageError(f"blur is {self.blur} and blur_every {self.blur_every}, expected both above 0 or neither")
        # From 1/2 on, a step takes off all of the image and more: it swings instead of settling.
        if self.climb == "plain" and not self.penalty * self.rate < 0.5:
            raise UsageError(f"penalty is {self.penalty}, expected below {0.5 / self.rate:g}, half a step")


def _read(table):
    lines = [line.split() for line in table.split("\n") if line]
    assert [line[0] for line in lines] == [field.name for field in fields(Recipe)]
    columns = zip(*(map(field.type, line[1:]) for field, line in zip(fields(Recipe), lines)))
    return {values[0]: Recipe(*values) for values in columns}


RECIPES = _read(_TABLE)


def find_recipe(name, **changes):
    """The recipe of that name with some of its values changed; those that are -1 or "" stay the recipe's."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return replace(RECIPES[name], **{key: value for key, value in changes.items() if value not in (-1, "")})
