"""How easily a net is fooled: attacks on the photos that it has right, counted.

    python -m minicnn.benchmarks.attacks bvlc_googlenet.caffemodel synset_words.txt PHOTOS --arch googlenet \\
        --out benchmarks/results/attacks-googlenet.json

A photo's class is the synset at the beginning of its file's name, n02007558_flamingo.JPEG. Of each attack: how many
of the photos that were right are wrong then, how many still are when the pixels have been rounded to whole levels, and
how far the pixels moved. The file that is written holds numbers only. What is there already is not done again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from ..files import write_whole
from ..train.standardise import standardise
from ..vis.fool import distortion, fool
from ..vis.image import deprocess, preprocess, read_image
from ..vis.pictures.predictions import percent
from ..vis.search.unit_box import class_scores
from ..weights import convert, store

ATTACKS = {
    "fgsm": {"attack": "fgsm", "eps": 8.0},
    "pgd": {"attack": "pgd", "eps": 8.0, "steps": 10},
    "szegedy": {"attack": "szegedy"},
    "deepfool": {"attack": "deepfool"},
    "pgd, eps 1": {"attack": "pgd", "eps": 1.0, "steps": 10},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="a file that `minicnn models import` takes")
    parser.add_argument("labels", help="synset_words.txt: a line a class, its synset first")
    parser.add_argument("photos", help="the folder of photos")
    parser.add_argument("--arch", required=True, help="the net's architecture")
    parser.add_argument("--out", required=True, metavar="FILE", help="the JSON file to write")
    parser.add_argument("--few", type=int, default=10, help="photos for the slow attacks, deepfool and szegedy")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        net = store.load(convert.import_file(args.weights, args.arch, folder, classes=args.labels))
    x, labels = _photos(net, args.photos, args.labels)
    answers = _answers(net, x)
    right = answers == labels
    out = Path(args.out)
    found = json.loads(out.read_text()) if out.is_file() else {"net": args.arch, "attacks": {}}
    found |= {"photos": len(x), "right": int(right.sum())}
    print(f"{args.arch}: {right.sum()} of {len(x)} photos right")
    for name, options in ATTACKS.items():
        if name not in found["attacks"]:
            few = args.few if options["attack"] in ("deepfool", "szegedy") else len(x)
            found["attacks"][name] = _measure(net, x[right][:few], labels[right][:few], options)
            with write_whole(out) as file:
                file.write((json.dumps(found, indent=2) + "\n").encode())
        print(_line(name, found["attacks"][name]), flush=True)


def _photos(net, folder, labels):
    """(x (N, C, H, W), labels (N,)) of the photos in the order of their names."""
    synsets = [line.split()[0] for line in Path(labels).read_text(encoding="utf-8").splitlines()]
    paths = sorted(Path(folder).glob("n*_*"))
    x = np.concatenate([preprocess(read_image(path), net.meta) for path in paths])
    return x, np.array([synsets.index(path.name.partition("_")[0]) for path in paths])


def _answers(net, x):
    return np.concatenate([class_scores(net, x[n : n + 1]).argmax(axis=1) for n in range(len(x))])


def _measure(net, x, labels, options):
    """{what: number} of one attack on photos that are right."""
    moved = fool(net, x, **options)
    rounded = standardise(deprocess(moved, net.meta).transpose(0, 3, 1, 2), net.meta)
    sizes = 255 * distortion(net, x, moved)
    return options | {
        "photos": len(x),
        "fooled": int((_answers(net, moved) != labels).sum()),
        "fooled_in_whole_levels": int((_answers(net, rounded) != labels).sum()),
        "mean_distortion_levels": round(float(sizes.mean()), 4),
        "largest_distortion_levels": round(float(sizes.max()), 4),
        "mean_distortion": round(float(sizes.mean()) / 255, 6),
    }


def _line(name, row):
    fooled, whole = row["fooled"], row["fooled_in_whole_levels"]
    share = f"{fooled} of {row['photos']} fooled ({percent(fooled / row['photos'])}), {whole} in whole levels"
    return f"{name}: {share}; distortion {row['mean_distortion']:.5f} ({row['mean_distortion_levels']:.3f} levels)"


if __name__ == "__main__":
    main()
