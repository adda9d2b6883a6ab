"""The README's picture: what nets see, by ways of looking that need no photo.

    minicnn models import bvlc_googlenet.caffemodel --arch googlenet --labels synset_words.txt --out WEIGHTS
    MINICNN_WEIGHTS=WEIGHTS python -m minicnn.benchmarks.contact_sheet benchmarks/results/contact-sheet.jpg --keep ROWS

A row a method, of GoogLeNet or of a net that ships. `--keep` is a folder in which each row is kept as a PNG: a row that
lies there is not made again. Prints the probability, after the softmax, of each class of which there is an image.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .. import load, vis
from ..files import write_whole
from ..font import load_font
from ..train.shapes import Shapes
from ..train.standardise import standardise
from ..vis.image import deprocess, save_png
from ..vis.pictures.colour import channel_order, limit_of, show_gradient, signed, signed_rgb
from ..vis.pictures.heat import enlarged, overlay
from ..vis.pictures.predictions import captions
from ..vis.pictures.tiles import grid
from .reached import probability

_COLUMNS, _TILE = 8, 120
CLASSES = ("goldfish", "peacock", "monarch", "tarantula", "strawberry", "pineapple", "school bus", "volcano")
OLDER = ("flamingo", "goldfish", "ostrich", "bell pepper", "peacock", "tarantula", "zebra", "strawberry")
CHANNELS = (
    "conv2/3x3:20",
    "inception_3a/output:20",
    "inception_3b/output:20",
    "inception_4a/output:20",
    "inception_4b/output:20",
    "inception_4c/output:20",
    "inception_4d/output:20",
    "inception_5a/output:20",
)
DREAMS = (
    "conv2/3x3",
    "inception_3a/output",
    "inception_3b/output",
    "inception_4a/output",
    "inception_4b/output",
    "inception_4c/output",
    "inception_4d/output",
    "inception_4e/output",
)


def filters():
    """minicnn vis filters: what GoogLeNet's first layer multiplies a photo with"""
    net = load("googlenet")
    tiles = [signed_rgb(w, channel_order(net)) for w in vis.filters(net)]
    return grid(tiles, columns=4 * _COLUMNS, least=28)


def channels():
    """minicnn vis maximise: what channels respond to most, from GoogLeNet's first layers to its last"""
    net = load("googlenet")
    found = [_found(net, unit) for unit in CHANNELS]
    return _row([deprocess(x, net.meta)[0] for x in found], [unit.replace("/output", "") for unit in CHANNELS])


def classes():
    """minicnn vis maximise: what classes respond to most"""
    net = load("googlenet")
    found = [_found(net, unit) for unit in CLASSES]
    _say(net, CLASSES, found)
    return _row([deprocess(x, net.meta)[0] for x in found], CLASSES)


def _found(net, unit):
    """Fewer steps than the recipe's: at this size the rest is not seen."""
    (images,) = vis.maximise(net, unit, steps=64).values()
    return images[-1:]


def class_model():
    """minicnn vis class_model: classes with no prior but a price on size, as it was first done"""
    net = load("googlenet")
    found = [vis.class_model(net, unit) for unit in OLDER]
    _say(net, OLDER, found)
    return _row([show_gradient(x, channel_order(net), 0.995)[0] for x in found], OLDER)


def _say(net, units, found):
    for unit, x in zip(units, found):
        print(f"{unit}: {probability(net, x, unit):.4f}", flush=True)


def dream():
    """minicnn vis dream: from noise, what a layer sees in it, made more of, at four sizes"""
    net = load("googlenet")
    found = [deprocess(vis.dream(net, unit=layer)["image"], net.meta)[0] for layer in DREAMS]
    return _row(found, [layer.partition("/output")[0] for layer in DREAMS])


def fooling():
    """minicnn vis fooling: pictures that evolved until the net that reads digits was sure"""
    net = load("mnist-lenet")
    found = vis.fooling(net, count=_COLUMNS)
    return _row(deprocess(found, net.meta), captions(net, found))


def shapes():
    """minicnn vis guided_backprop, lrp, grad_cam: which pixels of a drawn shape told a small net what it is"""
    net = load("shapes")
    tiles, labels = [], []
    for image, label in _two_right(net):
        x = standardise(image[None], net.meta)
        parts = {
            net.meta.classes[label]: image.transpose(1, 2, 0),
            "guided backprop": show_gradient(vis.guided_backprop(net, x, label), channel_order(net))[0],
            "relevance": _signed(vis.lrp(net, x, label).pixels.sum(axis=1)[0]),
            "Grad-CAM": overlay(image.transpose(1, 2, 0), enlarged(vis.grad_cam(net, x, label), x.shape[2:])[0]),
        }
        tiles += parts.values()
        labels += parts
    return _row(tiles, labels)


def _two_right(net):
    """The first two drawn shapes, of different classes, that the net has right: [(image (3, S, S), class), ...]."""
    drawn = Shapes(1, net.meta.input_size[1])
    found = {}
    for number in range(1000):
        one = drawn.item(number)
        if net(standardise(one.image[None], net.meta), until=net.scores)[0].argmax() == one.label:
            found.setdefault(one.label, one.image)
        if len(found) == 2:
            break
    return [(image, label) for label, image in found.items()]


def _signed(values):
    return signed(values, limit_of(values, 0.995))


def _row(tiles, labels):
    """Eight tiles of one size, each with its label."""
    images = [Image.fromarray(np.ascontiguousarray(tile)) for tile in tiles]
    how = [Image.Resampling.LANCZOS if image.width > _TILE else Image.Resampling.NEAREST for image in images]
    return grid([image.resize((_TILE, _TILE), r) for image, r in zip(images, how)], list(labels), columns=_COLUMNS)


ROWS = (filters, channels, classes, class_model, dream, shapes, fooling)


def sheet(rows):
    """The rows one below the other, {caption: picture}."""
    font, line = load_font(15), 22
    width = max(picture.width for picture in rows.values())
    whole = Image.new("RGB", (width, sum(line + picture.height for picture in rows.values())), "white")
    draw, top = ImageDraw.Draw(whole), 0
    for caption, picture in rows.items():
        draw.text((2, top + 4), caption, fill=(30, 30, 30), font=font)
        whole.paste(picture, (0, top + line))
        top += line + picture.height
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="FILE", type=Path, help="the JPEG to write")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="where the rows are kept, and taken from")
    args = parser.parse_args()
    rows = {}
    for row in ROWS:
        kept = args.keep / f"{row.__name__}.png" if args.keep else None
        if kept and kept.is_file():
            picture = Image.open(kept)
        else:
            picture = row()
            if kept:
                save_png(picture, kept)
        rows[row.__doc__] = picture
    with write_whole(args.out) as file:
        sheet(rows).save(file, "JPEG", quality=85, optimize=True)


if __name__ == "__main__":
    main()
