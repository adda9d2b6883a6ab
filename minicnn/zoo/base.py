"""What the zoo knows of one architecture."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import FormatError
from ..meta import Meta
from ..net import Net

_COUNTER = ".num_batches_tracked"  # torch's batch norm counts what it saw in training


@dataclass(frozen=True)
class Entry:
    """One architecture.

    name        as in `build(name)`
    nodes       function: number of classes -> the nodes of a Net
    preprocess  {source format: keyword arguments of Meta}: how the nets published in that format want their images;
                the first one is the default
    sources     {source format: function: Net -> {our parameter: the file's tensor}}, for the formats that can be read
    about       what it is, in one line
    reference   the paper
    licence     of the weights that are published
    classes     the default number of classes
    labels      their names, where they need no file
    ignored     how tensors begin that such files hold beside the net
    older       (pattern, replacement): how names in older files become those of `sources`
    files       the weights that are published, a tuple of `file.File`; the first one is what people usually mean
    """

    name: str
    nodes: Callable
    preprocess: dict
    about: str
    reference: str
    licence: str
    sources: dict = field(default_factory=dict)
    classes: int = 1000
    labels: tuple = ()
    ignored: tuple = ()
    older: tuple = ()
    files: tuple = ()

    def build(self, classes=None):
        """The net without parameters; it knows its default preprocessing."""
        classes = self.classes if classes is None else classes
        labels = self.labels if len(self.labels) == classes else ()
        default = next(iter(self.preprocess.values()))
        return Net(self.nodes(classes), meta=Meta(architecture=self.name, classes=labels, **default))

    def map_names(self, fmt, tensors, wanted=None):
        """{our parameter: array} from a file's {tensor: array}.

        fmt     "caffe" or "torch": whose names they are
        wanted  our parameters that the file must hold: all of them, unless it is for a part of the net
        Raises FormatError if no such file fits the net, if a tensor is missing, or one is left over.
        """
        what = f"{fmt} weights for {self.name}"
        if fmt not in self.sources:
            raise FormatError(what, f"can be read from {' and '.join(self.sources) or 'the native form alone'}")
        theirs = self.sources[fmt](self.build())
        if self.older:
            tensors = {re.sub(*self.older, key): tensor for key, tensor in tensors.items()}
        for ours, key in theirs.items():
            if key not in tensors and (wanted is None or ours in wanted):
                raise FormatError(what, "is not in the file", key)
        for key in tensors.keys() - theirs.values():
            if not key.startswith(self.ignored) and not key.endswith(_COUNTER):
                raise FormatError(what, "is in the file, but not in the net", key)
        return {ours: tensors[key] for ours, key in theirs.items() if wanted is None or ours in wanted}


def caffe_names(net):
    """Caffe's layers have our nodes' names, and number their arrays: conv1.w is conv1.0, conv1.b is conv1.1."""
    return {
        f"{name}.{param}": f"{name}.{i}"
        for name, layer in net.layers().items()
        for i, param in enumerate(layer.param_shapes)
    }


def torch_names(module):
    """The names of a net of torch's modules; module: a node's name -> the path of its module."""
    kinds = {"w": "weight", "b": "bias"}

    def names(net):
        return {
            f"{name}.{key}": f"{module(name)}.{kinds.get(key, key)}"
            for name, layer in net.layers().items()
            for key in (*layer.param_shapes, *layer.buffer_shapes)
        }

    return names


def torchvision_names(classifier):
    """The names of a torchvision net: features.I.weight up to the node `classifier`, from there classifier.I.weight.

    I counts modules; what stands together before a slash, as fire2/squeeze1x1, is one module with named parts.
    """
    kinds = {"w": "weight", "b": "bias"}

    def names(net):
        keys, part, modules = {}, "features", []
        for node in net.nodes:
            if node.name == classifier:
                part, modules = "classifier", []
            module, _, inner = node.name.partition("/")
            if module not in modules:
                modules.append(module)
            path = f"{part}.{modules.index(module)}" + (f".{inner.replace('squeeze1x1', 'squeeze')}" if inner else "")
            keys.update({f"{node.name}.{param}": f"{path}.{kinds[param]}" for param in node.layer.param_shapes})
        return keys

    return names


def torchvision_input(size=224):
    """RGB in 0..1, standardised; the middle of the photo (pytorch/vision, references/classification)."""
    return {
        "input_size": (3, size, size),
        "channel_order": "RGB",
        "range": 1.0,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "resize": "crop",
        "resize_to": 256,
    }


def caffe_input(size, mean=(104.0, 117.0, 123.0), resize="squash", resize_to=256):
    """BGR in 0..255 minus ImageNet's mean colour (BVLC/caffe, python/classify.py: both sides to 256, the middle)."""
    return {
        "input_size": (3, size, size),
        "channel_order": "BGR",
        "range": 255.0,
        "mean": mean,
        "std": (1.0, 1.0, 1.0),
        "resize": resize,
        "resize_to": resize_to,
    }
