"""Pictures that show nothing, and that the net is sure about.

Three ways to make one, each until the class's probability after the softmax is `confidence`:

    gradient  I <- I + step * g / |g|, held to black..white;  g = d log p(class) / d I, from mean colour and faint noise
    direct    evolution of the pixels themselves
    cppn      evolution of small nets that draw pictures, which are regular

Evolution needs no gradient: among its children it keeps the best found so far for every class at once (MAP-Elites);
with a unit, for that class alone. A step is a generation there.

out   (M, C, H, W), preprocessed: of the unit; without one, of the `count` classes with the most confidence (or, by
      gradient, of `count` classes spread evenly), the surest first
Raises UsageError where the unit is no class, MinicnnError for a net without meta.

0.996 is the confidence of the paper's first figure, 200 children and 1,000 generations its authors' for MNIST (for
ImageNet they took 400 and 5,000: days on a processor), the noise of the start theirs too. The gradient's step, a root
mean square of 1 in 255, is ours. What changes from parent to child, with its source, stands in direct.py and cppn.py.
Ctrl-C keeps the pictures so far. On one core of a busy machine, 12 minutes of GoogLeNet are 8,000 pictures (the paper's
are two million): by cppn with 40 children they brought 7 of the 1,000 classes to 0.996 and 172 over a half, by gradient
half a minute brings ten classes there.

The picture: what was made, with the class that the net finds in it and how sure it is; where the class that it was
bred for is not the likeliest yet, that is another's name.

Caveat: that such pictures are found says how much lies in the net's classes beside objects, not that the net would
meet them: they are searched for with the net in hand. And they are one search's: other seeds give other pictures.
Nguyen, Yosinski & Clune, Deep Neural Networks are Easily Fooled, CVPR 2015

examples:
  minicnn vis fooling --out pictures
  minicnn vis fooling --unit 3 --way gradient --out pictures
"""

import numpy as np

from ..errors import UsageError
from ..train.standardise import standardise
from .counts import at_least_one
from .evolution.cppn import Cppn
from .evolution.direct import Direct
from .evolution.map_elites import evolve
from .image import deprocess, require_meta
from .pictures.predictions import captions
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.unit_box import UnitBox, class_scores, find_target, log_loss, softmax

ENCODINGS = {"direct": Direct, "cppn": Cppn}
NOISE = 1 / 255  # standard deviation of the start
STEP = 1 / 255  # root mean square of a step along the gradient
BATCH = 25  # pictures that the net sees at once


def fooling(
    net,
    unit=None,
    way: str = "cppn",
    steps: int = 1000,
    confidence: float = 0.996,
    children: int = 200,
    count: int = 16,
    progress: bool = True,
    seed: int = 0,
):
    """Pictures that the net is sure about and that show nothing, (M, C, H, W), preprocessed.

    way         gradient, direct or cppn
    steps       at most so many generations, or steps along the gradient
    confidence  the probability at which a class is done
    children    new pictures a generation
    count       without a unit: for how many classes
    seed        of all that is drawn by chance
    """
    _check(way, steps, confidence, children, count)
    require_meta(net.meta)
    box = UnitBox(net, net.meta.input_size)
    grey = box.pictures(np.zeros((1, *net.meta.input_size)))
    classes = box.scores(grey).shape[1]
    wanted = None if unit is None else find_target(net, unit, classes)
    rng = np.random.default_rng(seed)
    if way == "gradient":
        few = np.linspace(0, classes - 1, min(count, classes)).round().astype(int)
        return _ascend(box, grey, few if wanted is None else [wanted], steps, confidence, progress, rng)
    goals = slice(None) if wanted is None else [wanted]
    encoding = ENCODINGS[way](net.meta.input_size)
    elites = _evolve(net, encoding, goals, steps, confidence, children, progress, rng)
    return _surest(net, encoding, elites, count)


def _check(way, steps, confidence, children, count):
    if way not in ("gradient", *ENCODINGS):
        raise UsageError(f"way is {way!r}, expected gradient, {' or '.join(ENCODINGS)}")
    at_least_one(steps=steps, children=children, count=count)
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}, expected a number between 0 and 1")


def _ascend(box, grey, classes, steps, confidence, progress, rng):
    """x (M, C, H, W), one a class, the surest first."""
    pictures = np.clip(grey + NOISE * rng.standard_normal((len(classes), *grey.shape[1:])), 0, 1)
    shares = np.zeros(len(classes))
    shown = bar(steps * len(classes), "fooling", progress)
    with kept_when_interrupted("fooling"), shown:
        for m, label in enumerate(classes):
            for _ in range(steps):
                scores, tape = box.forward(pictures[m : m + 1])
                shares[m] = softmax(scores)[0, label]
                shown.update()
                if shares[m] >= confidence:
                    break
                slope = -box.gradient(tape, log_loss(scores, [label])[1])
                size = np.sqrt(np.square(slope).mean()) or 1.0
                pictures[m : m + 1] = np.clip(pictures[m : m + 1] + STEP * slope / size, 0, 1)
    return box.inputs(pictures[np.argsort(-shares, kind="stable")])


def _evolve(net, encoding, goals, steps, confidence, children, progress, rng):
    """The Elites after so many generations, or as soon as every goal has reached the confidence."""
    generations = evolve(encoding, _judge(net, goals), children, rng)
    elites = next(generations)  # before it there is nothing that an interruption could keep
    with kept_when_interrupted("fooling"), bar(steps - 1, "fooling", progress) as shown:
        for _ in shown:
            if elites.values.min() >= confidence:
                break
            next(generations)
            shown.set_postfix_str(f"{elites.values.mean():.3f} on average, {elites.values.min():.3f} at least")
    return elites


def _judge(net, goals):
    """pictures (N, C, H, W) uint8 -> the probabilities (N, goals) of the classes that are looked for."""

    def judge(pictures):
        x = standardise(pictures, net.meta).astype(net.dtype)
        parts = [class_scores(net, x[n : n + BATCH]) for n in range(0, len(x), BATCH)]
        return softmax(np.concatenate(parts))[:, goals]

    return judge


def _surest(net, encoding, elites, count):
    best = np.argsort(-elites.values, kind="stable")[:count]
    pictures = np.stack([encoding.picture(elites.genomes[goal]) for goal in best])
    return standardise(pictures, net.meta).astype(net.dtype)


def picture(result, net, x=None, unit=None):
    """One tile a picture, with the class that the net finds in it."""
    return grid(deprocess(result, net.meta), captions(net, result), least=112)
