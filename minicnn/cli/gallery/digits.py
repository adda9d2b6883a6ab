"""What a LeNet sees in digits that a font has drawn."""

import numpy as np

from ... import vis
from ...vis.image import deprocess
from ...vis.pictures.colour import absolute, limit_of, show_gradient, signed
from ...vis.pictures.tiles import grid
from .page import TILE, Section, by_rows


def sections(net, x, probabilities, digit):
    """(name, Section) one after the other, each made when it is asked for.

    x              (10, 1, 28, 28), the digits 0 to 9, preprocessed
    probabilities  (10, 10), what the net makes of them
    digit          the file of the 3, as the commands under the pictures name it
    """
    images = list(deprocess(x, net.meta))
    yield "predictions", _predictions(images, probabilities, digit)
    yield "filters", _filters(net)
    yield "activations", _activations(net, x, digit)
    yield "rules", _rules(net, x, images, digit)
    yield "saliency", _saliency(net, x, images, digit)
    yield "classes", _classes(net)


def _predictions(images, probabilities, digit):
    labels = [f"{p.argmax()}   {p.max():.1%}" for p in probabilities]
    return Section(
        "What the net says",
        "Digits drawn with a font; the net has only seen handwritten ones. Above each is its answer, and how sure.",
        f"minicnn predict {digit}",
        grid(images, labels, columns=5, gap=8, least=TILE),
    )


def _filters(net):
    w = vis.filters(net)[:, 0]
    return Section(
        "Filters",
        "What the 20 filters of the first layer multiply the image with: red above zero, blue below, white zero.",
        "minicnn vis filters",
        grid(list(signed(w, limit_of(w))), [str(k) for k in range(len(w))], columns=10, gap=4, least=TILE - 4),
    )


def _activations(net, x, digit):
    out = vis.activations(net, x[3:4], "relu_conv1").out[0]
    return Section(
        "Activations",
        "What these filters find in the drawn 3, after the ReLU: black is nothing, white the strongest.",
        f"minicnn vis activations {digit} --unit relu_conv1",
        grid(list(absolute(out, limit_of(out))), [str(k) for k in range(len(out))], columns=10, gap=4, least=96),
    )


def _rules(net, x, images, digit):
    """A column a digit: the image, then its own class's score under every rule."""
    columns = [vis.compare(net, x[k : k + 1], str(k)) for k in range(len(x))]
    rows = {"image": images}
    for rule in columns[0]:
        rows[rule.replace("_", " ")] = [show_gradient(column[rule], "L")[0] for column in columns]
    return Section(
        "One tape, three rules",
        "Each digit's own score, walked back to the image three times over the same tape. The three pictures differ in "
        "one line: what a ReLU lets through on the way back. Red raises the score, blue lowers it.",
        f"minicnn vis compare {digit} --unit 3\n\n"
        "from minicnn.vis import compare\n"
        'pictures = compare(net, x, "3")   # {"gradient": dx, "deconvnet": dx, "guided_backprop": dx}',
        by_rows(rows),
    )


def _saliency(net, x, images, digit):
    maps = [vis.saliency(net, x[k : k + 1], str(k))[0] for k in range(len(x))]
    return Section(
        "Saliency",
        "Where a changed pixel changes the digit's score most, whatever the direction: |gradient|.",
        f"minicnn vis saliency {digit} --unit 3",
        by_rows({"image": images, "saliency": [absolute(m, limit_of(m, 0.999)) for m in maps]}),
    )


def _classes(net):
    # A digit is a few strokes: the larger penalty keeps the image as sparse.
    ascent = {"steps": 100, "learning_rate": 0.05, "penalty": 0.5}
    found = np.concatenate([vis.class_model(net, str(k), **ascent, progress=False) for k in range(10)])
    scores = net(found, until=net.scores)
    labels = [f"{k}   score {scores[k, k]:.0f}" for k in range(10)]
    tiles = [absolute(image, limit_of(image, 0.995)) for image in np.maximum(found[:, 0], 0)]
    return Section(
        "What each class looks like to the net",
        "Nobody drew these: each starts from a black image and climbs the gradient of one class's score.",
        "minicnn vis class_model --unit 3 --steps 100 --learning-rate 0.05 --penalty 0.5",
        grid(tiles, labels, columns=5, gap=8, least=TILE),
    )
