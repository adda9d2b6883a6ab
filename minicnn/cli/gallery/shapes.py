"""What a net sees in drawn shapes, whose true pixels are known."""

import numpy as np

from ... import vis
from ...layers.softmax import softmax_forward
from ...train.shapes import Shapes
from ...train.standardise import standardise
from ...vis.pictures.colour import absolute, limit_of, show_gradient
from ...vis.pictures.tiles import grid
from .page import TILE, Section, by_rows

_SQUARE = 24  # pixels that are covered at a time: most of a shape
_SEED = 2024  # of the pictures: none of those that the net was trained on


def sections(net, record):
    """(name, Section) one after the other.

    net     the one that ships for `minicnn.train.shapes`
    record  the run's: the pictures that the commands name are written into its folder
    """
    drawn = _one_a_class(Shapes(_SEED, net.meta.input_size[1]))
    images = np.stack([d.image for d in drawn])
    x = standardise(images, net.meta)
    tiles = list(images.transpose(0, 2, 3, 1))
    star = record.picture(grid(tiles[-2:-1], gap=0), f"shapes/{net.meta.classes[-2]}.png")
    yield "shapes", _predictions(net, x, tiles)
    yield "shapes-rules", _rules(net, x, tiles, drawn, star)
    yield "occlusion", _occlusion(net, x[-2:-1], star)


def _one_a_class(shapes):
    """The first picture of each class, in the classes' order."""
    found, index = {}, 0
    while len(found) < len(shapes.classes):
        drawn = shapes.item(index)
        found.setdefault(drawn.label, drawn)
        index += 1
    return [found[label] for label in sorted(found)]


def _predictions(net, x, tiles):
    p = softmax_forward(net(x, until=net.scores))[0]
    labels = [f"{net.meta.classes[q.argmax()]}   {q.max():.1%}" for q in p]
    return Section(
        "Drawn shapes",
        "Pictures without an end, drawn on textured grounds; of each the true class and the true pixels are known. "
        "Above each is what the net says.",
        "minicnn eval shapes --set shapes --items 1000",
        grid(tiles, labels, columns=5, gap=8, least=TILE),
    )


def _rules(net, x, tiles, drawn, star):
    rows = {"image": tiles, "the true pixels": [np.repeat(255 * np.uint8(d.mask)[..., None], 3, axis=2) for d in drawn]}
    columns = [vis.compare(net, x[k : k + 1], str(d.label)) for k, d in enumerate(drawn)]
    for rule in columns[0]:
        rows[rule.replace("_", " ")] = [show_gradient(column[rule], net.meta.channel_order)[0] for column in columns]
    maps = [vis.saliency(net, x[k : k + 1], str(d.label))[0] for k, d in enumerate(drawn)]
    rows["saliency"] = [absolute(m, limit_of(m, 0.999)) for m in maps]
    return Section(
        "Does it look at the shape?",
        "Each shape's own score, walked back to the pixels under three rules, and where a pixel matters most. The true "
        "pixels are the judge: a rule whose picture lies elsewhere explains nothing.",
        f"minicnn vis compare {star} --model shapes --unit {net.meta.classes[-2]}",
        by_rows(rows),
    )


def _occlusion(net, x, star):
    name = net.meta.classes[-2]
    result = vis.occlusion(net, x, name, size=_SQUARE, stride=4, progress=False)
    return Section(
        "Occlusion",
        "A grey square slides over the picture; each map shows what that does, where the square's middle is. No "
        "gradient is needed for it, and it takes as many passes as there are places.",
        f"minicnn vis occlusion {star} --model shapes --unit {name} --size {_SQUARE} --stride 4",
        vis.METHODS["occlusion"].picture(result, net, x=x, unit=name),
    )
