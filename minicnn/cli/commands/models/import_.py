"""Convert another framework's weight file to minicnn's own form, once.

The new file holds the net, the weights, the preprocessing, the class names and the hash of the old file. Put it into
the cache folder (see `minicnn doctor`) or a folder of MINICNN_WEIGHTS, and it is found by name.

A file that describes its net needs no --arch: .onnx, ConvNetJS's and TensorFlow.js's .json, and .caffemodel. Of weights
for a net of the zoo (--arch) the usual preprocessing is known; the options below change it, or say it for other nets:
--channel-order and --range at least.

examples:
  minicnn models import bvlc_googlenet.caffemodel --arch googlenet --out weights
  minicnn models import resnet18-f37072fd.pth --arch resnet18 --out weights
  minicnn models import net.caffemodel --prototxt deploy.prototxt --mean-image mean.binaryproto --labels words.txt
  minicnn models import net.onnx --channel-order RGB --range 1 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  minicnn models import conv1_1-conv3_3.safetensors --arch vgg16 --upto conv3_3 --format caffe
"""

from argparse import ArgumentTypeError

from ...options import add_out
from ...parser import one_of

_ORDERS, _RESIZES = ("RGB", "BGR", "L"), ("crop", "squash")
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
_MOST_NUMBERS = 4096


def add_arguments(parser):
    parser.add_argument("file", metavar="FILE", help=".caffemodel, .pth, .onnx, .json, .safetensors ...")
    parser.add_argument("--arch", metavar="NAME", help="the architecture; see `minicnn models list`")
    parser.add_argument("--prototxt", metavar="FILE", help="the net of a .caffemodel, if it is not the one inside")
    parser.add_argument(
        "--format", metavar="NAME", help="torch or caffe: whose preprocessing, if the file does not tell"
    )
    parser.add_argument(
        "--upto", metavar="NODE", help="the net ends here; the file need not hold the weights of the rest"
    )
    parser.add_argument("--labels", metavar="FILE", help="class names, one a line, as in synset_words.txt")
    parser.add_argument("--name", metavar="NAME", help="of the new file; default NAME-<8 digits of the old one's hash>")
    parser.add_argument("--allow-nonfinite", action="store_true", help="accept NaN and infinite weights")
    add_out(parser, ".")
    images = parser.add_argument_group("preprocessing: value = (pixel / 255 * range - mean) / std")
    images.add_argument("--channel-order", metavar="ORDER", type=one_of("order", _ORDERS), help="RGB, BGR or L (grey)")
    images.add_argument("--range", metavar="X", type=float, help="the value of white: 255, 1 ...")
    images.add_argument("--mean", metavar="X,X,X", type=_numbers, help="one number a channel, or one for all")
    images.add_argument("--std", metavar="X,X,X", type=_numbers, help="one number a channel, or one for all")
    images.add_argument("--mean-image", metavar="FILE", help="a .binaryproto: a mean for each pixel")
    images.add_argument("--input-size", metavar="N or HxW", type=_size, help="of the net's input, in pixels")
    images.add_argument(
        "--resize", metavar="HOW", type=one_of("way", _RESIZES), help="crop: the shorter side; squash: both"
    )
    images.add_argument(
        "--resize-to", metavar="N", type=int, help="the sides become so long; then the centre is cut out"
    )
    images.add_argument(
        "--interpolation",
        metavar="NAME",
        type=one_of("interpolation", _INTERPOLATIONS),
        help=", ".join(_INTERPOLATIONS),
    )


def run(args):
    from ....weights.convert import import_file

    fields = ("channel_order", "range", "mean", "std", "input_size", "resize", "resize_to", "interpolation")
    given = {field: getattr(args, field) for field in fields if getattr(args, field) is not None}
    print(
        import_file(
            args.file,
            args.arch,
            args.out,
            name=args.name,
            classes=args.labels,
            mean_image=args.mean_image,
            changes=given,
            prototxt=args.prototxt,
            format=args.format,
            upto=args.upto,
            allow_nonfinite=args.allow_nonfinite,
        )
    )


def _numbers(text):
    try:
        return tuple(float(part) for part in text.split(",", _MOST_NUMBERS))
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: expected numbers with commas between, as in 104,117,123") from None


def _size(text):
    try:
        sides = tuple(int(part) for part in text.split("x", 2))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2):
        raise ArgumentTypeError(f"{text!r}: expected a size as in 224 or 224x320")
    return sides * 2 if len(sides) == 1 else sides
