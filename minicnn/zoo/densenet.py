"""DenseNet-121: every layer reads all earlier ones of its block. Layer names of the Caffe model that was published."""

import re

from ..layers import (
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
)
from .base import Entry, torch_names, torchvision_input
from .file import torchvision_file
from .imagenet import IMAGENET

_GROWTH = 32  # the channels that one layer adds
_BLOCKS = (6, 12, 24, 16)  # table 1 of the paper, blocks 1 to 4, which stand in stages 2 to 5


def densenet121(classes):
    nodes = [
        ("conv1", Conv2d(3, 64, 7, stride=2, pad=3, bias=False)),
        ("conv1/bn", BatchNorm2d(64)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(3, stride=2, pad=1)),
    ]
    channels = 64
    for stage, count in enumerate(_BLOCKS, 2):
        for i in range(1, count + 1):
            nodes += dense_layer(f"{stage}_{i}", nodes[-1][0], channels)
            channels += _GROWTH
        nodes += [(f"conv{stage}_blk/bn", BatchNorm2d(channels)), (f"relu{stage}_blk", ReLU())]
        if stage < 5:
            nodes += [
                (f"conv{stage}_blk", Conv2d(channels, channels // 2, 1, bias=False)),
                (f"pool{stage}", AvgPool2d(2, stride=2)),
            ]
            channels //= 2
    return [
        *nodes,
        ("pool5", GlobalAvgPool()),
        ("pool5/flatten", Flatten()),
        ("fc6", Linear(channels, classes)),
        ("prob", Softmax()),
    ]


def dense_layer(name, source, channels):
    """One layer, 2_1: it squeezes to 4 times what it adds, and hands on what it read with what it adds."""
    return [
        (f"conv{name}/x1/bn", BatchNorm2d(channels), source),
        (f"relu{name}/x1", ReLU()),
        (f"conv{name}/x1", Conv2d(channels, 4 * _GROWTH, 1, bias=False)),
        (f"conv{name}/x2/bn", BatchNorm2d(4 * _GROWTH)),
        (f"relu{name}/x2", ReLU()),
        (f"conv{name}/x2", Conv2d(4 * _GROWTH, _GROWTH, 3, pad=1, bias=False)),
        (f"concat_{name}", Concat(), (source, f"conv{name}/x2")),
    ]


def _module(node):
    """The path of a node's module in torchvision: conv3_2/x1/bn -> features.denseblock2.denselayer2.norm1."""
    if node == "fc6":
        return "classifier"
    stage, layer, part, bn = re.fullmatch(r"conv(\d)(?:_(\d+|blk))?(?:/x(\d))?(/bn)?", node).groups()
    kind = "norm" if bn else "conv"
    if layer is None:
        return f"features.{kind}0"
    if layer == "blk":
        return "features.norm5" if stage == "5" else f"features.transition{int(stage) - 1}.{kind}"
    return f"features.denseblock{int(stage) - 1}.denselayer{layer}.{kind}{part}"


ENTRIES = (
    Entry(
        name="densenet121",
        nodes=densenet121,
        preprocess={"torch": torchvision_input()},
        sources={"torch": torch_names(_module)},
        # The published file is of a time when norm1 was called norm.1.
        older=(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2"),
        about="ImageNet, 121 layers, each of which reads all earlier ones of its block; torchvision's",
        labels=IMAGENET,
        files=(torchvision_file("densenet121-a639ec97.pth", 30.845, top1=74.434),),
        reference="Huang, Liu, van der Maaten & Weinberger, Densely connected convolutional networks, CVPR 2017",
        licence="torchvision's: BSD-3",
    ),
)
