"""ResNet with 18, 34, 50, 101 and 152 layers: blocks whose output is added to their input. Caffe's layer names."""

import re
from functools import partial

from ..layers import Add, BatchNorm2d, Conv2d, Flatten, GlobalAvgPool, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, torch_names, torchvision_input
from .file import torchvision_file
from .imagenet import IMAGENET

# The convolutions of a block: window, channels as a multiple of the stage's width, whether it may halve the image.
# The paper's bottlenecks halve in the first 1x1; torchvision's in the 3x3, which loses nothing ("v1.5").
BASIC = ((3, 1, True), (3, 1, False))
BOTTLENECK = ((1, 1, False), (3, 1, True), (1, 4, False))

# Table 1 of the paper: the blocks of stages 2 to 5.
_NETS = {
    18: (BASIC, (2, 2, 2, 2)),
    34: (BASIC, (3, 4, 6, 3)),
    50: (BOTTLENECK, (3, 4, 6, 3)),
    101: (BOTTLENECK, (3, 4, 23, 3)),
    152: (BOTTLENECK, (3, 8, 36, 3)),
}


def resnet(depth, classes):
    """depth: 18, 34, 50, 101 or 152."""
    convs, counts = _NETS[depth]
    nodes = [
        ("conv1", Conv2d(3, 64, 7, stride=2, pad=3, bias=False)),
        ("bn_conv1", BatchNorm2d(64)),
        ("conv1_relu", ReLU()),
        ("pool1", MaxPool2d(3, stride=2, pad=1)),
    ]
    channels = 64
    for stage, count in enumerate(counts, 2):
        # He's own files number the blocks of their longest stages.
        letters = ["a", *(f"b{i}" for i in range(1, count))] if depth > 50 and stage in (3, 4) else "abcdef"[:count]
        nodes += residual_stage(stage, letters, nodes[-1][0], channels, 32 << stage - 1, convs, projection)
        channels = (32 << stage - 1) * convs[-1][1]
    return [
        *nodes,
        ("pool5", GlobalAvgPool()),
        ("pool5/flatten", Flatten()),
        ("fc1000", Linear(channels, classes)),
        ("prob", Softmax()),
    ]


def residual_stage(stage, letters, source, channels, width, convs, shortcut):
    """Blocks of one width; the first one halves the image, but not in stage 2, which gets it halved.

    letters   one name a block
    channels  of `source`, that the first block reads
    convs     BASIC or BOTTLENECK
    shortcut  function: name, source, channels, channels of the sum, stride -> nodes that make the shapes fit
    """
    nodes, out = [], width * convs[-1][1]
    for i, letter in enumerate(letters):
        stride = 2 if i == 0 and stage > 2 else 1
        around = [] if (channels, stride) == (out, 1) else shortcut(f"{stage}{letter}", source, channels, out, stride)
        nodes += residual_block(f"{stage}{letter}", source, channels, width, stride, convs, around)
        source, channels = nodes[-1][0], out
    return nodes


def residual_block(name, source, channels, width, stride, convs, around):
    """One block, 2a: the convolutions, and what goes around them; ReLU between them and behind the sum.

    around  the nodes of the shortcut; none where it is the identity
    """
    nodes, before = list(around), source
    for letter, (kernel, factor, halves) in zip("abc", convs):
        part, out = f"{name}_branch2{letter}", width * factor
        conv = Conv2d(channels, out, kernel, stride=stride if halves else 1, pad=kernel // 2, bias=False)
        nodes += [(f"res{part}", conv, before), (f"bn{part}", BatchNorm2d(out)), (f"res{part}_relu", ReLU())]
        channels, before = out, f"res{part}_relu"
    nodes.pop()  # the last ReLU stands behind the sum
    ends = (around[-1][0] if around else source, nodes[-1][0])
    return [*nodes, (f"res{name}", Add(), ends), (f"res{name}_relu", ReLU())]


def projection(name, source, channels, out, stride):
    """The paper's option B: a 1x1 convolution."""
    return [
        (f"res{name}_branch1", Conv2d(channels, out, 1, stride=stride, bias=False), source),
        (f"bn{name}_branch1", BatchNorm2d(out)),
    ]


def torch_module(node):
    """The path of a node's module: res3b_branch2a -> layer2.1.conv1, bn3a_branch1 -> layer2.0.downsample.1."""
    if node in ("conv1", "bn_conv1"):
        return {"conv1": "conv1", "bn_conv1": "bn1"}[node]
    kind, stage, letter, number, branch = re.fullmatch(r"(res|bn)(\d)([a-z])(\d*)_branch(1|2[abc])", node).groups()
    block = f"layer{int(stage) - 1}.{int(number) if number else ord(letter) - ord('a')}"
    if branch == "1":
        return f"{block}.downsample.{('res', 'bn').index(kind)}"
    return f"{block}.{'conv' if kind == 'res' else 'bn'}{'abc'.index(branch[1]) + 1}"


_FILES = {
    18: torchvision_file("resnet18-f37072fd.pth", 44.661, top1=69.758),
    34: torchvision_file("resnet34-b627a593.pth", 83.275, top1=73.314),
    50: torchvision_file("resnet50-0676ba61.pth", 97.781, top1=76.13),
    101: torchvision_file("resnet101-63fe2227.pth", 170.511, top1=77.374),
    152: torchvision_file("resnet152-394f9c45.pth", 230.434, top1=78.312),
}

ENTRIES = tuple(
    Entry(
        name=f"resnet{depth}",
        nodes=partial(resnet, depth),
        preprocess={"torch": torchvision_input()},
        sources={"torch": torch_names(lambda node: "fc" if node == "fc1000" else torch_module(node))},
        about=f"ImageNet, {depth} layers in residual blocks; torchvision's",
        reference="He, Zhang, Ren & Sun, Deep residual learning for image recognition, CVPR 2016",
        licence="torchvision's: BSD-3",
        labels=IMAGENET,
        files=(_FILES[depth],),
    )
    for depth in _NETS
)
