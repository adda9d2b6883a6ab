"""A photo changed by what no eye sees, until the net takes it for something else.

Without a unit the image is driven away from the class that the net finds in it; with one, to that class, whatever the
image: "ostrich". I is the image from 0, black, to 1, white; loss -log p(class), climbed away from the class that is
there, or descended to the one asked for:

    fgsm       I + eps * sign(d loss / d I)                                        one step [2]
    iterative  20 such steps of 1.25 * eps / 20, held to eps around each pixel     [3]
    pgd        the same from a random start, each 2.5 * eps / 20                   [4], train/adversarial.py
    pgd_l2     steps along the gradient in a ball, likewise from a random start    [4], pgd_l2.py
    deepfool   to the nearest boundary, as if the net were linear, again and again [5], deepfool.py
    szegedy    min c |r|^2 + loss by box-constrained L-BFGS, the largest c that works: the smallest distortion found
               [1], szegedy.py; needs the extra `optimise`; without a unit it goes to the second likeliest class

The result is held to black..white by all of them.

x      (N, C, H, W), preprocessed
out    (N, C, H, W) likewise, x where nothing was found. The distortion of n values is sqrt(sum r^2 / n) [1].
Raises UsageError for an unknown attack, MinicnnError for a net without meta, MissingExtraError.

eps 8/255 is usual for L-infinity since [4]'s CIFAR-10; for pgd_l2 it is the same distortion, sqrt(sum r^2 / n), which
no attack of that L-infinity exceeds; deepfool and szegedy have none. [3] takes steps of 1/255, 1.25 * eps of them for
small eps. 20 steps, for szegedy of L-BFGS at each c, are ours. Ctrl-C keeps what was found so far.

The picture: the image, what was added, that ten times, and the result, with what the net says of both. Mid-grey is no
change, and the scale is the pixels' own.

Caveat: distances are found, not proved: another attack may find a smaller one, and none found is no proof that there is
none. The smallest are less than half a level of 256 a pixel, and a file of whole levels may lose them.
[1] Szegedy et al., Intriguing properties of neural networks, ICLR 2014   [2] Goodfellow, Shlens & Szegedy, ICLR 2015
[3] Kurakin, Goodfellow & Bengio, Adversarial examples in the physical world, ICLR workshop 2017
[4] Madry et al., ICLR 2018   [5] Moosavi-Dezfooli, Fawzi & Frossard, CVPR 2016

examples:
  minicnn vis fool demo/digits/3.png --unit 8 --out pictures
  minicnn vis fool demo/digits/3.png demo/digits/5.png --attack deepfool --json
"""

from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..kernels.errors import DTypeError
from ..train.adversarial import Attack
from .attacks.deepfool import nearest_boundary
from .attacks.pgd_l2 import climb_in_ball
from .attacks.szegedy import smaller_distortions
from .counts import at_least_one
from .image import deprocess, require_meta
from .pictures.colour import channel_order, signed_rgb
from .pictures.predictions import captions
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.unit_box import UnitBox, check_pictures, class_scores, find_target

BATCH = 8  # images that are attacked at once


class Task(NamedTuple):
    """What an attack is given; x (N, C, H, W), labels (N,) the classes to leave or, if targeted, to reach."""

    net: Any
    box: UnitBox
    x: np.ndarray
    labels: np.ndarray
    targeted: bool
    eps: float
    steps: int
    rng: np.random.Generator


def fool(
    net,
    x,
    unit=None,
    attack: str = "pgd",
    eps: float = 8.0,
    steps: int = 20,
    progress: bool = True,
    seed: int = 0,
):
    """The images changed until the net takes them for another class, (N, C, H, W), preprocessed.

    attack  fgsm, iterative, pgd, pgd_l2, deepfool or szegedy
    eps     how far a pixel may move, in levels of 256; for pgd_l2 the root mean square of how far they move
    steps   how often the image is moved; at most, for deepfool; for szegedy in each of its searches
    seed    of pgd's random start
    """
    _check(net, x, attack, eps, steps)
    box = UnitBox(net, x.shape[1:])
    scores = np.concatenate([class_scores(net, x[n : n + 1]) for n in range(len(x))])
    targeted = unit is not None
    labels = np.full(len(x), find_target(net, unit, scores.shape[1])) if targeted else scores.argmax(axis=1)
    if attack == "szegedy" and not targeted:
        labels, targeted = np.argsort(-scores, axis=1, kind="stable")[:, 1], True
    out = x.copy()
    with kept_when_interrupted("fool"), bar(len(x), "fool", progress) as shown:
        size = 1 if attack == "szegedy" else BATCH
        for n in range(0, len(x), size):
            part = slice(n, n + size)
            rng = np.random.default_rng([seed, n])
            for found in ATTACKS[attack](Task(net, box, x[part], labels[part], targeted, eps, steps, rng)):
                out[part] = found
            shown.update(len(x[part]))
    return out


def _check(net, x, attack, eps, steps):
    require_meta(net.meta)
    if attack not in ATTACKS:
        raise UsageError(f"attack is {attack!r}, expected {', '.join(ATTACKS)}")
    if not 0 < eps <= 255:
        raise UsageError(f"eps is {eps}, expected a number above 0, at most 255")
    at_least_one(steps=steps)
    check_pictures(net, x)
    if x.dtype != net.dtype:
        raise DTypeError(f"x is {x.dtype}, the net computes in {net.dtype}; convert one with astype")


def _cube(task, step, steps, start):
    """The attacks within eps of each pixel; steps of `step` in levels."""
    attack = Attack(task.eps, step, steps, start, task.targeted)
    yield attack(task.net, task.x, task.labels, task.rng)


def _fgsm(task):
    return _cube(task, task.eps, 1, start=False)


def _iterative(task):
    return _cube(task, min(1.25 * task.eps / task.steps, 255), task.steps, start=False)


def _pgd(task):
    return _cube(task, min(2.5 * task.eps / task.steps, 255), task.steps, start=True)


def _pgd_l2(task):
    pictures = task.box.pictures(task.x)
    length = task.eps / 255 * np.sqrt(pictures[0].size)
    moved = climb_in_ball(task.box, pictures, task.labels, task.targeted, length, task.steps, task.rng)
    yield task.box.inputs(moved)


def _deepfool(task):
    yield task.box.inputs(nearest_boundary(task.box, task.box.pictures(task.x), task.labels, task.targeted, task.steps))


def _szegedy(task):
    for found in smaller_distortions(task.box, task.box.pictures(task.x), task.labels[0], task.steps):
        yield task.box.inputs(found)


ATTACKS = {
    "fgsm": _fgsm,
    "iterative": _iterative,
    "pgd": _pgd,
    "pgd_l2": _pgd_l2,
    "deepfool": _deepfool,
    "szegedy": _szegedy,
}


def distortion(net, x, moved):
    """(N,) sqrt(sum r^2 / n) of each image, black to white being 1."""
    box = UnitBox(net, x.shape[1:])
    return np.sqrt(np.square(box.pictures(moved) - box.pictures(x)).mean(axis=(1, 2, 3)))


def picture(result, net, x, unit=None):
    """A row an image: the image, the distortion, ten times the distortion, the result."""
    box = UnitBox(net, x.shape[1:])
    added = box.pictures(result) - box.pictures(x)
    columns = [deprocess(x, net.meta), *(_levels(added, channel_order(net), k) for k in (1, 10))]
    columns.append(deprocess(result, net.meta))
    before, after = captions(net, x), captions(net, result)
    labels = [text for n in range(len(x)) for text in (before[n], "distortion", "10 x distortion", after[n])]
    tiles = [column[n] for n in range(len(x)) for column in columns]
    mean, most = 255 * distortion(net, x, result).mean(), 255 * np.abs(added).max()
    title = f"distortion {mean:.2f} levels of 256, at most {most:.2f} a pixel"
    return grid(tiles, labels, columns=4, title=title, least=112)


def _levels(added, order, factor):
    """(N, C, H, W) differences as (N, H, W, 3) uint8: 128 + 255 * factor * difference."""
    three = np.repeat(added, 3, axis=1) if added.shape[1] == 1 else added
    return signed_rgb(three, order, limit=128 / 255 / factor)
