"""Images on their way to a code: the descent of `invert`, many images side by side, each on its own.

    E(y) = |Phi(s*y) - Phi0|^2 / |Phi0|^2 + mean of |I/bound|^alpha + TV_beta(I/variation) / (H*W),    I = s*y

is the energy of invert.py with its lambdas multiplied out; I is the image in units of the net's contrast, range / std.
"""

from typing import NamedTuple

import numpy as np

from ...errors import UsageError
from ...train.optimisers import Momentum
from ..image import contrast
from ..passes import look, on_device, to_host, walk
from ..rules import RULES
from .regularisers import alpha_norm, total_variation

USUAL = 0.27
"""How far a photo's pixels are from the mean colour, in the root mean square: the length 27,098 of the authors' images
(3 x 227 x 227 pixels of 0 to 255; their program's x0_sigma) is 0.27 * 255 a pixel."""

_RISE = 0.5  # of the best E so far; the swing of the momentum is less
_PATIENCE = 10  # steps without a better E; at too high a rate it swings about the same value for good


class Terms(NamedTuple):
    """What keeps an image plain; see invert.py. bound or variation inf: without that term."""

    alpha: float
    bound: float
    beta: float
    variation: float

    def energy(self, image):
        """(values (N,), slope (N, C, H, W)) of both terms, for I of the formula."""
        pixels, dpixels = alpha_norm(image / self.bound, self.alpha)
        changes, dchanges = total_variation(image / self.variation, self.beta)
        C, H, W = image.shape[1:]
        values = pixels / (C * H * W) + changes / (H * W)
        return values, dpixels / (self.bound * C * H * W) + dchanges / (self.variation * H * W)


class Code:
    """What is to be found again: a unit's values for each of N images.

    unit  a Unit: a node is all of its values, a channel its map, a position one number
    x     (N, C, H, W), preprocessed
    Raises UsageError for a code that is all 0.
    """

    def __init__(self, net, unit, x):
        self.net, self.unit = net, unit
        self._where = (slice(None), *(() if unit.channel is None else (unit.channel,)), *(unit.position or ()))
        self._values = self._read(look(net, x, unit)[0])
        self._size = _each(self._values**2)
        if not self._size.all():
            raise UsageError(f"{unit} is 0 for image {int(self._size.argmin())}: there is no code to find again")

    def distance(self, x):
        """(d (N,), dx): |Phi(x) - Phi0|^2 / |Phi0|^2 of each image, and its gradient (N, C, H, W)."""
        tape, dout = look(self.net, x, self.unit)
        away = self._read(tape) - self._values
        dout = np.zeros(dout.shape, self.net.dtype)
        dout[self._where] = (2 * away.T / self._size).T
        return _each(away**2) / self._size, walk(self.net, tape, on_device(self.net, dout), RULES["gradient"])

    def _read(self, tape):
        return to_host(self.net, tape.out(self.unit.layer))[self._where].astype(np.float64)


def _each(values):
    return values.reshape(len(values), -1).sum(axis=1)


class Descent:
    """N images on their way, each by its own rate; the best of each is kept.

        descent = Descent(code, terms, first, momentum=0.9, rate=0.02)
        for step in range(steps):
            descent.step(slower=1.0)

    code    a Code of N images
    first   (N, C, H, W) float64, where they begin, in units of the contrast
    rate    each image's own first rate. Where E is no number, half above its best, or no better for ten steps, it is
            too high: the image goes back to where it was best, comes to rest, and its rate is halved
    best    (N, C, H, W), the images with the lowest energy (N,) so far; errors (N,), |Phi - Phi0| / |Phi0| of these
    """

    def __init__(self, code, terms, first, momentum, rate):
        self.code, self.terms = code, terms
        self.contrast = contrast(code.net.meta)
        self.length = USUAL * np.sqrt(first[0].size)
        self.image, self.best = first.copy(), first.copy()
        self.energy, self.errors = np.full(len(first), np.inf), np.full(len(first), np.inf)
        self.rates = np.full(len(first), float(rate))
        self.waited = np.zeros(len(first), int)  # steps since the best one
        self.optimiser = Momentum(momentum, decay=0.0)
        self._slower = 1.0

    def step(self, slower=1.0):
        """One step of every image, by its rate times `slower`; all come to rest where that changes."""
        if slower != self._slower:
            self.optimiser.state.clear()
            self._slower = slower
        energy, distance, slope = self.look()
        for n in range(len(energy)):
            if energy[n] < self.energy[n]:
                self.best[n], self.energy[n], self.errors[n] = self.image[n], energy[n], np.sqrt(distance[n])
                self.waited[n] = 0
            else:
                self.waited[n] += 1
                if self.waited[n] == _PATIENCE or not energy[n] <= self.energy[n] * (1 + _RISE):
                    self._go_back(n)
                    continue
            # dE/dy = s * dE/dI, and a step of y is one of s times that of I.
            self.optimiser.step({str(n): self.image[n]}, {str(n): self.length**2 * slope[n]}, self.rates[n] * slower)

    def _go_back(self, n):
        self.image[n], self.rates[n], self.waited[n] = self.best[n], self.rates[n] / 2, 0
        self.optimiser.state.pop(str(n), None)

    def look(self):
        """(E (N,), the part of it that the code is (N,), dE/dI (N, C, H, W)) of the images as they are."""
        distance, dx = self.code.distance((self.image * self.contrast).astype(self.code.net.dtype))
        plain, slope = self.terms.energy(self.image)
        return distance + plain, distance, slope + dx * self.contrast
