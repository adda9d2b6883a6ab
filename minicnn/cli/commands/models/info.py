"""Describe a net: its layers and their shapes, its preprocessing, and where its weights are from or can be had.

A name that has weights, or a weight file, is loaded; the name of an architecture alone is built without weights.

examples:
  minicnn models info mnist-lenet
  minicnn models info vgg16
  minicnn models info net.onnx
  minicnn models info mnist-lenet --json
"""

from dataclasses import asdict

from ...options import add_json
from ...output import print_json, table


def add_arguments(parser):
    parser.add_argument("model", metavar="NAME_OR_FILE", help="weights by name or file, or an architecture")
    add_json(parser)


def run(args):
    net, path, input_size = _net(args.model)
    meta = _meta(net)
    published = _published(meta.get("architecture", args.model))
    summary = net.summary((1, *input_size)) if input_size else None
    if args.json:
        layers = [row._asdict() for row in summary.rows] if summary else [_node(node) for node in net.nodes]
        report = {"weights": path and str(path), "meta": meta or None, "published": published, "layers": layers}
        if summary:
            report |= {"parameters": summary.params, "multiply_adds": summary.macs, "activation_bytes": summary.bytes}
        print_json(report)
        return
    print(f"weights        {path or 'none: architecture only'}")
    for name, value in meta.items():
        print(f"{name:<14} {_short(name, value)}")
    for file in published:
        about = (f"{file['size'] / 1e6:.0f} MB" if file["size"] else None, file["top1"] and f"{file['top1']} % right")
        print(f"{'published':<14} {', '.join(filter(None, (file['url'], file['hash'], *about)))}")
    print()
    print(summary or table(("node", "layer", "reads"), [_node(node).values() for node in net.nodes]))


def _net(model):
    """(net, file, (C, H, W) or None); the file is None for an architecture of which no weights are there."""
    from .... import zoo
    from ....weights import places
    from ....weights.whole_net import read_net
    from ...session import find_weights

    if model in zoo.names() and model not in places.available():
        net = zoo.build(model, seed=None)
        return net, None, net.meta.input_size
    path = find_weights(model)
    net, input_size = read_net(path)
    return net, path, input_size


def _meta(net):
    if net.meta is None:
        return {}
    image = net.meta.mean_image
    return {**asdict(net.meta), "mean_image": image and repr(image)}


def _published(architecture):
    from .... import zoo

    if architecture not in zoo.names():
        return []
    return [{**asdict(file), "hash": file.hash} for file in zoo.entry(architecture).files]


def _node(node):
    return {"name": node.name, "layer": repr(node.layer), "inputs": ", ".join(node.inputs)}


def _short(name, value):
    if name == "classes" and len(value) > 10:
        return f"{len(value)}: {', '.join(value[:3])} ... {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value
