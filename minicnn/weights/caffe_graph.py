"""The net that a `.caffemodel` lists itself, or that a `.prototxt` describes, with the caffemodel's weights.

The nodes have the names of Caffe's layers. What of the list becomes the net, see caffe_wiring.py. Besides:

- A layer that writes the blob that it reads becomes a node of its own.
- BatchNorm and the Scale that reads it become one BatchNorm2d, named as the BatchNorm.
- SoftmaxWithLoss becomes a softmax "prob" at its place; a softmax at the end makes (N, C) of images of one pixel.

Layers: BVLC/caffe, include/caffe/layers, and the comments in caffe.proto.
"""

from ..errors import FormatError
from . import caffe_fields, caffe_weights
from .caffe_builder import Builder
from .caffe_wiring import IMAGES, transformation, wire_up
from .checkpoint import Checkpoint, Graph


def read(path, prototxt=None):
    """The net in a caffemodel: path -> Checkpoint with graph; the tensors are named as the net's state_dict.

    prototxt  the file that describes the net, instead of the caffemodel's own list; its layers get the weights of the
              caffemodel's layers of the same names
    Raises FormatError; one that is about a layer names it, its type, and what of it is not supported.
    """
    wiring, file = _wiring(path, prototxt)
    builder = Builder(file, wiring, _shape(file, wiring))
    for number in wiring.needed:
        builder.translate(number)
    if wiring.loss is not None and wiring.loss.type == "SoftmaxWithLoss":
        builder.end_with_softmax(wiring.loss.param("softmax_param").get("axis", 1))
    shape = builder.image.shape
    size = shape[1:] if shape is not None and len(shape) == 4 else None
    return Checkpoint("caffe", builder.tensors, graph=Graph(builder.nodes, builder.image.node, size))


def preprocessing(path, prototxt=None):
    """What the files tell of the preprocessing: {keyword argument of Meta: value}, as many as are known.

        value = (pixel - mean) * scale, so that range = 255 * scale, mean = mean * scale, std = 1

    input_size     where the image's size is known
    range, std     where a layer reads images, as in the training net; with "mean", unless it takes off a mean image
    channel_order  "L" for one channel; "BGR" for three where that layer decodes the images: a data base has any order
    mean_file      no argument of Meta: what the `.binaryproto` of the mean image was called where the net was trained
    """
    wiring, file = _wiring(path, prototxt)
    shape, C, found = _shape(file, wiring), _channels(wiring), {}
    if shape is not None and len(shape) == 4:
        found["input_size"] = shape[1:]
    if C == 1:
        found["channel_order"] = "L"
    data = wiring.data
    if data is None or data.type not in IMAGES or C not in (1, 3):
        return found
    scale, means = transformation(data, "scale", 1.0), transformation(data, "mean_value", [])
    if C == 3 and data.type in ("ImageData", "WindowData"):
        found["channel_order"] = "BGR"
    found |= {"range": 255 * scale, "std": (1.0,) * C}
    if (mean_file := transformation(data, "mean_file", None)) is not None:
        found["mean_file"] = mean_file
    elif len(means) in (0, 1, C):  # one is for all channels
        found["mean"] = tuple(mean * scale for mean in (means if len(means) == C else (means or [0.0]) * C))
    return found


def _wiring(path, prototxt):
    """(the Wiring, the file that describes it)."""
    trained = caffe_fields.read_caffemodel(path)
    if prototxt is None:
        return wire_up(trained), path
    blobs = {}
    for layer in trained.layers:
        if layer.blobs:
            if layer.name in blobs:
                raise FormatError(path, f"two layers are called {layer.name!r}")
            blobs[layer.name] = layer.blobs
    described = caffe_fields.read_prototxt(prototxt)
    for layer in described.layers:
        layer.blobs = blobs.get(layer.name, [])
    return wire_up(described), prototxt


def _shape(file, wiring):
    """The image's shape for one image, or None where the file leaves a size open."""
    if wiring.shape is None:
        return None
    shape = [1, *wiring.shape[1:]]
    if len(shape) == 4 and shape[1] is None:
        shape[1] = _channels(wiring)
    if None in shape:
        return None
    if any(size < 1 for size in shape):
        raise FormatError(file, f"the image {wiring.input[:80]!r} has shape {wiring.shape}")
    return tuple(shape)


def _channels(wiring):
    """How many channels the image has: what the convolution that reads it says, if its own shape does not; or None."""
    if wiring.shape is not None and len(wiring.shape) == 4 and wiring.shape[1] is not None:
        return wiring.shape[1]
    for number in wiring.needed:
        layer, inputs = wiring.layers[number]
        if layer.type == "Convolution" and inputs == [wiring.input]:
            return caffe_weights.channels(layer, layer.param("convolution_param").get("group", 1))
    return None
