"""A net with its weights, from a file of any format: what `load` and `import_file` share."""

from dataclasses import replace
from pathlib import Path

from .. import zoo
from ..errors import FormatError, UsageError
from ..kernels.errors import MinicnnError
from ..kernels.shapes import show
from ..meta import Meta
from ..net import Net
from . import caffe, caffe_graph, formats, native
from .checkpoint import require_finite
from .digest import digests

# The parameters' names in torch's modules, which files that otherwise have our names carry too.
_TORCH_KINDS = {"weight": "w", "bias": "b"}


def read_net(path, arch=None, prototxt=None, format=None, upto=None, classes=None, allow_nonfinite=False):
    """A net from a weight file, with the preprocessing that is known of it.

    arch      the architecture that the weights are for, which a file that describes its net itself does not need:
              minicnn's own, ONNX, ConvNetJS, TensorFlow.js, and Caffe's
    prototxt  Caffe only: the file that describes the net, instead of the caffemodel's own layers
    format    "torch" or "caffe": whose preprocessing the images want, where the file's names do not tell
    upto      the node to end at: the file need not hold weights of others
    classes   with arch: class names that take the place of those that are known
    Returns (net, input_size): its meta is None where nothing is known of the preprocessing; (C, H, W), or None where
    the file leaves it open.
    Raises MissingFileError, UsageError for arguments that do not go together, FormatError for everything else.
    """
    entry = zoo.entry(arch) if arch else None
    checkpoint = _read(path, arch, prototxt)
    if checkpoint.graph is not None and (arch or format):
        raise UsageError(f"{path} describes its net itself: it takes no {'architecture' if arch else 'format'}")
    if checkpoint.graph is None and not arch:
        raise FormatError(
            path,
            f"holds weights and does not say of which net: convert it once (minicnn models import {path} --arch NAME "
            "--out DIR), or name the architecture: minicnn.load(path, arch=NAME)",
        )
    if checkpoint.graph is None:
        net = _of_the_zoo(path, checkpoint, entry, format, upto, classes)
    else:
        net = _described(path, checkpoint)
    if not allow_nonfinite:
        require_finite(path, net.state_dict())
    if checkpoint.graph is None:
        return net, net.meta.input_size
    return net.upto(upto) if upto else net, checkpoint.graph.input_size


def check_meta(net):
    """Raises MinicnnError where a net does not take images of its meta's size, or has not a score a class name."""
    shapes = {row.name: row.shape for row in net.summary().rows}
    scores, names = shapes[net.scores], len(net.meta.classes)
    if names and (len(scores) < 2 or scores[1] != names):
        raise MinicnnError(f"{net.scores}: {names} class names for an output of {show(scores)}")


def _read(path, arch, prototxt):
    if prototxt and arch:
        raise UsageError(f"the net is described by {prototxt} or is the architecture {arch}: say one of the two")
    module = formats.reader(path)
    if prototxt and module.FORMAT != caffe.FORMAT:
        raise UsageError(f"{prototxt}: a prototxt describes the net of a caffemodel, which {path} is not")
    if module.FORMAT == caffe.FORMAT and not arch:
        return caffe_graph.read(path, prototxt)
    return module.read(path)


def _described(path, checkpoint):
    nodes, input, _ = checkpoint.graph
    try:
        net = Net(nodes, input, checkpoint.meta).astype(checkpoint.dtype)
        net.load_state_dict(checkpoint.tensors, copy=False)
        if net.meta is not None:
            check_meta(net)
    except MinicnnError as error:
        raise FormatError(path, f"its tensors are not those of its nodes: {error}") from error
    return net


def _of_the_zoo(path, checkpoint, entry, format, upto, classes):
    # As many scores as there are class names, so that names of another net are noticed.
    net = entry.build(len(classes) if classes else None)
    net.meta = replace(net.meta, classes=classes or net.meta.classes)
    net = net.upto(upto) if upto else net
    tensors, known = _named_as_ours(path, entry, checkpoint, net)
    try:
        net.load_state_dict(tensors, copy=False)
    except MinicnnError as error:
        wanted = entry.name + (f" with {len(classes)} classes" if classes else "")
        raise FormatError(path, f"not the weights of {wanted}: {error}") from error
    fields = {"classes": net.meta.classes, "licence": entry.licence, "source": Path(path).name}
    fields |= entry.preprocess[_preprocessing(path, entry, known, format)]
    net.meta = Meta(architecture=entry.name, sha256=digests(path, "sha256")[0], **fields)
    return net


def _named_as_ours(path, entry, checkpoint, net):
    """({our parameter: array}, whose names the file's are: "torch", "caffe", or None for our own)."""
    wanted = net.state_shapes().keys()
    fmt, tensors = checkpoint.format, checkpoint.tensors
    if fmt == native.FORMAT:  # somebody else's safetensors file: with our names, or with torch's
        ours = {_in_our_words(key): tensor for key, tensor in tensors.items()}
        torch = entry.sources["torch"](entry.build()).values() if "torch" in entry.sources else ()
        if len(ours.keys() & wanted) >= len(tensors.keys() & set(torch)):
            return _checked(path, entry, ours, wanted), None
        fmt = "torch"
    try:
        return entry.map_names(fmt, tensors, wanted), fmt
    except FormatError as error:  # the zoo does not know the file's name
        raise FormatError(path, f"{error.reason}: not the weights of {entry.name}", error.tensor) from error


def _in_our_words(key):
    node, dot, kind = key.rpartition(".")
    return node + dot + _TORCH_KINDS.get(kind, kind)


def _checked(path, entry, tensors, wanted):
    """The tensors of `wanted`; raises FormatError for one that is missing, or that the architecture does not have."""
    for key in wanted:
        if key not in tensors:
            raise FormatError(path, f"is not in the file: not the weights of {entry.name}", key)
    for key in tensors.keys() - entry.build().state_shapes().keys():
        raise FormatError(path, f"is in the file, but not in the net: not the weights of {entry.name}", key)
    return {key: tensors[key] for key in wanted}


def _preprocessing(path, entry, known, format):
    """Which of entry.preprocess: what the names tell, else what is asked for, else the only one."""
    choices = tuple(entry.preprocess)
    if format is not None and (format not in choices or known not in (None, format)):
        raise UsageError(
            f"{path}: weights of {entry.name} in the form of {known or ' or '.join(choices)}, not {format}"
        )
    if known or format or len(choices) == 1:
        return known or format or choices[0]
    raise FormatError(
        path, f"its names do not tell whose preprocessing it wants: say {' or '.join(choices)} (format, --format)"
    )
