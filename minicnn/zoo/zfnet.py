"""ZFNet, the net of the deconvnet's paper: AlexNet in one column, with smaller windows and strides at its start."""

from ..layers import LRN, Conv2d, ReLU
from .base import Entry, caffe_input, caffe_names
from .imagenet import IMAGENET
from .parts import halve, three_linear


def zfnet(classes):
    """Figure 3 of the paper, in Caffe's names: ReLU, pool, then contrast normalisation across maps.

    The sizes of the figure, 110, 55, 26, 13, 13 and 6, come out with conv1 padded by 1 and pools that round up, as in
    Caffe. The paper gives no constants of the normalisation: AlexNet's are taken. The Caffe nets of SPP-net and Faster
    R-CNN that are called ZF differ: they normalise first, inside each map (windows of 3x3), Faster R-CNN's pads
    conv1 by 3, conv2 by 2 and the pools by 1, and SPP-net's ends in a pyramid. Their weights are not for this net.
    """
    return [
        ("conv1", Conv2d(3, 96, 7, stride=2, pad=1)),
        ("relu1", ReLU()),
        ("pool1", halve()),
        ("norm1", LRN()),
        ("conv2", Conv2d(96, 256, 5, stride=2)),
        ("relu2", ReLU()),
        ("pool2", halve()),
        ("norm2", LRN()),
        ("conv3", Conv2d(256, 384, 3, pad=1)),
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, pad=1)),
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3, pad=1)),
        ("relu5", ReLU()),
        ("pool5", halve()),
        *three_linear(256 * 6 * 6, classes),
    ]


ENTRIES = (
    Entry(
        name="zfnet",
        nodes=zfnet,
        # Section 3.1: the shorter side becomes 256, and the middle is cut out.
        preprocess={"caffe": caffe_input(224, resize="crop")},
        sources={"caffe": caffe_names},
        about="ImageNet, the net of the deconvnet's paper; files in Caffe's form that have its layers and names",
        reference="Zeiler & Fergus, Visualizing and understanding convolutional networks, ECCV 2014, figure 3",
        licence="the authors published no weights",
        labels=IMAGENET,
    ),
)
