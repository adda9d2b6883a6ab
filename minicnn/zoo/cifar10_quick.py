"""The small CIFAR-10 net of Caffe's examples: three convolutions, two linear layers, 32x32 photos."""

from ..layers import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, caffe_names
from .cifar10_classes import CIFAR10


def cifar10_quick(classes):
    """Caffe's examples/cifar10/cifar10_quick.prototxt; the first ReLU stands after its pool."""
    return [
        ("conv1", Conv2d(3, 32, 5, pad=2)),
        ("pool1", MaxPool2d(3, stride=2, ceil_mode=True)),
        ("relu1", ReLU()),
        ("conv2", Conv2d(32, 32, 5, pad=2)),
        ("relu2", ReLU()),
        ("pool2", AvgPool2d(3, stride=2, ceil_mode=True)),
        ("conv3", Conv2d(32, 64, 5, pad=2)),
        ("relu3", ReLU()),
        ("pool3", AvgPool2d(3, stride=2, ceil_mode=True)),
        ("pool3/flatten", Flatten()),
        ("ip1", Linear(64 * 4 * 4, 64)),
        ("ip2", Linear(64, classes)),
        ("prob", Softmax()),
    ]


# CIFAR-10's binary files hold red, green and blue, and Caffe's converter keeps that order: not BGR, as for ImageNet.
_INPUT = {
    "input_size": (3, 32, 32),
    "channel_order": "RGB",
    "range": 255.0,
    "mean": (125.36, 122.85, 113.39),
    "std": (1.0, 1.0, 1.0),
    "resize": "squash",
    "resize_to": 32,
}

ENTRIES = (
    Entry(
        name="cifar10_quick",
        nodes=cifar10_quick,
        preprocess={"caffe": _INPUT},
        sources={"caffe": caffe_names},
        about="CIFAR-10, three convolutions of 32, 32 and 64 maps; Caffe's example, about 75 % right",
        reference="Krizhevsky, cuda-convnet, layers-80sec.cfg; BVLC/caffe, examples/cifar10",
        licence="Caffe's own: BSD-2",
        classes=10,
        labels=CIFAR10,
    ),
)
