"""Where the object is, by a net that was only told what it is: saliency, spread by GrabCut.

    saliency map -> averaged with the mirror image's, smoothed; its seeds: above the 95 % quantile foreground, below
                    the 30 % quantile background
    seeds        -> two mixtures of Gaussians, of the foreground's and of the background's colours
    mixtures     -> the cut that costs least, of pixels by their colours and of neighbours by their difference; then new
                    mixtures of both sides, and another cut, and so on; the seeds stay on their sides
    cut          -> mask: its largest connected part; box: the smallest around it

The saliency map alone lights up where the class shows most. That a whole object is found is due to its colours.

x         (N, C, H, W), preprocessed
saliency  (N, H, W) of saliency.py, averaged, not smoothed
seeds     (N, H, W) int8: 1 foreground, -1 background, 0 neither
mask      (N, H, W) bool
boxes     (N, 4) int: left, top, right, bottom of the mask, the last two exclusive
Raises MissingExtraError without OpenCV: pip install "minicnn[segment]".

Quantiles, mixtures and the largest part are the paper's [1]; its one cut is that of Boykov & Jolly, ours are GrabCut's
five [2]. It averages the maps of ten crops and reflections, ours are the image's and its reflection's; a unit at one
position has no reflection. The smoothing is ours: as it is, the map has pixels below its 30 % quantile all over the
object. Of 200 drawn shapes, as benchmarks/attribution.py takes them, the net `shapes` finds masks with a mean
intersection over union of 0.77 and boxes with 0.86; without the reflection it would be 0.73 and 0.83, without the
smoothing too 0.60 and 0.69.

The picture: the image with the box; the saliency map, its seeds, red and blue; the object cut out.

Caveat: it does not show what the net takes for the object: a ground that has the object's colours becomes a part of
it, and an object of two colours may lose the one that the net does not look at.
[1] Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, sections 3.1 and 3.2
[2] Rother, Kolmogorov & Blake, GrabCut, SIGGRAPH 2004
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UsageError
from ..extras import load
from .counts import at_least_one
from .image import deprocess
from .pictures.colour import absolute, limit_of
from .pictures.tiles import grid
from .saliency import saliency
from .search.regularisers import blur
from .units import find_unit, unit_title

_BOX = (255, 210, 0)
_SEEDS = {1: (200, 30, 33), -1: (33, 70, 200)}  # the red and the blue of colour.py


class Segments(NamedTuple):
    """saliency (N, H, W) float; seeds (N, H, W) int8; mask (N, H, W) bool; boxes (N, 4) int."""

    saliency: Any
    seeds: Any
    mask: Any
    boxes: Any


def segment(
    net,
    x,
    unit,
    foreground: float = 0.95,
    background: float = 0.3,
    smooth: float = 0.05,
    rounds: int = 5,
    seed: int = 0,
):
    """Where the object of a class is, as `Segments`.

    foreground  the quantile of the saliency above which pixels are foreground
    background  the quantile below which they are background, less than the other
    smooth      the standard deviation of the smoothing, in parts of the image's shorter side, >= 0
    rounds      how often the image is cut, >= 1
    """
    if not 0 <= background < foreground < 1:
        raise UsageError(f"background {background}, foreground {foreground}: expected 0 <= background < foreground < 1")
    at_least_one(rounds=rounds)
    maps = _averaged_saliency(net, x, unit)
    pixels = deprocess(x, net.meta)
    smoothed = blur(maps[:, None].astype(np.float64), smooth * min(maps.shape[1:]))[:, 0]
    seeds = np.stack([_seeds(one, foreground, background) for one in smoothed])
    masks = np.stack([_largest_part(_cut(*pair, rounds, seed)) for pair in zip(pixels, seeds)])
    return Segments(maps, seeds, masks, np.array([_box(mask) for mask in masks]))


def _averaged_saliency(net, x, unit):
    maps = saliency(net, x, unit)
    if find_unit(net, unit).position is not None:
        return maps
    return (maps + saliency(net, np.ascontiguousarray(x[..., ::-1]), unit)[..., ::-1]) / 2


def _seeds(saliency_map, foreground, background):
    """(H, W) int8; where the upper quantile is the maximum, all above the lower one."""
    low, high = np.quantile(saliency_map, (background, foreground))
    seeds = np.where(saliency_map <= low, -1, 0).astype(np.int8)
    seeds[saliency_map > (high if saliency_map.max() > high else low)] = 1
    if not (seeds == 1).any():
        raise UsageError("the saliency is the same everywhere: nothing to tell an object by")
    return seeds


def _cut(pixels, seeds, rounds, seed):
    """(H, W) bool of an image (H, W, 3) uint8."""
    cv2 = load("cv2", "segment")
    cv2.setRNGSeed(seed)  # the mixtures begin with clusters from a random start
    sides = np.array([cv2.GC_BGD, cv2.GC_PR_BGD, cv2.GC_FGD], np.uint8)
    mask = sides[seeds + 1]
    cv2.grabCut(pixels, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def _largest_part(mask):
    """The largest connected part, neighbours by a side or a corner; of equal ones the first."""
    cv2 = load("cv2", "segment")
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sizes = [int((parts == part).sum()) for part in range(1, count)]
    return parts == 1 + int(np.argmax(sizes))


def _box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def picture(result, net, x=None, unit=None):
    """A row an image: the image with its box, the saliency map, the seeds, the cut-out."""
    tiles = []
    for n, (one, seeds, mask, box) in enumerate(zip(*result)):
        pixels = np.full((*mask.shape, 3), 160, np.uint8) if x is None else deprocess(x[n : n + 1], net.meta)[0]
        tiles += [_boxed(pixels, box), absolute(one, limit_of(one, 0.999)), _coloured(seeds, pixels)]
        tiles.append(np.where(mask[..., None], pixels, 255).astype(np.uint8))
    labels = ["image, box", "saliency", "seeds", "cut-out"] * len(result.mask)
    return grid(tiles, labels, columns=4, title=unit_title(net, find_unit(net, unit)), least=112)


def _boxed(pixels, box):
    image = Image.fromarray(pixels)
    left, top, right, bottom = (int(side) for side in box)
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=_BOX, width=max(1, image.width // 100))
    return image


def _coloured(seeds, pixels):
    """The seeds in their colours on the image, paler."""
    shown = (pixels.astype(np.float64) + 2 * 255) / 3
    for side, colour in _SEEDS.items():
        shown[seeds == side] = colour
    return shown.astype(np.uint8)
