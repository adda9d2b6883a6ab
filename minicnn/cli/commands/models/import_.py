"""Convert a weight file of Caffe or PyTorch to minicnn's own form, once.

The new file holds the weights, the preprocessing, the class names and the hash of the old file. Put it into the cache
folder (see `minicnn doctor`) or a folder of MINICNN_WEIGHTS, and it is found by name.

examples:
  minicnn models import bvlc_googlenet.caffemodel --arch googlenet --labels synset_words.txt --out weights
  minicnn models import squeezenet1_1.pth --arch squeezenet1_1 --out weights
"""

from ...options import add_out


def add_arguments(parser):
    parser.add_argument("file", metavar="FILE", help=".caffemodel, .pth or .safetensors")
    parser.add_argument("--arch", metavar="NAME", required=True, help="the architecture; see `minicnn models list`")
    parser.add_argument("--labels", metavar="FILE", help="class names, one a line, as in synset_words.txt")
    parser.add_argument("--allow-nonfinite", action="store_true", help="accept NaN and infinite weights")
    add_out(parser, ".")


def run(args):
    from ....weights.store import import_file

    print(import_file(args.file, args.arch, args.out, classes=args.labels, allow_nonfinite=args.allow_nonfinite))
