"""GoogLeNet as the BVLC published it: nine inception modules, layer names of Caffe's, no auxiliary heads."""

from ..layers import LRN, AvgPool2d, Concat, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, caffe_input, caffe_names
from .file import bvlc_file
from .imagenet import IMAGENET
from .parts import halve

# Table 1 of the paper: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection; None where the image is halved.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "pool3/3x3_s2": None,
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "pool4/3x3_s2": None,
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(classes):
    nodes = [
        ("conv1/7x7_s2", Conv2d(3, 64, 7, stride=2, pad=3)),
        ("conv1/relu_7x7", ReLU()),
        ("pool1/3x3_s2", halve()),
        ("pool1/norm1", LRN()),
        ("conv2/3x3_reduce", Conv2d(64, 64, 1)),
        ("conv2/relu_3x3_reduce", ReLU()),
        ("conv2/3x3", Conv2d(64, 192, 3, pad=1)),
        ("conv2/relu_3x3", ReLU()),
        ("conv2/norm2", LRN()),
        ("pool2/3x3_s2", halve()),
    ]
    channels = 192
    for name, widths in MODULES.items():
        if widths is None:
            nodes.append((name, halve()))
        else:
            nodes += inception(f"inception_{name}", nodes[-1][0], channels, *widths)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
    return [
        *nodes,
        ("pool5/7x7_s1", AvgPool2d(7, stride=1, ceil_mode=True)),
        ("pool5/flatten", Flatten()),
        ("pool5/drop_7x7_s1", Dropout(0.4)),
        ("loss3/classifier", Linear(channels, classes)),
        ("prob", Softmax()),
    ]


def inception(name, source, channels, one, reduce3, three, reduce5, five, projection):
    """One module: four branches that read `source`, side by side along the channels."""

    def conv(part, before, *shape, pad=0):
        yield f"{name}/{part}", Conv2d(*shape, pad=pad), before
        yield f"{name}/relu_{part}", ReLU()

    branches = ("1x1", "3x3", "5x5", "pool_proj")
    return [
        *conv("1x1", source, channels, one, 1),
        *conv("3x3_reduce", source, channels, reduce3, 1),
        *conv("3x3", f"{name}/relu_3x3_reduce", reduce3, three, 3, pad=1),
        *conv("5x5_reduce", source, channels, reduce5, 1),
        *conv("5x5", f"{name}/relu_5x5_reduce", reduce5, five, 5, pad=2),
        (f"{name}/pool", MaxPool2d(3, stride=1, pad=1, ceil_mode=True), source),
        *conv("pool_proj", f"{name}/pool", channels, projection, 1),
        (f"{name}/output", Concat(), tuple(f"{name}/relu_{part}" for part in branches)),
    ]


ENTRIES = (
    Entry(
        name="googlenet",
        nodes=googlenet,
        preprocess={"caffe": caffe_input(224)},
        sources={"caffe": caffe_names},
        about="ImageNet, 22 layers, inception modules; BVLC's",
        reference="Szegedy et al., Going deeper with convolutions, CVPR 2015",
        licence="BVLC GoogLeNet: unrestricted use",
        ignored=("loss1/", "loss2/"),  # the auxiliary heads, which only training reads
        labels=IMAGENET,
        files=(bvlc_file("bvlc_googlenet.caffemodel", "405fc5acd08a3bb12de8ee5e23a96bec22f08204", 51.05, top1=68.7),),
    ),
)
