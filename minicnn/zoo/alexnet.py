"""AlexNet: torchvision's single column, and Caffe's two with two groups and local response normalisation."""

from functools import partial

from ..layers import LRN, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Softmax
from .base import Entry, caffe_input, caffe_names, torchvision_input, torchvision_names
from .file import bvlc_file, torchvision_file
from .imagenet import IMAGENET
from .parts import halve, three_linear


def alexnet(classes):
    """One column, without normalisation (Krizhevsky, arXiv:1404.5997, as torchvision has it)."""
    return [
        ("conv1", Conv2d(3, 64, 11, stride=4, pad=2)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(3, stride=2)),
        ("conv2", Conv2d(64, 192, 5, pad=2)),
        ("relu2", ReLU()),
        ("pool2", MaxPool2d(3, stride=2)),
        ("conv3", Conv2d(192, 384, 3, pad=1)),
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 256, 3, pad=1)),
        ("relu4", ReLU()),
        ("conv5", Conv2d(256, 256, 3, pad=1)),
        ("relu5", ReLU()),
        ("pool5", MaxPool2d(3, stride=2)),
        ("pool5/flatten", Flatten()),
        ("drop5", Dropout(0.5)),
        ("fc6", Linear(256 * 6 * 6, 4096)),
        ("relu6", ReLU()),
        ("drop6", Dropout(0.5)),
        ("fc7", Linear(4096, 4096)),
        ("relu7", ReLU()),
        ("fc8", Linear(4096, classes)),
        ("prob", Softmax()),
    ]


def alexnet_caffe(pool_first, classes):
    """Two groups in conv2, conv4 and conv5. pool_first: CaffeNet's order; the paper normalises, then pools."""

    def shrink(i):
        norm, pool = (f"norm{i}", LRN()), (f"pool{i}", halve())
        return (pool, norm) if pool_first else (norm, pool)

    return [
        ("conv1", Conv2d(3, 96, 11, stride=4)),
        ("relu1", ReLU()),
        *shrink(1),
        ("conv2", Conv2d(96, 256, 5, pad=2, groups=2)),
        ("relu2", ReLU()),
        *shrink(2),
        ("conv3", Conv2d(256, 384, 3, pad=1)),
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, pad=1, groups=2)),
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3, pad=1, groups=2)),
        ("relu5", ReLU()),
        ("pool5", halve()),
        *three_linear(256 * 6 * 6, classes),
    ]


_PAPER = "Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional neural networks, NIPS 2012"
_CAFFE = {
    "preprocess": {"caffe": caffe_input(227)},
    "sources": {"caffe": caffe_names},
    "reference": _PAPER,
    "licence": "BVLC's: unrestricted use",
    "labels": IMAGENET,
}

ENTRIES = (
    Entry(
        name="alexnet",
        nodes=alexnet,
        preprocess={"torch": torchvision_input()},
        sources={"torch": torchvision_names(classifier="drop5")},
        about="ImageNet, one column without normalisation; torchvision's",
        reference="Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997",
        licence="torchvision's: BSD-3",
        labels=IMAGENET,
        files=(torchvision_file("alexnet-owt-7be5be79.pth", 233.087, top1=56.522),),
    ),
    Entry(
        name="alexnet_caffe",
        nodes=partial(alexnet_caffe, False),
        about="ImageNet, two groups, normalised and then pooled, as in the paper; BVLC's AlexNet",
        files=(bvlc_file("bvlc_alexnet.caffemodel", "9116a64c0fbe4459d18f4bb6b56d647b63920377", 232.6, top1=57.1),),
        **_CAFFE,
    ),
    Entry(
        name="caffenet",
        nodes=partial(alexnet_caffe, True),
        about="ImageNet, two groups, pooled and then normalised; BVLC's reference CaffeNet",
        files=(
            bvlc_file(
                "bvlc_reference_caffenet.caffemodel", "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46", 232.6, top1=57.4
            ),
        ),
        **_CAFFE,
    ),
)
