"""The smallest classifier of pictures: one weight a pixel and class, and a softmax.

    scores = W x + b,   loss = mean of -log softmax(scores)[label] + decay / 2 * |W|^2

trained by the pieces of `minicnn.train`: gradient descent with momentum, half of the images mirrored, the rate falling
as half a cosine.
"""

import numpy as np

from ...layers import Dropout, Flatten, Identity, Linear, LogSoftmax, Softmax
from ...meta import Meta
from ...net import Net
from ...train.augment import flip
from ...train.evaluate import evaluate
from ...train.loader import Arrays, Loader
from ...train.optimisers import Momentum
from ...train.schedules import Cosine
from ...train.trainer import Trainer
from ..progress import kept_when_interrupted

BATCH, RATE, DECAY = 128, 1e-3, 0.1
_TRANSPARENT = (Flatten, Dropout, Identity, Softmax, LogSoftmax)


def train_softmax(images, labels, classes, epochs=10, seed=0, progress=True):
    """A Net of one fully connected layer; Ctrl-C leaves it as it is then.

    images   (N, 3, H, W) uint8, RGB
    labels   (N,) 0..K-1
    classes  K names
    """
    size = images.shape[1:]
    meta = Meta("linear", size, "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "squash", max(size[1:]), tuple(classes))
    nodes = [("flat", Flatten()), ("fc", Linear(int(np.prod(size)), len(classes))), ("prob", Softmax())]
    net = Net(nodes, meta=meta).init(seed)
    for array in net.state_dict().values():
        array[:] = 0  # the loss has one minimum: nothing random is needed to leave zero
    loader = Loader(Arrays(images, labels), BATCH, seed, steps=(flip,), meta=meta)
    optimiser = Momentum(decay=DECAY, undecayed="fc.b")
    trainer = Trainer(net, loader, optimiser, Cosine(RATE, epochs * len(loader)), epochs, progress=progress)
    with kept_when_interrupted("linear"):
        trainer.run()
    return net


def accuracy(net, images, labels):
    """The part of the images, 0 to 1, that the net has right."""
    return evaluate(net, Loader(Arrays(images, labels), 500, meta=net.meta, shuffle=False)).accuracy


def is_linear(net):
    """Whether the scores are W x + b: one fully connected layer, and nothing else that changes numbers before it."""
    layers = [node.layer for node in net.nodes if not isinstance(node.layer, _TRANSPARENT)]
    return len(layers) == 1 and isinstance(layers[0], Linear) and isinstance(net[net.scores].layer, Linear)
