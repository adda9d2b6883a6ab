"""Other people's weight files, converted once to minicnn's own form."""

import re
from dataclasses import fields
from pathlib import Path

from ..errors import FormatError, UsageError
from ..files import read_whole
from ..mean_image import MeanImage
from ..meta import Meta
from . import caffe, caffe_graph, formats
from .digest import digests
from .store import save
from .whole_net import read_net


def import_file(path, arch, out_dir, name=None, classes=None, mean_image=None, changes=None, **reading):
    """Convert a weight file to minicnn's own form.

    arch        the zoo's name of the net that the weights are for; None where the file describes its net itself
    name        of the new file, without .safetensors; ARCH-<8 hex digits of the old file's sha256> unless given, where
                ARCH is the old file's name if there is no arch
    classes     a file of class names, one a line, as synset_words.txt ("n01440764 tench, Tinca tinca" or "tench")
    mean_image  a `.binaryproto` file: a mean for every pixel, in the net's channel order; its middle is used
    changes     {field of Meta: value} that differ from what is known. Nets of the zoo want what nets of that framework
                usually want; of others what a caffemodel tells of its training is known, or nothing: with channel_order
                and range, and input_size where the file leaves it open, the rest is no mean and both sides resized to
                the input's. input_size may be (H, W), mean and std one number for all channels
    reading     prototxt, format, upto, allow_nonfinite: as `whole_net.read_net` takes them
    Returns the new file's path. Raises FormatError, naming the tensor and both shapes, if the weights do not fit;
    UsageError for arguments that do not go together.
    """
    names = None if classes is None else read_classes(classes)
    net, input_size = read_net(path, arch, classes=names if arch else None, **reading)
    (sha256,), changes = digests(path, "sha256"), dict(changes or {})
    if names is not None and not arch:
        changes["classes"] = names
    if mean_image is not None:
        changes["mean_image"] = MeanImage(caffe.read_mean(mean_image))
    if net.meta is not None:
        known = {field.name: getattr(net.meta, field.name) for field in fields(Meta)}
        net.meta = _meta(path, {**known, "sha256": sha256}, changes)
    else:
        known = {"architecture": Path(path).stem, "source": Path(path).name, "sha256": sha256, "resize": "squash"}
        known |= {"input_size": input_size, **_told(path, reading.get("prototxt"))}
        if changes or not _missing(known):
            net.meta = _meta(path, known, changes)
    out = Path(out_dir) / f"{name or f'{arch or Path(path).stem}-{sha256[:8]}'}.safetensors"
    save(net, out)
    return out


def read_classes(path):
    """Class names, one a line, without ImageNet's synset numbers: path -> tuple of str."""
    try:
        lines = read_whole(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(path, "class names that are not UTF-8 text") from error
    return tuple(re.sub(r"^n\d{8}\s+", "", line).strip() for line in lines if line.strip())


def _told(path, prototxt):
    """What a file that describes its net tells of its images: only Caffe's do, if they describe the training."""
    if formats.reader(path).FORMAT != caffe.FORMAT:
        return {}
    return caffe_graph.preprocessing(path, prototxt)


def _missing(values):
    """What has to be known of images, and is not."""
    missing = [name for name in ("channel_order", "range", "input_size") if values.get(name) is None]
    if "mean_file" in values and values.get("mean") is None and values.get("mean_image") is None:
        missing.append(f"mean_image (it was trained with {values['mean_file']!r})")
    return missing


def _meta(path, known, changes):
    values = {**known, **changes}
    if missing := _missing(values):
        raise UsageError(f"{path}: its preprocessing is not known: say {', '.join(missing)} too, or nothing of it")
    values.pop("mean_file", None)
    size = tuple(values["input_size"])
    C = 1 if values["channel_order"] == "L" else 3
    values["input_size"] = size = (C, *size) if len(size) == 2 else size
    values.setdefault("resize_to", max(size[1:], default=0))
    if (image := values.get("mean_image")) is not None and len(size) == 3:
        values["mean_image"] = image = image.centre(*size[1:])
        values["mean"] = changes.get("mean", image.channels)
    for name, default in (("mean", 0.0), ("std", 1.0)):
        given = tuple(values.get(name, (default,)))
        values[name] = given * C if len(given) == 1 else given
    try:
        return Meta(**values)
    except TypeError as error:  # a field too many
        raise UsageError(f"{path}: metadata: {error}") from error
    except FormatError as error:
        raise FormatError(path, f"metadata: {error.reason}") from error
