"""How far the ways of looking get on a net and on photos: the figures by which their papers judge such pictures.

    MINICNN_WEIGHTS=WEIGHTS python -m minicnn.benchmarks.reached --photos ONE.jpg TWO.jpg --sky SKY.jpg \\
        --portrait CAT.jpg --painting PAINTING.jpg --out benchmarks/results/reached-googlenet.json

Each by its defaults. The file that is written holds numbers only. What is there already is not done again.
"""

import argparse
import json
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from .. import load, vis
from ..files import write_whole
from ..layers.softmax import softmax_forward
from ..vis.image import preprocess, preprocess_whole, read_image
from ..vis.integrated_gradients import baseline_image
from ..vis.units import find_class
from .markdown import head, line

CLASSES = [
    "goldfish",
    "ostrich",
    "flamingo",
    "peacock",
    "zebra",
    "strawberry",
    "tarantula",
    "bell pepper",
    "lemon",
    "monarch",
]
CODES = ["conv2/norm2", "inception_4a/output"]
DREAM = "inception_4c/output"
SKY, PORTRAIT = 1024, 384  # pixels of the longer side


def probability(net, x, name):
    """How probable a class is in one image, after the softmax."""
    return float(softmax_forward(net(x, until=net.scores))[0][0, find_class(net, name)])


def class_model(net, classes=CLASSES, **options):
    """{class: its probability in the picture that was made for it}."""
    return {name: probability(net, vis.class_model(net, name, **options), name) for name in classes}


def dream(net, sky, layer=DREAM, **options):
    """[[the layer's norm before, after] of each octave]."""
    return vis.dream(net, sky, layer, **options)["norms"][0].tolist()


def invert(net, x, layers=CODES, **options):
    """{layer: [|Phi - Phi0|^2 / |Phi0|^2 of each photo]}, the first term of the paper's energy."""
    return {layer: (vis.invert(net, x, layer, **options).errors[0, :, 0] ** 2).tolist() for layer in layers}


def style(net, photo, painting, **options):
    """[the style's loss of the photo, and of the picture that was made]."""
    result = vis.style(net, photo, painting, **options)
    return [float(result[when][0, 1]) for when in ("before", "after")]


def integrated_gradients(net, x, **options):
    """[by how much the sum is not the difference of the scores, as a share of it, of each photo and its own class]."""
    black = np.broadcast_to(baseline_image(net, x, "black"), x[:1].shape).copy()
    before, found = net(black, until=net.scores)[0], []
    for photo in (x[n : n + 1] for n in range(len(x))):
        scores = net(photo, until=net.scores)[0]
        unit = int(scores.argmax())
        total = vis.integrated_gradients(net, photo, unit, **options).sum(dtype=np.float64)
        found.append(float(abs(total / (scores[unit] - before[unit]) - 1)))
    return found


def reached_table(document, attacks):
    """Markdown: a row a way of looking; `attacks` is what attacks.py has written about the same net."""
    chances, norms, losses = document["class_model"].values(), document["dream"], document["invert"]
    rows = [head("way of looking", "what is counted", document["net"])]
    what = f"probability of {len(chances)} classes in pictures of them"
    rows.append(line("class_model", what, f"at least {min(chances):.4f}"))
    rises = ", ".join(f"{after / before:.1f}" for before, after in norms)
    rows.append(line("dream", "by how much each octave raises the layer's norm", f"{rises} times"))
    for layer, shares in losses.items():
        what = f"squared error of the code at {layer}, {len(shares)} photos"
        rows.append(line("invert", what, f"{np.mean(shares):.1%}, {max(shares):.1%} at most"))
    before, after = document["style"]
    rows.append(line("style", "by how much the style's loss falls", f"{before / after:.0f} times"))
    off = document["integrated_gradients"]
    rows.append(line("integrated_gradients", "the sum against the difference of scores", f"{max(off):.1%} off at most"))
    for name, row in attacks["attacks"].items():
        fooled = f"{row['fooled']} of {row['photos']}"
        moved = f"fooled, pixels moved by {row['mean_distortion_levels']:.2g} levels of 255 in the mean"
        rows.append(line(f"fool, {name}", "photos that were right", f"{fooled} {moved}"))
    return "\n".join(rows) + f"\n\nAll but the attacks measured on {document['date']}.\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="googlenet", help="a net that was fetched or imported")
    parser.add_argument("--photos", nargs="+", required=True, metavar="FILE", help="photos that the net has right")
    parser.add_argument("--sky", required=True, metavar="FILE", help="a photo to dream on")
    parser.add_argument("--portrait", required=True, metavar="FILE", help="a photo to paint")
    parser.add_argument("--painting", required=True, metavar="FILE", help="whose style it is painted in")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the JSON file to write")
    args = parser.parse_args()

    net = load(args.net)
    x = np.concatenate([preprocess(read_image(path), net.meta) for path in args.photos])
    sky = preprocess_whole(read_image(args.sky), net.meta, SKY)
    portrait, painting = (
        preprocess_whole(read_image(path), net.meta, PORTRAIT) for path in (args.portrait, args.painting)
    )
    work = {
        "class_model": partial(class_model, net),
        "dream": partial(dream, net, sky),
        "invert": partial(invert, net, x),
        "integrated_gradients": partial(integrated_gradients, net, x),
        "style": partial(style, net, portrait, painting),
    }
    document = json.loads(args.out.read_text()) if args.out.is_file() else {"net": args.net, "date": str(date.today())}
    for name, measure in work.items():
        if name not in document:
            document[name] = measure()
            with write_whole(args.out) as file:
                file.write((json.dumps(document, indent=2) + "\n").encode())
        print(name, document[name], flush=True)


if __name__ == "__main__":
    main()
