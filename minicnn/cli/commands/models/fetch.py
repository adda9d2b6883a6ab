"""Download published weights, check their hash and convert them, once; from then on they are found by name.

What has been fetched is not fetched again, and what was interrupted goes on where it broke off. Without a network, get
the file elsewhere and put it where the message says; MINICNN_OFFLINE=1 forbids downloads. `minicnn models list` shows
what there is; the weights keep their own licence.

examples:
  minicnn models fetch resnet18
  minicnn models fetch squeezenet1_1 alexnet --json
  minicnn models fetch vgg16 --format caffe
"""

from ...options import add_json
from ...output import print_json


def add_arguments(parser):
    parser.add_argument("models", metavar="NAME", nargs="+", help="an architecture; see `minicnn models list`")
    parser.add_argument("--format", metavar="NAME", help="torch or caffe, where both are published; default the first")
    add_json(parser)


def run(args):
    from ....weights.fetch import fetch

    found = []
    for name in args.models:
        found.append({"name": name, "file": str(fetch(name, args.format, progress=not args.quiet))})
        if not args.json:
            print(found[-1]["file"])
    if args.json:
        print_json({"files": found})
