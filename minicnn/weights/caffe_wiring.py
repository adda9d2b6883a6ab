"""Which of Caffe's layers make up the trained net, and which reads which.

Caffe's layers read and write blobs by name, and may write the blob that they read; a caffemodel often lists the
training net. What stays is what the scores depend on, in phase TEST:

- Layers that read data give the image; Split hands its blob on.
- Losses, accuracy and silence are dropped. Where there are losses the scores are what the last one reads.
- Without a loss every layer stays, and the last one is the output.
"""

from typing import NamedTuple

from ..errors import FormatError
from .caffe_fields import Layer

IMAGES = ("Data", "ImageData", "MemoryData", "WindowData")  # layers that have a mean and a scale
_DATA = (*IMAGES, "AnnotatedData", "DummyData", "HDF5Data", "Input")
_NO_OUTPUT = ("Accuracy", "Silence", "HDF5Output")


class Wired(NamedTuple):
    """A layer that stays.

    inputs   what it reads: the number of a layer in Wiring.layers, or the name of the image's blob; None, a blob that
             nothing makes, only where the layer is not needed
    """

    layer: Layer
    inputs: list


class Wiring(NamedTuple):
    """The trained net.

    layers   [Wired]; only those in `needed` stay
    needed   the numbers of those that stay, in order; the last one is the output
    loss     the loss that stood at the end, a Layer, or None
    data     the layer that reads the images, or None
    input    the image's blob
    shape    its shape, a list with None for what the file leaves open, or None
    """

    layers: list
    needed: list
    loss: Layer | None
    data: Layer | None
    input: str
    shape: list | None


def wire_up(description):
    """The Wiring of a Description; raises FormatError where there is no image or no net."""
    images = {blob: (None, shape) for blob, shape in description.inputs.items()}
    makers = {blob: blob for blob in images}
    layers, losses = [], []
    tested = {layer.name for layer in description.layers if _is_tested(layer)}
    for layer in description.layers:
        is_tested = _is_tested(layer)
        if layer.type in _DATA:
            for blob, shape in _data_shapes(layer).items():
                makers.setdefault(blob, blob)
                if is_tested or blob not in images:
                    images[blob] = layer, shape
            continue
        reads = [makers.get(blob) for blob in layer.bottoms]
        if layer.type.endswith("Loss"):
            losses.append((is_tested, layer, reads))
        elif not is_tested:
            if layer.name not in tested:
                _check_does_nothing(layer)
        elif layer.type == "Split" and len(reads) == 1:
            makers.update(dict.fromkeys(layer.tops, reads[0]))
        elif layer.type not in _NO_OUTPUT:
            makers.update(dict.fromkeys(layer.tops, len(layers)))
            layers.append(Wired(layer, reads))
    needed, loss = _needed(description.file, layers, losses)
    read = _images_of(description.file, [layers[i] for i in needed])
    return Wiring(layers, needed, loss, images[read][0], read, images[read][1])


def _is_tested(layer):
    """Whether a layer is there when the net is tested: level 0, no stages."""
    include, exclude = layer.fields.get("include", []), layer.fields.get("exclude", [])
    return any(map(_is_met, include)) if include else not any(map(_is_met, exclude))


def _is_met(rule):
    levels = rule.get("min_level", 0) <= 0 <= rule.get("max_level", 0)
    return rule.get("phase", "TEST") == "TEST" and levels and not rule.get("stage")


def _check_does_nothing(layer):
    # It is passed over; what reads its output then reads its input.
    if layer.blobs and set(layer.tops) & set(layer.bottoms):
        raise layer.error("it is in the training net alone, and has weights: give the prototxt of the net to be used")


def _needed(file, layers, losses):
    """(the numbers of the layers that stay, the loss at the end or None)."""
    losses = [loss for loss in losses if loss[0]] or losses
    if not losses:
        if not layers:
            raise FormatError(file, "no layers: it holds no net")
        return list(range(len(layers))), None
    _, loss, reads = losses[-1]
    last = reads[0] if reads else None
    if not isinstance(last, int):
        raise loss.error("no layer makes what it reads")
    # A softmax may stand beside the loss, for the phase TEST.
    for i, (layer, inputs) in enumerate(layers):
        if loss.type == "SoftmaxWithLoss" and layer.type == "Softmax" and inputs == [last]:
            last, loss = i, None
            break
    found, waiting = set(), [last]
    while waiting:
        i = waiting.pop()
        if i not in found:
            found.add(i)
            waiting += [name for name in layers[i].inputs if isinstance(name, int)]
    return sorted(found), loss


def _images_of(file, layers):
    """The blob of the one image that these layers read."""
    read = set()
    for layer, inputs in layers:
        for blob, maker in zip(layer.bottoms, inputs):
            if maker is None:
                raise layer.error(f"it reads {blob[:80]!r}, which no layer before it makes when the net is tested")
            if isinstance(maker, str):
                read.add(maker)
    if len(read) != 1:
        raise FormatError(file, f"a net has one image, this one reads {' and '.join(sorted(read))[:200] or 'none'}")
    return read.pop()


def _data_shapes(layer):
    """{blob: its shape as far as it is known} of a layer that reads data."""
    if layer.type in ("Input", "DummyData"):
        param = layer.param("input_param" if layer.type == "Input" else "dummy_data_param")
        shapes = [shape.get("dim", []) for shape in param.get("shape", [])]
        shapes = shapes or [list(s) for s in zip(*(param.get(k, []) for k in ("num", "channels", "height", "width")))]
        # One shape is for all.
        shapes = shapes * len(layer.tops) if len(shapes) == 1 else shapes
        return {blob: shapes[i] if i < len(shapes) else None for i, blob in enumerate(layer.tops)}
    known = dict.fromkeys(layer.tops)
    if layer.tops:
        size = transformation(layer, "crop_size", 0)
        memory = layer.param("memory_data_param")
        known[layer.tops[0]] = [memory.get(k) for k in ("batch_size", "channels", "height", "width")]
        if size:
            known[layer.tops[0]] = [None, None, size, size]
    return known


def transformation(data, key, default):
    """What a layer does to its images: in transform_param, or in its own as in older files."""
    own = ("data_param", "image_data_param", "window_data_param")
    for name in ("transform_param", *own):
        if key in data.param(name):
            return data.param(name)[key]
    return default
