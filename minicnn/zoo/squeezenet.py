"""SqueezeNet 1.0 and 1.1: fire modules, no linear layer."""

from ..layers import Concat, Conv2d, Dropout, Flatten, GlobalAvgPool, ReLU, Softmax
from .base import Entry, caffe_input, caffe_names, torchvision_input, torchvision_names
from .file import caffe_file, torchvision_file
from .imagenet import IMAGENET
from .parts import halve

# The channels that each fire module squeezes to, and that each of its two halves expands to.
_FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def squeezenet1_0(classes):
    return _squeezenet(Conv2d(3, 96, 7, stride=2), pools=(4, 8), classes=classes)


def squeezenet1_1(classes):
    return _squeezenet(Conv2d(3, 64, 3, stride=2), pools=(3, 5), classes=classes)


def _squeezenet(conv1, pools, classes):
    """pools: the fire modules after which the image is halved."""
    channels = conv1.param_shapes["b"][0]
    nodes = [("conv1", conv1), ("relu_conv1", ReLU()), ("pool1", halve())]
    for i, (squeezed, expanded) in _FIRES.items():
        nodes += fire(f"fire{i}", nodes[-1][0], channels, squeezed, expanded)
        channels = 2 * expanded
        if i in pools:
            nodes.append((f"pool{i}", halve()))
    return [
        *nodes,
        ("drop9", Dropout(0.5)),
        ("conv10", Conv2d(channels, classes, 1)),
        ("relu_conv10", ReLU()),
        ("pool10", GlobalAvgPool()),
        ("pool10/flatten", Flatten()),
        ("prob", Softmax()),
    ]


def fire(name, source, channels, squeezed, expanded):
    """One module: squeeze to few channels, expand by 1x1 and 3x3 windows side by side."""
    return [
        (f"{name}/squeeze1x1", Conv2d(channels, squeezed, 1), source),
        (f"{name}/relu_squeeze1x1", ReLU()),
        (f"{name}/expand1x1", Conv2d(squeezed, expanded, 1)),
        (f"{name}/relu_expand1x1", ReLU()),
        (f"{name}/expand3x3", Conv2d(squeezed, expanded, 3, pad=1), f"{name}/relu_squeeze1x1"),
        (f"{name}/relu_expand3x3", ReLU()),
        (f"{name}/concat", Concat(), (f"{name}/relu_expand1x1", f"{name}/relu_expand3x3")),
    ]


_TORCH = torchvision_names(classifier="drop9")
_COMMON = {
    "reference": "Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360",
    "licence": "the authors' and torchvision's: BSD",
    "labels": IMAGENET,
}

ENTRIES = (
    Entry(
        name="squeezenet1_0",
        nodes=squeezenet1_0,
        # The authors' Caffe net pads conv10 by 1, the paper and torchvision do not: its weights would not fit.
        preprocess={"torch": torchvision_input()},
        sources={"torch": _TORCH},
        about="ImageNet, 1.2 million parameters, fire modules; torchvision's",
        files=(torchvision_file("squeezenet1_0-b66bff10.pth", 4.778, top1=58.092),),
        **_COMMON,
    ),
    Entry(
        name="squeezenet1_1",
        nodes=squeezenet1_1,
        preprocess={"caffe": caffe_input(227), "torch": torchvision_input()},
        sources={"caffe": caffe_names, "torch": _TORCH},
        about="ImageNet, 1.2 million parameters, 2.4 times less work than 1.0",
        files=(
            torchvision_file("squeezenet1_1-b8a52dc0.pth", 4.729, top1=58.178),
            caffe_file(
                "https://raw.githubusercontent.com/forresti/SqueezeNet/master/SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
                "3397f026368a45ae236403ccc81cfcbe8ebe1bd0",
                4.72,
                mirrors=(
                    "https://raw.githubusercontent.com/DeepScale/SqueezeNet/master/SqueezeNet_v1.1/"
                    "squeezenet_v1.1.caffemodel",
                ),
            ),
        ),
        **_COMMON,
    ),
)
