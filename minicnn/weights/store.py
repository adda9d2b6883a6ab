"""The store: nets out of files and into files."""

from . import native
from .places import find
from .whole_net import check_meta, read_net


def load(name_or_path, arch=None, prototxt=None, format=None, upto=None, allow_nonfinite=False):
    """A frozen net with its weights.

        net = minicnn.load("googlenet")                                        # by name: see `places.find`
        net = minicnn.load("net.onnx")                                         # a file that describes its net
        net = minicnn.load("net.caffemodel", prototxt="deploy.prototxt")
        net = minicnn.load("vgg16-397923af.pth", arch="vgg16")                 # a file of weights alone
        net = minicnn.load("features.safetensors", arch="vgg16", format="caffe", upto="conv3_3")

    The arguments after the first are those of `whole_net.read_net`. `net.meta` says how images go in, always for nets
    of the zoo; for others it is None where it is not known.
    Raises MissingFileError if `find` does not find it; FormatError if it is damaged, has NaN or inf in it or does not
    fit; UsageError for arguments that do not go together.
    """
    net, _ = read_net(find(name_or_path), arch, prototxt, format, upto, allow_nonfinite=allow_nonfinite)
    return net.freeze()


def save(net, path, half=False):
    """Write a net to a file of minicnn's own form; `load` makes the same net of it again.

        minicnn.save(net, "mine.safetensors")

    half  store weights of two and more dimensions as float16; they are read as float32 again

    Holds the graph, the arrays, and net.meta if it is not None. Raises MinicnnError where a layer is not one of
    minicnn's, has no parameters yet, or where the class names are not as many as the scores; OutputError.
    """
    if net.meta is not None:
        check_meta(net)
    native.save(path, net, half)
