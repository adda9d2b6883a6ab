"""Say what pictures show: the five classes that a net finds most likely.

The picture is brought to the net's input as the net's own weights say; which way that was stands on stderr.

examples:
  minicnn predict digit.png
  minicnn predict cat.jpg dog.jpg --model googlenet
  minicnn predict cat.jpg --model ./weights/squeezenet1_1.safetensors --backend numpy --json
"""

from ..options import add_backend, add_json, add_model
from ..output import bar, print_json

_TOP = 5


def add_arguments(parser):
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a picture in any usual format")
    add_model(parser)
    add_backend(parser)
    add_json(parser)


def run(args):
    from ..session import backend, describe, log, open_net, read_batch

    with backend(args) as name:
        net, path = open_net(args.model)
        log.info("preprocessing: %s", describe(net.meta))
        found = [_top(net, read_batch([image], net)) for image in args.images]
    if args.json:
        results = [{"image": image, "classes": classes} for image, classes in zip(args.images, found)]
        print_json({"model": str(path), "backend": name, "preprocessing": describe(net.meta), "results": results})
        return
    for image, classes in zip(args.images, found):
        print(image)
        for row in classes:
            print(f"  {row['probability']:7.2%}  {bar(row['probability'])}  {row['class']:>4}  {row['name']}".rstrip())


def _top(net, x):
    """The best classes of one image, the best first: [{"class", "name", "score", "probability"}]."""
    import numpy as np

    from ...device import on_device, to_host
    from ...layers.softmax import softmax_forward

    scores = net(on_device(net, x), until=net.scores).reshape(1, -1)
    probabilities, scores = (to_host(net, a) for a in (softmax_forward(scores)[0], scores))
    names = net.meta.classes or [""] * scores.shape[1]
    order = np.argsort(-scores[0], kind="stable")[:_TOP]
    return [
        {"class": int(k), "name": names[k], "score": float(scores[0, k]), "probability": float(probabilities[0, k])}
        for k in order
    ]
