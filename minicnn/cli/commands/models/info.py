"""Describe a net: its layers and their shapes, its preprocessing and where its weights are from.

A name that has weights, or a weight file, is loaded; the name of an architecture alone is built without weights.

examples:
  minicnn models info mnist-lenet
  minicnn models info vgg16
  minicnn models info mnist-lenet --json
"""

from dataclasses import asdict

from ...options import add_json
from ...output import print_json


def add_arguments(parser):
    parser.add_argument("model", metavar="NAME_OR_FILE", help="weights by name or file, or an architecture")
    add_json(parser)


def run(args):
    net, path = _net(args.model)
    summary = net.summary()
    if args.json:
        layers = [row._asdict() for row in summary.rows]
        totals = {"parameters": summary.params, "multiply_adds": summary.macs, "activation_bytes": summary.bytes}
        print_json({"weights": path and str(path), "meta": asdict(net.meta), "layers": layers, **totals})
        return
    print(f"weights        {path or 'none: architecture only'}")
    for name, value in asdict(net.meta).items():
        print(f"{name:<14} {_short(name, value)}")
    print()
    print(summary)


def _net(model):
    """(net, file); (net, None) for an architecture of which no weights are there."""
    from .... import zoo
    from ....weights import store
    from ...session import find_weights

    if model in zoo.names() and model not in store.available():
        return zoo.build(model, seed=None), None
    path = find_weights(model)
    return store.load(path), path


def _short(name, value):
    if name == "classes" and len(value) > 10:
        return f"{len(value)}: {', '.join(value[:3])} ... {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value
