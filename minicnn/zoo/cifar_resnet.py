"""ResNets for CIFAR-10 with 20, 32, 44, 56 and 110 layers: three stages, shortcuts without parameters."""

from functools import partial
from string import ascii_lowercase

from ..layers import AvgPool2d, BatchNorm2d, Conv2d, Flatten, GlobalAvgPool, Linear, Pad, ReLU, Softmax
from .base import Entry, torch_names, torchvision_input
from .cifar10_classes import CIFAR10
from .file import File
from .resnet import BASIC, residual_stage, torch_module


def cifar_resnet(depth, classes):
    """depth: 6n + 2, for n blocks in each stage (section 4.2 of the paper)."""
    nodes = [
        ("conv1", Conv2d(3, 16, 3, pad=1, bias=False)),
        ("bn_conv1", BatchNorm2d(16)),
        ("conv1_relu", ReLU()),
    ]
    channels = 16
    for stage, width in ((2, 16), (3, 32), (4, 64)):
        letters = ascii_lowercase[: (depth - 2) // 6]
        nodes += residual_stage(stage, letters, nodes[-1][0], channels, width, BASIC, subsample)
        channels = width
    return [
        *nodes,
        ("pool4", GlobalAvgPool()),
        ("pool4/flatten", Flatten()),
        ("fc10", Linear(channels, classes)),
        ("prob", Softmax()),
    ]


def subsample(name, source, channels, out, stride):
    """The paper's option A: every other row and column, and channels of zeros, half of them before the others."""
    before = (out - channels) // 2
    return [
        (f"res{name}_subsample", AvgPool2d(1, stride), source),
        (f"res{name}_zeros", Pad(((0, 0), (before, out - channels - before), (0, 0), (0, 0)))),
    ]


_INPUT = {**torchvision_input(32), "resize": "squash", "resize_to": 32}

# The first eight digits of the file's sha256, which are in its name, and 100 - its test error, of akamaster's README.
_PUBLISHED = {
    20: ("12fca82f", 91.73),
    32: ("d509ac18", 92.63),
    44: ("014dd654", 93.1),
    56: ("4bfd9763", 93.39),
    110: ("1d1ed7c2", 93.68),
}


def _file(depth):
    digits, top1 = _PUBLISHED[depth]
    folder = "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/master/pretrained_models"
    return File(f"{folder}/resnet{depth}-{digits}.th", "torch", sha256=digits, top1=top1)


ENTRIES = tuple(
    Entry(
        name=f"cifar_resnet{depth}",
        nodes=partial(cifar_resnet, depth),
        preprocess={"torch": _INPUT},
        sources={"torch": torch_names(lambda node: "linear" if node == "fc10" else torch_module(node))},
        about=f"CIFAR-10, {depth} layers in residual blocks",
        reference="He, Zhang, Ren & Sun, Deep residual learning for image recognition, CVPR 2016, section 4.2",
        licence="akamaster/pytorch_resnet_cifar10: BSD-2",
        classes=10,
        labels=CIFAR10,
        files=(_file(depth),),
    )
    for depth in _PUBLISHED
)
