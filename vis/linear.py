"""A linear classifier, and how a little of each class fools it: the lecture's example and CIFAR-10.

    score = w . x + b          moving every x by e in the direction of w moves the score by e * sum |w|

Ten numbers, w of -1 and 1, x as in `EXAMPLE`: the score is -3, the probability of class 1 sigmoid(-3) = 0.047. Each
number moved by 0.5 in its weight's direction: 2 and 0.88. Ten small steps add up; a picture has 3,072 and more.

With a folder a softmax classifier is trained on its pixels, K scores W x + b. The rows of W are its templates. To
mix "a little of the goldfish" into an image is to add a small multiple of that class's template,

    I + a_k * W_k,     a_k = max over j of (score_j - score_k) / (W_k . (W_k - W_j))

with the smallest a_k for which class k is first (1 % more is added). I is the image from 0, black, to 1, white, and W
belongs to it. Where W_k . W_j > |W_k|^2 for a leading j, no multiple does it: infinity.

out  a `Linear`: the example, and with a folder, or where the net itself is linear, the classifier's templates; and of
     N images all that was mixed. The images are the photos given for a net that is linear, else the first test image of
     each class that the classifier has right.
Raises UsageError for photos and a net that is not linear; what `read_cifar10` and `UnitBox` raise.

batch 128, momentum 0.9, rate 0.001 falling to 0, decay 0.1 on inputs from -2 to 2, 10 epochs: ours. What the decay
does, measured once on CIFAR-10 in JPEGs, with seed 0:

    decay                                                    0       0.1     1
    test images right                                        41.5 %  41.3 %  39.1 %
    neighbouring pixels' difference in a template, squared,
    over that of any two of its pixels                       0.19    0.13    0.05
    r.m.s. levels to another class, the median               6.5     9.4     18.8

The templates show the same things without it, under more noise.

The picture: the example as a table; the templates, mid-grey being 0, each on its own scale; the images, mixed with
every class in turn, and how far that moved the pixels, as a root mean square in levels of 256. What comes to lie beyond
black and white is cut off there.

Caveat: a template is what separates a class from the nine others, not what its things look like. That small changes
fool a linear classifier does not show that nets are fooled for the same reason.
Karpathy, Breaking Linear Classifiers on ImageNet, 2015; Goodfellow, Shlens & Szegedy, Explaining and Harnessing
Adversarial Examples, ICLR 2015, section 3

examples:
  minicnn vis linear --out pictures
  minicnn vis linear --folder cifar10 --out pictures
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UsageError
from ..train.cifar10 import read_cifar10
from ..train.standardise import standardise
from .counts import at_least_one
from .image import deprocess
from .inputs import Images
from .nets.softmax_pixels import accuracy, is_linear, train_softmax
from .pictures.colour import channel_order, show_gradient
from .pictures.predictions import class_name, percent
from .pictures.tiles import grid, load_font
from .search.unit_box import UnitBox

EXAMPLE = ((2, -1, 3, -2, 2, 2, 1, -4, 5, 1), (-1, -1, 1, -1, 1, -1, 1, 1, -1, 1))  # x, w
MOVE = 0.5
MARGIN = 0.01  # of a_k, beyond the place where two scores are equal


class Linear(NamedTuple):
    """What `linear` returns; None where there is no classifier, or no image.

    example      (4, 10): x, w, x moved, w times that
    classifier   the Net
    templates    (K, C, H, W) float32: W
    images       (N, C, H, W), preprocessed
    mixed        (N, K, C, H, W), preprocessed: image n as class k
    distortions  (N, K) float32: sqrt(sum r^2 / n) of r = a_k * W_k; infinite where no multiple does it
    accuracy     of a classifier that was trained, on the test images, 0 to 1
    """

    example: np.ndarray
    classifier: Any = None
    templates: Any = None
    images: Any = None
    mixed: Any = None
    distortions: Any = None
    accuracy: Any = None


def linear(net, photos: Images = None, folder: str = "", epochs: int = 10, progress: bool = True, seed: int = 0):
    """The example and, of a linear classifier, its templates, and images mixed with every class: a `Linear`.

    photos  for a net that is linear itself: what to mix with its classes
    folder  of CIFAR-10, as `read_cifar10` takes it: what a classifier is trained on, where the net is not linear
    epochs  how often training sees each image
    seed    of the images' order
    """
    at_least_one(epochs=epochs)
    if is_linear(net):
        return _looked_at(net, photos)
    if photos is not None:
        raise UsageError("photos are for a net that is linear itself, one fully connected layer; a folder has its own")
    if not folder:
        return Linear(example())
    images, labels, classes = read_cifar10(folder, "train")
    trained = train_softmax(images, labels, classes, epochs, seed, progress)
    images, labels, _ = read_cifar10(folder, "test")
    chosen = standardise(images[first_right(trained, images, labels)], trained.meta)
    return _looked_at(trained, chosen)._replace(accuracy=accuracy(trained, images, labels))


def example():
    """(4, 10): x, w, x moved by MOVE in the direction of w, and w times that."""
    x, w = np.array(EXAMPLE, np.float64)
    moved = x + MOVE * np.sign(w)
    return np.stack([x, w, moved, w * moved])


def first_right(net, images, labels):
    """The index of each class's first image that the net has right; classes without one are left out."""
    found = {}
    for n in range(0, len(images), 500):
        answers = net(standardise(images[n : n + 500], net.meta), until=net.scores).argmax(axis=1)
        for i in np.flatnonzero(answers == labels[n : n + 500]):
            found.setdefault(int(labels[n + i]), n + i)
    return [found[label] for label in sorted(found)]


def multiples(scores, templates):
    """a (N, K): the smallest multiple of template k that makes it the highest score; 0 where it is, or infinity.

    scores     (N, K)
    templates  (K, D), the rows of W
    """
    products = templates @ templates.T
    gains = np.diag(products)[:, None] - products  # [k, j]: how much k gains on j, a multiple of 1
    behind = scores[:, None, :] - scores[:, :, None]  # [n, k, j]: by how much k is behind j
    gains = np.broadcast_to(gains, behind.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(behind > 0, np.where(gains > 0, behind / gains, np.inf), 0).max(axis=2)
        # A j that is not ahead but gains on k is ahead from here on.
        lost = np.where((behind <= 0) & (gains < 0), behind / gains, np.inf).min(axis=2)
    return np.where(needed < lost, needed, np.where(needed == 0, 0, np.inf))


def _looked_at(net, x):
    """The templates and, of images, all that the mixing makes."""
    box = UnitBox(net, net.meta.input_size)
    scores, tape = box.forward(np.full((1, *net.meta.input_size), 0.5))
    templates = np.concatenate([box.gradient(tape, row[None]) for row in np.eye(scores.shape[1])])
    found = Linear(example(), net, templates.astype(np.float32))
    if x is None:
        return found
    pictures = box.pictures(x)
    a = multiples(box.scores(pictures), templates.reshape(len(templates), -1))
    finite = np.where(np.isfinite(a), (1 + MARGIN) * a, 0)
    mixed = [box.inputs(pictures + finite[:, k, None, None, None] * template) for k, template in enumerate(templates)]
    sizes = np.sqrt(np.square(templates).mean(axis=(1, 2, 3)))
    distortions = np.where(np.isfinite(a), finite * sizes, np.inf)
    return found._replace(images=x, mixed=np.stack(mixed, axis=1), distortions=distortions.astype(np.float32))


def picture(result, net, x=None, unit=None):
    """[("example", table), ("templates", grid), ("mixed", grid)]: as many as the result has."""
    made = [("example", _table(result.example))]
    if result.classifier is None:
        return made
    net = result.classifier
    names = [class_name(net, k) for k in range(len(result.templates))]
    title = (
        "templates" if result.accuracy is None else f"templates; {percent(result.accuracy)} of the test images right"
    )
    tiles = show_gradient(result.templates, channel_order(net), 0.995)
    made.append(("templates", grid(tiles, names, columns=min(5, len(tiles)), title=title, least=96)))
    if result.mixed is not None:
        made.append(("mixed", _mixed(result, names)))
    return made


def _mixed(result, names):
    """A row an image, a column a class."""
    tiles = [tile for row in result.mixed for tile in deprocess(row, result.classifier.meta)]
    labels = [f"{name} {255 * d:.1f}" for row in result.distortions for name, d in zip(names, row)]
    title = "every image as every class; how far its pixels moved for it, of 256 levels"
    return grid(tiles, labels, columns=len(names), title=title, least=96)


def _table(numbers):
    """The example, a row a number, with the sums and what the sigmoid makes of them."""
    x, w, moved, products = numbers
    before, after = (w * x).sum(), products.sum()
    rows = [("x", "w", "w x", "x moved", "w x moved")]
    rows += [tuple(f"{v:g}" for v in row) for row in zip(x, w, w * x, moved, products)]
    rows += [("", "score", f"{before:g}", "", f"{after:g}")]
    rows += [("", "sigmoid", f"{_sigmoid(before):.4f}", "", f"{_sigmoid(after):.4f}")]
    width, height = 92, 26
    image = Image.new("RGB", (len(rows[0]) * width + 20, len(rows) * height + 20), (255, 255, 255))
    draw, font = ImageDraw.Draw(image), load_font(16)
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            at = 10 + (j + 1) * width - 12 - font.getlength(text), 10 + i * height
            draw.text(at, text, fill=(30, 30, 30), font=font)
    for i in (1, 1 + len(x)):
        draw.line((10, 8 + i * height, image.width - 10, 8 + i * height), fill=(150, 150, 150))
    return image


def _sigmoid(score):
    return 1 / (1 + np.exp(-score))
