"""GoogLeNet with batch normalisation in place of biases and of the local response normalisation, as torchvision has it.

Node names are those of `googlenet`, with /bn for the normalisations; two windows differ: the last halving is 2x2, and
the modules' branch of 5x5 is one of 3x3 (a slip in the conversion that the published weights were made with, see
pytorch/vision issue 906).
"""

from ..layers import BatchNorm2d, Concat, Conv2d, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, torch_names, torchvision_input
from .file import torchvision_file
from .googlenet import MODULES
from .imagenet import IMAGENET


def googlenet_bn(classes):
    nodes = [
        *_conv("conv1", "7x7_s2", "data", 3, 64, 7, stride=2, pad=3),
        ("pool1/3x3_s2", _halve(3)),
        *_conv("conv2", "3x3_reduce", "pool1/3x3_s2", 64, 64, 1),
        *_conv("conv2", "3x3", "conv2/relu_3x3_reduce", 64, 192, 3, pad=1),
        ("pool2/3x3_s2", _halve(3)),
    ]
    channels = 192
    for name, widths in MODULES.items():
        if widths is None:
            nodes.append(("pool4/2x2_s2", _halve(2)) if name == "pool4/3x3_s2" else (name, _halve(3)))
        else:
            nodes += inception_bn(f"inception_{name}", nodes[-1][0], channels, *widths)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
    return [
        *nodes,
        ("pool5/7x7_s1", GlobalAvgPool()),
        ("pool5/flatten", Flatten()),
        ("pool5/drop_7x7_s1", Dropout(0.2)),
        ("loss3/classifier", Linear(channels, classes)),
        ("prob", Softmax()),
    ]


def inception_bn(name, source, channels, one, reduce3, three, reduce5, five, projection):
    """One module: four branches that read `source`, side by side along the channels."""
    branches = ("1x1", "3x3", "5x5", "pool_proj")
    return [
        *_conv(name, "1x1", source, channels, one, 1),
        *_conv(name, "3x3_reduce", source, channels, reduce3, 1),
        *_conv(name, "3x3", f"{name}/relu_3x3_reduce", reduce3, three, 3, pad=1),
        *_conv(name, "5x5_reduce", source, channels, reduce5, 1),
        *_conv(name, "5x5", f"{name}/relu_5x5_reduce", reduce5, five, 3, pad=1),
        (f"{name}/pool", MaxPool2d(3, stride=1, pad=1, ceil_mode=True), source),
        *_conv(name, "pool_proj", f"{name}/pool", channels, projection, 1),
        (f"{name}/output", Concat(), tuple(f"{name}/relu_{part}" for part in branches)),
    ]


def _conv(name, part, source, channels, width, kernel, **geometry):
    return [
        (f"{name}/{part}", Conv2d(channels, width, kernel, bias=False, **geometry), source),
        (f"{name}/{part}/bn", BatchNorm2d(width, eps=0.001)),
        (f"{name}/relu_{part}", ReLU()),
    ]


def _halve(kernel):
    return MaxPool2d(kernel, stride=2, ceil_mode=True)


_STEM = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2", "conv2/3x3": "conv3"}
_BRANCHES = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
}


def _module(node):
    """The path of a node's module: inception_3a/3x3/bn -> inception3a.branch2.1.bn."""
    if node == "loss3/classifier":
        return "fc"
    conv = node.removesuffix("/bn")
    name, part = conv.split("/")
    path = _STEM.get(conv) or f"{name.replace('_', '')}.{_BRANCHES[part]}"
    return f"{path}.{'conv' if conv == node else 'bn'}"


# The weights were converted from a net that takes -1..1; torchvision's net turns its usual input into that by itself
# (transform_input), minicnn prepares the image so: (pixel/255 - 0.5) / 0.5.
_INPUT = {**torchvision_input(), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

ENTRIES = (
    Entry(
        name="googlenet_bn",
        nodes=googlenet_bn,
        preprocess={"torch": _INPUT},
        sources={"torch": torch_names(_module)},
        about="ImageNet, 22 layers, inception modules with batch normalisation; torchvision's",
        reference="Szegedy et al., Going deeper with convolutions, CVPR 2015; Ioffe & Szegedy, ICML 2015",
        licence="torchvision's: BSD-3",
        ignored=("aux1.", "aux2."),  # the auxiliary heads, which only training reads
        labels=IMAGENET,
        files=(torchvision_file("googlenet-1378be20.pth", 49.731, top1=69.778),),
    ),
)
