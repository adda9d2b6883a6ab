"""One image on its way up: the loop of `maximise`.

    moved  = turned, scaled and shifted image                     at random, or the image itself
    slope  = back to where it was (d objective / d moved) - penalty * 2 I - variation * d TV(I) / dI
    params <- params + a step along slope, pulled back to them    then bounds, decay, blur and clipping of the image

I (1, C, H, W) float64 is the net's input in units of its contrast, range / std: 0 is the mean colour, and between black
and white lies 1, whatever the net's preprocessing. recipes.py has the numbers.
"""

import numpy as np

from ...train.adversarial import pixel_range
from ...train.optimisers import SGD, Adam
from ..image import contrast
from ..passes import look, on_device, to_host, walk
from ..rules import RULES
from .jitter import shift, warp, warp_adjoint
from .objectives import ask
from .parametrise import SPACES
from .regularisers import blur, clip_small_contribution, clip_small_norm, squared_norm, total_variation

_NOISE = 10 / 255  # Yosinski's, see recipes.py


class Ascent:
    """An image that raises a unit's objective, step by step.

        ascent = Ascent(net, unit, "mean", recipe, seed=0)
        for step in range(recipe.steps):
            value = ascent.step()
        x = ascent.image()

    unit       a Unit
    objective  one of objectives.OBJECTIVES
    start      (1, C, H, W), preprocessed, or None for what the recipe says
    seed       of the noise, the moves and the steps where there is no slope
    Raises MinicnnError for a net without meta.
    """

    def __init__(self, net, unit, objective, recipe, start=None, seed=0):
        self.net, self.unit, self.objective, self.recipe = net, unit, objective, recipe
        self.contrast = contrast(net.meta)
        shape = (1, *net.meta.input_size) if start is None else start.shape
        self.black = pixel_range(net, shape[1:])[0].astype(np.float64) / self.contrast
        self.space = SPACES[recipe.space](shape, net.meta.channel_order)
        self.optimiser = Adam() if recipe.climb == "adam" else SGD()
        self.rng = np.random.default_rng(seed)
        self.steps, self.found_slope = 0, False
        if start is not None:
            self.params = self._params(start / self.contrast)
        else:
            self.params = self.space.params(np.zeros(shape))
            if recipe.start == "noise":
                self.params += self._noise()
        self.current = self._read()

    def image(self):
        """(1, C, H, W) of the net's dtype: the net's input after the last whole step."""
        return (self.current[0] * self.contrast).astype(self.net.dtype)

    def step(self):
        """One step up; returns the objective's value before it, of the moved image.

        Where the image makes no difference at all, as where all ReLUs are off, the step is a random one.
        """
        value, slope = self._slope(self.current[0])
        self.steps += 1
        if slope.any():
            self.found_slope = True
            self._climb(slope)
        else:
            self.params += self._noise()
        self.current = self._tidied(slope)
        return value

    def _climb(self, slope):
        recipe, (image, opening) = self.recipe, self.current
        g = self.space.pull(slope * opening)
        if recipe.climb == "normed":  # before the penalties, whose weights then suit any unit of any net
            g /= np.sqrt(np.mean(g * g)) or 1
        if recipe.penalty:
            g -= self.space.pull(recipe.penalty * squared_norm(image)[1] * opening)
        if recipe.variation:
            g -= self.space.pull(recipe.variation * total_variation(image)[1] * opening)
        self.optimiser.step({"image": self.params}, {"image": -g}, recipe.rate)

    def _slope(self, image):
        """(value, d value / dI): forward and back once, of the image moved at random."""
        recipe, rng, net = self.recipe, self.rng, self.net
        H, W = image.shape[2:]
        reach = round(recipe.jitter * min(H, W))
        dy, dx = rng.integers(-reach, reach + 1, 2)
        scale, angle = rng.uniform(1 - recipe.zoom, 1 + recipe.zoom), rng.uniform(-recipe.turn, recipe.turn)
        warped = recipe.zoom > 0 or recipe.turn > 0
        # A frame of the mean colour: what is shifted out of the picture does not come in at the other side.
        framed = np.pad(image, [(0, 0), (0, 0), (reach, reach), (reach, reach)])
        inner = (..., slice(reach, reach + H), slice(reach, reach + W))
        moved = shift(framed, dy, dx)
        if warped:
            moved = warp(moved, scale, angle)
        tape, _ = look(net, np.ascontiguousarray(moved[inner] * self.contrast, net.dtype), self.unit)
        value, dout = ask(to_host(net, tape.out(self.unit.layer)), self.unit, self.objective)
        slope = np.zeros_like(framed)
        slope[inner] = walk(net, tape, on_device(net, dout), RULES["gradient"]) * self.contrast
        if warped:
            slope = warp_adjoint(slope, scale, angle)
        return value, shift(slope, -dy, -dx)[inner]

    def _tidied(self, slope):
        """What is done to the image itself after a step; the image then."""
        recipe = self.recipe
        image, opening = self._read()
        tidy = image
        if recipe.bounds == "clip":
            tidy = np.clip(tidy, self.black, self.black + 1)
        if recipe.decay:
            tidy = tidy * (1 - recipe.decay)
        if recipe.blur and self.steps % recipe.blur_every == 0:
            tidy = blur(tidy, recipe.blur)
        if recipe.clip_norm:
            tidy = clip_small_norm(tidy, recipe.clip_norm)
        if recipe.clip_contribution:
            tidy = clip_small_contribution(tidy, slope, recipe.clip_contribution)
        if tidy is image:
            return image, opening
        self.params[...] = self._params(tidy)
        return self._read()

    def _read(self):
        """(I, dI / dz) of the parameters' z: z itself and 1, or read through a sigmoid of slope 1 at mid-grey."""
        z = self.space.image(self.params)
        if self.recipe.bounds != "sigmoid":
            return z, 1.0
        value = 1 / (1 + np.exp(-self._middle() - 4 * z))
        return value + self.black, 4 * value * (1 - value)

    def _params(self, image):
        """The parameters of an image; what is beyond the sigmoid's ends, as black and white are, is taken inside."""
        if self.recipe.bounds == "sigmoid":
            value = np.clip(image - self.black, 0.01, 0.99)
            image = (np.log(value / (1 - value)) - self._middle()) / 4
        return self.space.params(image)

    def _middle(self):
        """Where the sigmoid is the mean colour; of a net whose mean is black or white a grey, as the ends are flat."""
        mean = np.clip(-self.black, 0.2, 0.8)
        return np.log(mean / (1 - mean))

    def _noise(self):
        """Random parameters whose image has the root mean square _NOISE."""
        params = self.rng.standard_normal(self.params.shape)
        return params * (_NOISE / np.sqrt(np.mean(self.space.image(params) ** 2)))
