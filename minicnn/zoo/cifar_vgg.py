"""VGG's pattern for small images: 3x3 convolutions, ReLUs, max pools, no shortcuts; each with batch norm."""

from ..layers import BatchNorm2d, Conv2d, Flatten, GlobalMaxPool, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry
from .cifar10_classes import CIFAR10

# One tuple a block, a pool between two of them. A block widens before its pool, where VGG does after it: most of the
# multiply-adds of the large maps then read few channels.
_CIFAR = ((32, 64), (64, 128), (128, 192), (192, 192))
_SHAPES = ((16,), (32, 32), (64, 64), (96,))
_SHAPE_NAMES = ("arrow", "circle", "crescent", "cross", "flower", "heart", "ring", "square", "star", "triangle")


def cifar_vgg(classes):
    """32x32: eight convolutions, the last maps are 4x4."""
    return [*_blocks(_CIFAR), ("flatten", Flatten()), ("fc", Linear(192 * 4 * 4, classes)), ("prob", Softmax())]


def shapes_vgg(classes):
    """64x64: six convolutions; a unit of the last maps, 8x8, sees 52 pixels, and where it is strongest alone counts."""
    head = [("pool", GlobalMaxPool()), ("flatten", Flatten()), ("fc", Linear(96, classes)), ("prob", Softmax())]
    return [*_blocks(_SHAPES), *head]


def _blocks(blocks):
    nodes, channels = [], 3
    for block, widths in enumerate(blocks, 1):
        if block > 1:
            nodes.append((f"pool{block - 1}", MaxPool2d(2)))
        for i, width in enumerate(widths, 1):
            nodes += [
                (f"conv{block}_{i}", Conv2d(channels, width, 3, pad=1, bias=False)),
                (f"bn{block}_{i}", BatchNorm2d(width)),
                (f"relu{block}_{i}", ReLU()),
            ]
            channels = width
    return nodes


_COMMON = {
    "reference": "Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
    "licence": "no published weights",
}


def _input(size, mean, std):
    return {
        "native": {
            "input_size": (3, size, size),
            "channel_order": "RGB",
            "range": 1.0,
            "mean": mean,
            "std": std,
            "resize": "squash",
            "resize_to": size,
        }
    }


ENTRIES = (
    Entry(
        name="cifar_vgg",
        nodes=cifar_vgg,
        # Of CIFAR-10's training pixels.
        preprocess=_input(32, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        about="32x32, eight convolutions with batch norm, no shortcuts",
        classes=10,
        labels=CIFAR10,
        **_COMMON,
    ),
    Entry(
        name="shapes_vgg",
        nodes=shapes_vgg,
        preprocess=_input(64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        about="64x64, six convolutions with batch norm, for drawn shapes",
        classes=10,
        labels=_SHAPE_NAMES,
        **_COMMON,
    ),
)
