"""Training, timed as it runs: batches from the loader, augmented, into the loop's steps.

What is timed is `Trainer.train_step` on images drawn at random: first on one batch again and again, then on batches
from the loader, whose threads use the same cores. The part of the time in which the loop waits for a batch, and what
the threads take away from the steps, are together the loader's share.
"""

import time
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np

from ..train.adversarial import Attack
from ..train.augment import flip, random_crop
from ..train.loader import Arrays, Loader
from ..train.optimiser import biases_and_norms
from ..train.optimisers import Nesterov
from ..train.schedules import Constant
from ..train.standardise import standardise
from ..train.trainer import Trainer
from ..zoo import build

NET, BATCH = "cifar_vgg", 128


class Result(NamedTuple):
    """One way of training.

    work         "training" or "adversarial training"
    step_ms      median milliseconds of a step on one batch: forward, backward, and what moves the parameters
    images_per_s with the loader, from batch to batch
    share        the loader's: 1 - step_ms / the median time from batch to batch, not below 0
    """

    work: str
    net: str
    batch: int
    step_ms: float
    images_per_s: float
    share: float


def measure_all(steps=12):
    """The Result of training with and without an attack."""
    return [_measure("training", None, steps), _measure("adversarial training", Attack(), steps)]


def _measure(work, attack, steps):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH * (3 * steps + 2), 3, 32, 32)).astype(np.uint8)
    data = Arrays(images, rng.integers(0, 10, len(images)))
    net = build(NET, seed=0)
    loader = Loader(data, BATCH, steps=(partial(random_crop, pad=4), flip), meta=net.meta)
    trainer = Trainer(net, loader, Nesterov(undecayed=biases_and_norms), Constant(0.01), 1, attack=attack)
    x, labels = standardise(images[:BATCH], net.meta), data.labels[:BATCH]
    trainer.train_step(x, labels)
    alone, together = [], []
    # In turn, in blocks: the loader's threads rest after a few batches ahead, and what disturbs one disturbs the other.
    batches = iter(loader)
    for _ in range(3):
        alone += [_seconds(lambda: trainer.train_step(x, labels)) for _ in range(steps // 3)]
        next(batches)
        together += [_seconds(lambda: trainer.train_step(*next(batches))) for _ in range(steps // 3)]
    batches.close()
    share = max(0.0, 1 - median(alone) / median(together))
    return Result(work, NET, BATCH, 1e3 * median(alone), BATCH / median(together), share)


def _seconds(run):
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
