"""VGG with 11, 13, 16 and 19 layers: 3x3 convolutions in five blocks, then three linear layers."""

from functools import partial

from ..layers import Conv2d, MaxPool2d, ReLU
from .base import Entry, caffe_input, caffe_names, torchvision_input, torchvision_names
from .file import caffe_file, torchvision_file
from .imagenet import IMAGENET
from .parts import three_linear

# Columns A, B, D and E of table 1 of the paper: convolutions in each block.
_BLOCKS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


def vgg(blocks, classes):
    """blocks: how many convolutions each of the five has."""
    nodes, channels = [], 3
    for block, (count, width) in enumerate(zip(blocks, _WIDTHS), 1):
        for i in range(1, count + 1):
            nodes += [(f"conv{block}_{i}", Conv2d(channels, width, 3, pad=1)), (f"relu{block}_{i}", ReLU())]
            channels = width
        nodes.append((f"pool{block}", MaxPool2d(2, stride=2)))
    return [
        *nodes,
        *three_linear(512 * 7 * 7, classes),
    ]


_MEAN = (103.939, 116.779, 123.68)
_CAFFE = caffe_input(224, mean=_MEAN, resize="crop")
_AUTHORS = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe"
_FILES = {
    "vgg11": (torchvision_file("vgg11-8a719046.pth", 506.84, top1=69.02),),
    "vgg13": (torchvision_file("vgg13-19584684.pth", 507.545, top1=69.928),),
    "vgg16": (
        torchvision_file("vgg16-397923af.pth", 527.796, top1=71.592),
        caffe_file(f"{_AUTHORS}/VGG_ILSVRC_16_layers.caffemodel", "9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24", 527.8),
    ),
    "vgg19": (
        torchvision_file("vgg19-dcbb9e9d.pth", 548.051, top1=72.376),
        caffe_file(
            f"{_AUTHORS}/VGG_ILSVRC_19_layers.caffemodel",
            "239785e7862442717d831f682bb824055e51e9ba",
            548.05,
            mirrors=("https://style-transfer.s3-us-west-2.amazonaws.com/VGG_ILSVRC_19_layers.caffemodel",),
        ),
    ),
}

ENTRIES = tuple(
    Entry(
        name=name,
        nodes=partial(vgg, blocks),
        preprocess={"torch": torchvision_input(), "caffe": _CAFFE},
        sources={"torch": torchvision_names(classifier="fc6"), "caffe": caffe_names},
        about=f"ImageNet, {name[3:]} layers of 3x3 convolutions",
        reference="Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015",
        licence="the authors': CC BY 4.0; torchvision's: BSD-3",
        labels=IMAGENET,
        files=_FILES[name],
    )
    for name, blocks in _BLOCKS.items()
)
