"""What several architectures have in common."""

from ..layers import Dropout, Flatten, Linear, MaxPool2d, ReLU, Softmax


def halve():
    """Caffe's usual pooling: overlapping windows, sizes that round up."""
    return MaxPool2d(3, stride=2, ceil_mode=True)


def three_linear(features, classes):
    """The end of AlexNet and its descendants: from pool5, `features` numbers an image, to the probabilities."""
    return [
        ("pool5/flatten", Flatten()),
        ("fc6", Linear(features, 4096)),
        ("relu6", ReLU()),
        ("drop6", Dropout(0.5)),
        ("fc7", Linear(4096, 4096)),
        ("relu7", ReLU()),
        ("drop7", Dropout(0.5)),
        ("fc8", Linear(4096, classes)),
        ("prob", Softmax()),
    ]
