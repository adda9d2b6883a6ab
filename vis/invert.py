"""What a layer's code still knows of an image: the plainest image that has nearly the same code.

    E(y) = |Phi(s*y) - Phi0|^2 / |Phi0|^2 + lambda_a * sum |y|^alpha + lambda_V * TV_beta(y),    image = s * y

Phi(x) is the layer's output, Phi0 that of the image to be found again, TV_beta the total variation of regularisers.py.
s is the length of a usual image, so that y has about length 1, and the lambdas say what is usual [1, section 2.3]:

    s = 0.27 * sqrt(C*H*W)    lambda_a = s^alpha / (C*H*W * bound^alpha)    lambda_V = s^beta / (H*W * variation^beta)

in units of the net's contrast, range / std: between black and white lies 1. So the second term is about 1 where the
pixels are as far as `bound` from the mean colour, the third where neighbours differ by `variation`. The descent has
momentum, and begins at noise of length s:

    v <- momentum * v - rate * dE/dy,   y <- y + v

E is not convex: from another seed it ends at another image. What all of them have in common is what the code knows.

x       (N, C, H, W), preprocessed, of any size that the layer takes
images  (L, N, S, C, H, W) of the net's dtype: of each of L layers and N images, S inversions from different seeds
errors  (L, N, S) float64: |Phi(image) - Phi0| / |Phi0|, not squared
Both are of the lowest E that was met. Raises UsageError for a code that is all 0, and unless either unit or layers is
given.

alpha, beta and momentum are the paper's, and so is bound, which gives its lambda_a 2.16e8 for 227 x 227 pixels. Its
lambda_V is 0.5, 5 or 50 from the first layers to the last: variations of 0.66, 0.21 and 0.066. Here the variation falls
with the layer's depth, 8 / 200^depth, and passes these at 47, 69 and 91 % of it: nearer to the code of the first ones.
The rate falls to a tenth and a hundredth, as in the authors' program, here after 70 % and 90 % of the steps. There it
begins at 0.004; here higher, but is halved where E rises or stays: nets differ in what they bear. Ctrl-C keeps what
there is.

The picture: the image, then its inversions, each with its layer and the relative error of its code. Pale ones are
shown with more contrast, as by the authors' program: the 99.5 % quantile of |I| is at least half of white from black.

Caveat: what an inversion lacks the code may still have: the descent ends early, and the terms that keep the image plain
take off detail of which a deep code says little. What it shows may come from them and not from the code.
[1] Mahendran & Vedaldi, Understanding Deep Image Representations by Inverting Them, CVPR 2015, section 2

examples:
  minicnn vis invert demo/digits/3.png --unit conv2 --out pictures
  minicnn vis invert demo/digits/3.png --layers all --inversions 3 --steps 200 --out pictures
"""

from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..kernels.shapes import check_same
from ..layers.checks import check_number
from .counts import at_least_one
from .image import contrast, deprocess
from .pictures.colour import limit_of
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.code_descent import USUAL, Code, Descent, Terms
from .units import Unit, find_unit

_FIRST, _FALL = 8.0, 200.0  # the variation at depth 0, and the factor by which it is less at depth 1
_LEAST_CONTRAST = 0.5  # of the picture
_PHASES = (0.7, 1.0), (0.9, 0.1), (1.0, 0.01)  # up to this part of the steps, the rate times that


class Inversions(NamedTuple):
    """layers: the addresses of L layers; images (L, N, S, C, H, W); errors (L, N, S)."""

    layers: tuple
    images: Any
    errors: Any


def invert(
    net, x, unit=None, layers: str = "", inversions: int = 1, steps: int = 400, rate: float = 0.02,
    momentum: float = 0.9, alpha: float = 6.0, bound: float = 0.59, beta: float = 2.0, variation: float = 0.0,
    start=None, seed: int = 0, progress: bool = True,
):  # fmt: skip
    """What layers still know of images, as `Inversions`. The unit is a node, or a channel: then its map alone.

    layers      instead of a unit: nodes with spaces between, or "all": every one through which all has to pass
    inversions  how many of each code, from the seeds seed, seed + 1, ...
    steps       of the descent, >= 1
    rate        how far the first steps go, > 0
    momentum    what a step keeps of the one before, 0 or more and below 1
    alpha       the power of the pixels' term, >= 1
    bound       how far pixels usually are from the mean colour, > 0; inf for no such term
    beta        the power of the neighbours' term, > 0
    variation   by how much neighbours usually differ, > 0; inf for no such term; 0 for one by the layer's depth
    start       for Python: the images to begin at instead of noise, as x
    """
    units = _units(net, unit, layers)
    at_least_one(inversions=inversions, steps=steps)
    for name, value in (("bound", bound), ("variation", variation or 1)):
        check_number(name, value, lambda v: v > 0, "a number above 0")
    check_number("rate", rate, lambda v: 0 < v < float("inf"), "a number above 0")
    x = np.asarray(x)
    first = _first(net, x, start, inversions, seed)
    images, errors = [], []
    with kept_when_interrupted("invert"):
        ticks = iter(bar(steps * len(units), "invert", progress))
        for one in units:
            code = Code(net, one, np.repeat(x, inversions, axis=0))
            terms = Terms(alpha, bound, beta, variation or usual_variation(net, one.layer))
            descent = Descent(code, terms, first, momentum, rate)
            images.append(descent.best)
            errors.append(descent.errors)
            for step in range(steps):
                next(ticks)
                descent.step(next(slower for end, slower in _PHASES if step < end * steps))
        next(ticks, None)
    images = (np.array(images) * contrast(net.meta)).astype(net.dtype)
    shape = len(images), len(x), inversions
    return Inversions(
        tuple(map(str, units[: len(images)])), images.reshape(*shape, *x.shape[1:]), np.array(errors).reshape(shape)
    )


def trunk(net):
    """The names of the nodes through which everything has to pass on its way to the scores, in order."""
    before = net.nodes[: [node.name for node in net.nodes].index(net.scores) + 1]
    last_reader = {name: i for i, node in enumerate(before) for name in node.inputs}
    found, open_until = [], 0
    for i, node in enumerate(before):
        if max(open_until, last_reader.get(net.input, 0)) <= i:
            found.append(node.name)
        open_until = max(open_until, last_reader.get(node.name, 0))
    return found


def usual_variation(net, layer):
    """The default of `variation`, 8 / 200^depth; depth: the share of the trunk's nodes up to and with the layer."""
    names = [node.name for node in net.nodes]
    places = [names.index(name) for name in trunk(net)]
    depth = sum(place <= names.index(layer) for place in places) / len(places)
    return _FIRST / _FALL**depth


def _units(net, unit, layers):
    if (unit is None) == (not layers.split()):
        raise UsageError("give what to invert as a unit or as layers, one of both")
    if unit is not None:
        return [find_unit(net, unit)]
    return [Unit(net[name].name) for name in (trunk(net) if layers.strip() == "all" else layers.split())]


def _first(net, x, start, inversions, seed):
    """(N * S, C, H, W) float64: where the inversions begin, in units of the contrast."""
    scale = contrast(net.meta)
    if start is not None:
        start = np.asarray(start)
        check_same("start", start.shape, "x", x.shape)
        return np.repeat(start / scale, inversions, axis=0)
    noise = [np.random.default_rng(seed + s).standard_normal(x.shape[1:]) for s in range(inversions)]
    return np.tile([USUAL * one / np.sqrt(np.mean(one**2)) for one in noise], (len(x), 1, 1, 1))


def picture(result, net, x=None, unit=None):
    """The image and its inversions; of several layers and seeds a row each."""
    layers, images, errors = result
    L, N, S = errors.shape
    tiles, labels = [], []
    for n in range(N):
        for s in range(S):
            if x is not None and (s == 0 or L > 1):
                tiles.append(deprocess(x[n : n + 1], net.meta)[0])
                labels.append("image")
            for k, layer in enumerate(layers):
                tiles.append(deprocess(_strengthened(images[k, n, s][None], net), net.meta)[0])
                labels.append(f"{100 * errors[k, n, s]:.3g} %: {layer}")
    row = (L if L > 1 else S) + (x is not None)
    columns = row if N * S > 1 or row < 5 else None
    return grid(tiles, labels, columns=columns, title="relative error of the code", least=112)


def _strengthened(image, net):
    """(1, C, H, W) with at least _LEAST_CONTRAST."""
    reach = limit_of(image / contrast(net.meta), 0.995)
    return image * max(1.0, _LEAST_CONTRAST / reach)
