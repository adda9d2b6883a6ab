"""Train the net that ships, a LeNet on MNIST's digits.

    python -m minicnn.train.mnist_lenet DATA_DIR --out FILE --seed 0

Stochastic gradient descent with momentum; every step of it stands in `train`, the rule in optimisers.py.
"""

import argparse
import math
from dataclasses import replace

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..layers.softmax_cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from ..weights.store import save
from ..zoo import build
from .idx import read_mnist
from .optimisers import Momentum

EPOCHS, BATCH = 8, 64
RATE, MOMENTUM, DECAY = 0.03, 0.9, 5e-4
WARM_UP = 300  # steps: at the full rate the first ones would leave most ReLUs dead
MEAN, STD = 0.0, 0.3081  # black is 0, so that an image of zeros is one the net knows; STD of all training pixels
_TURN, _GROWTH, _SHIFT = 0.2, 0.15, 2  # at most: radians, part of the size, pixels


def train(images, labels, epochs=EPOCHS, seed=0):
    """A trained net; the same seed gives the same net, on the same machine with the same number of threads.

        v <- MOMENTUM * v - rate * (dw + DECAY * w),  w <- w + v

    rate rises to RATE in WARM_UP steps, and falls to 0 as a half cosine.

    images  (N, 28, 28) uint8, white on black
    labels  (N,) 0..9
    """
    rng = np.random.default_rng(seed)
    net = build("lenet_relu", seed=seed)
    weights = net.state_dict()  # the net's own arrays: what the optimiser adds to them, the net has
    optimiser = Momentum(MOMENTUM, DECAY)
    steps = epochs * (len(images) // BATCH)
    progress = tqdm(total=steps, unit="step", disable=None)
    for step in range(steps):
        if step % (len(images) // BATCH) == 0:
            order = rng.permutation(len(images))
        batch = order[:BATCH]
        order = order[BATCH:]
        rate = RATE * min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2

        x = to_input(moved(images[batch], rng))
        scores, tape = net.forward(x, until=net.scores, train=True, rng=rng, once=True)
        loss, cache = softmax_cross_entropy_forward(scores, labels[batch])
        _, grads = net.backward(softmax_cross_entropy_backward(1.0, cache), tape, wrt=False)
        optimiser.step(weights, grads, rate)

        progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
        progress.update()
    progress.close()
    return net


def moved(images, rng):
    """Each image turned, scaled and shifted a little, over black: MNIST's digits all have one size and one place."""
    angle = rng.uniform(-_TURN, _TURN, len(images))
    size = rng.uniform(1 - _GROWTH, 1 + _GROWTH, len(images))
    shift = rng.uniform(-_SHIFT, _SHIFT, (len(images), 2))
    cos, sin = np.cos(angle) / size, np.sin(angle) / size
    out = np.empty_like(images)
    for n, (dx, dy) in enumerate(14 + shift):
        # Where each new pixel is read, (a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f; 14 is the middle.
        a, b = cos[n], sin[n]
        there = (a, b, 14 - a * dx - b * dy, -b, a, 14 + b * dx - a * dy)
        image = Image.fromarray(images[n])
        out[n] = image.transform((28, 28), Image.Transform.AFFINE, there, Image.Resampling.BILINEAR)
    return out


def to_input(images):
    """What the net reads: (N, 28, 28) uint8 -> (N, 1, 28, 28) float32 = (pixel / 255 - MEAN) / STD."""
    return ((images[:, None] / np.float32(255) - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)


def accuracy(net, images, labels):
    """The part of the images, 0 to 1, whose largest score is their label's."""
    parts = range(0, len(images), 500)
    best = [net(to_input(images[i : i + 500]), until=net.scores).argmax(axis=1) for i in parts]
    return float((np.concatenate(best) == labels).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA_DIR", help="the folder of MNIST's four IDX files, gzipped or not")
    parser.add_argument("--out", metavar="FILE", required=True, help="the .safetensors file to write")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    args = parser.parse_args()

    net = train(*read_mnist(args.data, "train"), seed=args.seed)
    right = accuracy(net, *read_mnist(args.data, "t10k"))
    recipe = (
        f"{EPOCHS} epochs of SGD, batch {BATCH}, rate {RATE} after {WARM_UP} steps, momentum {MOMENTUM}, "
        f"decay {DECAY}, images turned, scaled and shifted, seed {args.seed}"
    )
    net.meta = replace(
        net.meta,
        range=1.0,
        mean=(MEAN,),
        std=(STD,),
        source=f"minicnn.train.mnist_lenet on MNIST: {recipe}; {right:.2%} of the test images right",
        licence="MIT",
    )
    save(net, args.out)
    print(f"{args.out}: {right:.2%} of the 10,000 test images right ({recipe})")


if __name__ == "__main__":
    main()
