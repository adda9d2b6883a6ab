"""LeNet as Caffe has it: two convolutions, two linear layers, 28x28 digits."""

from ..layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, caffe_names
from .file import File


def lenet(classes):
    """Caffe's examples/mnist/lenet.prototxt; no ReLU between the convolutions."""
    return [
        ("conv1", Conv2d(1, 20, 5)),
        ("pool1", MaxPool2d(2, stride=2, ceil_mode=True)),
        ("conv2", Conv2d(20, 50, 5)),
        ("pool2", MaxPool2d(2, stride=2, ceil_mode=True)),
        ("pool2/flatten", Flatten()),
        ("ip1", Linear(800, 500)),
        ("relu1", ReLU()),
        ("ip2", Linear(500, classes)),
        ("prob", Softmax()),
    ]


def lenet_relu(classes):
    """The same with a ReLU after each convolution, for gradient rules to have something to edit."""
    nodes = []
    for name, layer in lenet(classes):
        nodes.append((name, layer))
        if isinstance(layer, Conv2d):
            nodes.append((f"relu_{name}", ReLU()))
    return nodes


# White on black, pixel/256.
_DIGITS = {
    "input_size": (1, 28, 28),
    "channel_order": "L",
    "range": 255 / 256,
    "mean": (0.0,),
    "std": (1.0,),
    "resize": "squash",
    "resize_to": 28,
}
_COMMON = {
    "reference": "LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, 1998",
    "classes": 10,
    "labels": tuple("0123456789"),
}
# Trained by examples/mnist/train_lenet.sh of Caffe's.
_FILE = File(
    "https://raw.githubusercontent.com/ethereon/caffe-tensorflow/d870c51e8fa3452cb210b378c78be7ba4dcc8cf0/"
    "examples/mnist/lenet_iter_10000.caffemodel",
    "caffe",
    sha256="846f9133807d2314ca63382069646ec8c11ac87881825efc6b5145339351f967",
    size=1_725_006,
)

ENTRIES = (
    Entry(
        name="lenet",
        nodes=lenet,
        preprocess={"caffe": _DIGITS},
        sources={"caffe": caffe_names},
        about="digits, 20-50-500, without ReLU between the convolutions",
        licence="Caffe's own: BSD-2",
        files=(_FILE,),
        **_COMMON,
    ),
    Entry(
        name="lenet_relu",
        nodes=lenet_relu,
        preprocess={"native": _DIGITS},
        about="digits, 20-50-500, with a ReLU after every convolution",
        licence="no published weights",
        **_COMMON,
    ),
)
