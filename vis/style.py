"""A photo in the style of a painting: one's content and the other's style, as a net sees them.

    I = argmin of  content(I) + style_weight * style(I) + variation * TV(I) / (H * W)      0 <= I <= 1, black to white

    content  1/2 * mean of (F - P)^2: a layer's outputs F of I and P of the photo
    style    1 / (4 * C^2) * sum of (G / M - A)^2: the layer's Gram matrix G = F F' of I, over M positions, and A, the
             same of the painting: which features occur together, wherever it is
    TV       sum of the squared differences between neighbouring pixels

each with F scaled so that its mean is about 1 (see `style_loss`), and summed over layers with their weights. The walk
begins at all layers at once (see `several`).

x       (N, C, H, W), preprocessed, of any size: the photos
styles  (M, C, h, w), or a list of (1, C, h, w): the paintings; of several the mean of their Gram matrices is taken
result  image   (N, C, H, W) float32, preprocessed
        before  (N, 3) float32: content, style and TV / (H * W), unweighted, of the image that it starts from
        after   (N, 3): of the image that was found
        curve   N arrays (T, 3): the same after each step, at all sizes, each of that size
        styles  the paintings as they were used, each (1, C, h, w)
Raises UsageError for options that make no sense, UnknownNameError for layers that are not there and
MissingExtraError where L-BFGS is wanted and scipy is not installed.

The paper's [1]: L-BFGS; layers conv1_1 to conv5_1, each weighing 1/5, for style and conv4_2 for content (in other nets
those in their place, see `style_layers`); averages in place of the net's max pooling. The balance is ours: the paper's,
1e3 to 1e4 between sums, holds for images of its size and its own scaling of the net. By the defaults GoogLeNet's style
loss fell to a 110th, with a cat of 384 pixels still to be told; a smaller weight keeps more of it. From noise it takes
finer content, and more of it: in GoogLeNet inception_3b/output and a style_weight of 3. There a variation of 10 removes
the finest patterns, which no layer minds. Colours are kept as in [2]; by "luminance" what is left of the style is its
strokes, which VGG's first layers show at a style_weight of 200. `octaves` go from coarse to fine as in [3]. Ctrl-C
keeps the image so far.

The picture: "image" is the result; "beside" has the photo, the paintings as used and the result with its style loss.

Caveat: a Gram matrix knows which features occur together and nothing of where. So it is texture, colours and strokes
that are carried over, not a painting's composition; and a face in the photo is texture like everything else.
[1] Gatys, Ecker & Bethge, Image Style Transfer Using Convolutional Neural Networks, CVPR 2016
[2] Gatys, Bethge, Hertzmann & Shechtman, Preserving Color in Neural Artistic Style Transfer, arXiv 1606.05897, 2016
[3] Gatys, Ecker, Bethge, Hertzmann & Shechtman, Controlling Perceptual Factors in Neural Style Transfer, CVPR 2017

examples:
  minicnn vis style photo.jpg --styles painting.jpg --model googlenet --out pictures
  minicnn vis style photo.jpg --styles one.jpg two.jpg --blend 0.7,0.3 --model googlenet --out pictures
  minicnn vis style photo.jpg --styles painting.jpg --model vgg16 --colours luminance --optimiser adam --out pictures
"""

import math
from functools import partial

import numpy as np
from PIL import Image

from ..errors import UsageError
from .counts import at_least_one
from .image import check_finite, deprocess
from .inputs import Images, each_image
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.canvas import Canvas
from .search.descent import adam, lbfgs
from .search.pyramid import octave_sizes
from .search.several import Several
from .search.style_layers import average_pooled, default_content, default_style, parse_layers, parse_number
from .search.unit_box import UnitBox

SIZE = 512
_LEAST = 64  # pixels of an octave's shorter side
_LEAST_TILE = 160  # of the result's shorter side, beside the others
_CHOICES = {
    "start": ("content", "noise"),
    "colours": ("style", "matched", "luminance"),
    "pooling": ("max", "average"),
    "optimiser": ("lbfgs", "adam"),
}


def style(
    net,
    x,
    styles: Images,
    content_layers: str = "",
    style_layers: str = "",
    style_weight: float = 20.0,
    variation: float = 0.0,
    blend: str = "",
    start: str = "content",
    colours: str = "style",
    pooling: str = "average",
    optimiser: str = "lbfgs",
    steps: int = 300,
    rate: float = 0.02,
    octaves: int = 2,
    ratio: float = 2.0,
    seed: int = 0,
    progress: bool = True,
):
    """A photo in the style of a painting: {"image": (N, C, H, W), "before", "after": (N, 3), "curve", "styles"}.

    styles          paintings whose style the photo is to have
    content_layers  layers with weights, "relu4_2" or "relu3_2=1,relu4_2=0.5"; the paper's, or their like, unless given
    style_layers    the same for the style
    style_weight    what the style weighs, of which the content weighs 1; >= 0
    variation       what the differences between neighbouring pixels weigh, >= 0
    blend           the paintings' shares, "0.7,0.3"; alike unless given
    start           "content" starts from the photo, "noise" from noise
    colours         "style" takes the painting's; "matched" and "luminance" keep the photo's
    pooling         "average" in place of the net's maxima, as in the paper, or "max"
    optimiser       "lbfgs", which needs scipy, or "adam"
    steps           how often the image is improved, at each size; >= 1
    rate            of Adam: how far a pixel goes in a step, of the range from black to white
    octaves         how many sizes, from coarse to fine; >= 1
    ratio           of each size to the one before, > 1
    seed            of the noise
    """
    _check(
        net, style_weight, variation, steps, rate, start=start, colours=colours, pooling=pooling, optimiser=optimiser
    )
    paintings, x = each_image(styles), np.asarray(x)
    for name, array in (("x", x), *(("styles", painting) for painting in paintings)):
        check_finite(name, array)
    net = average_pooled(net) if pooling == "average" else net
    layers = parse_layers(net, content_layers, default_content), parse_layers(net, style_layers, default_style)
    sizes = octave_sizes(*x.shape[2:], octaves, ratio, _LEAST)
    descend = partial(adam, rate=rate) if optimiser == "adam" else lbfgs
    rng = np.random.default_rng(seed)
    several, shares = Several(net, [*layers[0], *layers[1]]), _shares(blend, len(paintings))
    paintings = [UnitBox(net, painting.shape[1:]).pictures(painting) for painting in paintings]
    box = UnitBox(net, x.shape[1:])
    canvases = []
    for photo in box.pictures(x):
        noise = rng.uniform(size=photo[None].shape) if start == "noise" else None
        canvases.append(
            Canvas(net, several, photo[None], paintings, colours, noise, shares, layers, (style_weight, variation))
        )
    with kept_when_interrupted("style"), bar(len(x) * len(sizes) * steps, "style", progress) as ticks:
        for canvas in canvases:
            canvas.paint(sizes, descend, steps, ticks)
    before, after = np.float32([canvas.measure() for canvas in canvases]).swapaxes(0, 1)
    return {
        "image": box.inputs(np.concatenate([canvas.picture() for canvas in canvases])),
        "before": before,
        "after": after,
        "curve": [np.float32(canvas.curve).reshape(-1, 3) for canvas in canvases],
        "styles": [UnitBox(net, p.shape[1:]).inputs(p) for p in canvases[0].paintings],
    }


def _shares(blend, count):
    """The paintings' shares, summing to 1."""
    shares = [parse_number(blend, part) for part in blend.split(",")] if blend else [1.0] * count
    if len(shares) != count or sum(shares) == 0:
        raise UsageError(f"blend is {blend!r}: expected {count} numbers with commas between them, not all 0")
    return [share / sum(shares) for share in shares]


def _check(net, style_weight, variation, steps, rate, **chosen):
    if net.meta is not None and net.meta.channel_order == "L" and chosen["colours"] != "style":
        raise UsageError(f"colours is {chosen['colours']!r}, but this net sees greys")
    for name, choices in _CHOICES.items():
        if chosen[name] not in choices:
            raise UsageError(f"{name} is {chosen[name]!r}, expected {' or '.join(map(repr, choices))}")
    for name, value in (("style_weight", style_weight), ("variation", variation)):
        if not 0 <= value < float("inf"):
            raise UsageError(f"{name} is {value}, expected a number of 0 or more")
    at_least_one(steps=steps)
    if not 0 < rate < float("inf"):
        raise UsageError(f"rate is {rate}, expected a number above 0")


def picture(result, net, x=None, unit=None):
    """[("image", the result), ("beside", the photo, the paintings, the result)]; a row a photo."""
    images = list(deprocess(result["image"], net.meta))
    paintings = [deprocess(painting, net.meta)[0] for painting in result["styles"]]
    tiles, labels = [], []
    for n, image in enumerate(images):
        tiles += [*(deprocess(np.asarray(x)[n : n + 1], net.meta) if x is not None else ()), *paintings, image]
        labels += [*(["photo"] if x is not None else []), *["style"] * len(paintings)]
        labels.append("style {:.3g} to {:.3g}".format(result["before"][n, 1], result["after"][n, 1]))
    whole = Image.fromarray(images[0]) if len(images) == 1 else grid(images)
    # One factor for all, so that a painting stays as large beside the photo as it was used.
    factor = math.ceil(_LEAST_TILE / min(images[0].shape[:2]))
    tiles = [tile.repeat(factor, axis=0).repeat(factor, axis=1) for tile in tiles]
    return [("image", whole), ("beside", grid(tiles, labels, len(tiles) // len(images)))]
