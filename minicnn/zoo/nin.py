"""Network in network: every convolution is followed by two of 1x1 windows, and the last one's maps are the classes."""

from ..layers import AvgPool2d, Conv2d, Dropout, Flatten, ReLU, Softmax
from .base import Entry, caffe_input, caffe_names
from .imagenet import IMAGENET
from .parts import halve


def nin_imagenet(classes):
    """The authors' net for ImageNet, by the names of its Caffe file: there is neither a pool1 nor a relu4."""
    return [
        *_mlpconv(("conv1", "relu0"), Conv2d(3, 96, 11, stride=4), ("cccp1", "relu1", 96), ("cccp2", "relu2", 96)),
        ("pool0", halve()),
        *_mlpconv(("conv2", "relu3"), Conv2d(96, 256, 5, pad=2), ("cccp3", "relu5", 256), ("cccp4", "relu6", 256)),
        ("pool2", halve()),
        *_mlpconv(("conv3", "relu7"), Conv2d(256, 384, 3, pad=1), ("cccp5", "relu8", 384), ("cccp6", "relu9", 384)),
        ("pool3", halve()),
        ("drop", Dropout(0.5)),
        *_mlpconv(
            ("conv4-1024", "relu10"),
            Conv2d(384, 1024, 3, pad=1),
            ("cccp7-1024", "relu11", 1024),
            ("cccp8-1024", "relu12", classes),
        ),
        # The mean of each map: it is 6x6 for an image of 224x224.
        ("pool4", AvgPool2d(6, stride=1, ceil_mode=True)),
        ("pool4/flatten", Flatten()),
        ("prob", Softmax()),
    ]


def _mlpconv(names, conv, *ones):
    """A convolution, then the 1x1 ones: (node, its ReLU, maps) each."""
    nodes, channels = [(names[0], conv), (names[1], ReLU())], conv.param_shapes["b"][0]
    for name, relu, maps in ones:
        nodes += [(name, Conv2d(channels, maps, 1)), (relu, ReLU())]
        channels = maps
    return nodes


ENTRIES = (
    Entry(
        name="nin_imagenet",
        nodes=nin_imagenet,
        preprocess={"caffe": caffe_input(224)},
        sources={"caffe": caffe_names},
        about="ImageNet, 7.6 million parameters, 1x1 convolutions and no linear layer; Caffe's model zoo",
        reference="Lin, Chen & Yan, Network in network, ICLR 2014; gist.github.com/mavenlin/d802a5849de39225bcc6",
        licence="the authors': BSD (earlier: non-commercial)",
        labels=IMAGENET,
    ),
)
