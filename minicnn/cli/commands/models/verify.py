"""Check that weight files are still what was written: each records a hash of its content.

Exit code 4 if one is damaged, or was not written by minicnn.

examples:
  minicnn models verify
  minicnn models verify mnist-lenet
  minicnn models verify ./weights/squeezenet1_1.safetensors --json
"""

from ...options import add_json
from ...output import print_json, table


def add_arguments(parser):
    parser.add_argument("models", metavar="NAME_OR_FILE", nargs="*", help="all that are found unless some are named")
    add_json(parser)


def run(args):
    from ....weights.verify import verify
    from ...session import find_weights

    for model in args.models:
        find_weights(model)  # a misspelt name is a usage error
    verdicts = verify(args.models)
    if args.json:
        files = [{"name": v.name, "file": str(v.path), "ok": v.fault is None, "fault": v.fault} for v in verdicts]
        print_json({"files": files})
    else:
        print(table(("weights", "", "file"), [(v.name, v.fault or "ok", v.path) for v in verdicts]))
    return 4 if any(v.fault for v in verdicts) else 0
