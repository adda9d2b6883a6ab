"""The HOG descriptor of an image, what it still knows of it, and another image that has the same.

    gradient of the grey image -> each pixel votes for its orientation -> mean over cells -> blocks of cells, L2-Hys

The descriptor is a net (hog_layers.py), so the same descent as for any layer's code, `invert`, begins

    at noise             and ends at what HOG knows of the image: the inverse [2, 3]
    at another picture   and ends at one that nearly has this image's HOG and still looks like the other: the twin [4]

The second has no term that keeps it plain: nothing but the code pulls, and what HOG does not see stays as it was. Both
walk back under the rule `votes_between_bins`, since the true gradient is blind to where votes jump.

x             (N, C, H, W), preprocessed; only its pixels count, by net.meta, the net itself is not run
grey          (N, 1, H, W) float64: brightness from 0 to 1, Pillow's 0.299 R + 0.587 G + 0.114 B
hog           (N, BH, BW, b, b, K) float64, as scikit-image's `hog` with feature_vector=False; cell: as given
inverse,      (N, 1, H, W) as grey, not cut off at 0 and 1
twin          the same; where another picture is given
..._error     (N,): |HOG - HOG0| / |HOG0|, not squared
Raises UsageError where not one block fits into the images.

Defaults: scikit-image's, 9 orientations of the half circle, cells of 8 x 8 pixels, blocks of 3 x 3 cells, L2-Hys with
0.2; in [1] blocks of 3 x 3 cells of 6 x 6 pixels were best. The inverse's variation is 0.066, a lambda_V of 50 in [3];
the twin's rate is a hundredth of the inverse's, so that it stays near. All else is `invert`'s. Of a street in 224 x 224
pixels the inverse ends 13 % off, a twin that begins at a kitten goes from 96 % to 14 %, one at a zebra, full of strong
edges, from 107 % to 34 %. Ctrl-C keeps what there is.

The picture: a row an image: the grey image, its HOG, the inverse, and, where given, the other picture, the twin and the
twin's HOG. A bar lies along the edge that it stands for; the whitest is the strongest of its picture. Inverse and twin
are shown with their whole contrast, of which HOG says nothing.

Caveat: HOG does not know light from dark: an edge and its negative are one orientation, so the inverse may be negative
in places. And it does not know how strong a block's contrast is: flat and busy parts look alike in the inverse.
[1] Dalal & Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005
[2] Vondrick, Khosla, Malisiewicz & Torralba, HOGgles, ICCV 2013   [3] Mahendran & Vedaldi, CVPR 2015, section 4
[4] Tatu, Lauze, Nielsen & Kimia, Exploring the Representation Capabilities of the HOG Descriptor, ICCV workshops 2011

examples:
  minicnn vis hog demo/digits/3.png --out pictures
  minicnn vis hog photo.jpg --other photo2.jpg --model googlenet --out pictures
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from .image import deprocess
from .inputs import Images
from .invert import invert
from .nets.hog_layers import OrientationBins, hog_net, votes_between_bins
from .pictures.hog_glyphs import glyphs
from .pictures.tiles import grid

_VARIATION, _RATE = 0.066, 0.05  # the paper's lambda_V of 50; HOG bears a high rate
_TWINS_RATE = 0.0005
_GREY = np.array([0.299, 0.587, 0.114])


class Hog(NamedTuple):
    """See above; inverse is None without steps, twin and other without another picture."""

    grey: Any
    hog: Any
    cell: int
    inverse: Any = None
    inverse_error: Any = None
    other: Any = None
    twin: Any = None
    twin_hog: Any = None
    twin_error: Any = None


def hog(
    net, x, other: Images = None, orientations: int = 9, cell: int = 8, block: int = 3, steps: int = 400,
    seed: int = 0, progress: bool = True,
):  # fmt: skip
    """HOG of images, its inverse and, from another picture, a twin, as `Hog`.

    other         further pictures, preprocessed, one or as many as images: the twins begin there
    orientations  bins of the half circle, >= 1
    cell          side of a cell in pixels, >= 1
    block         side of a block in cells, >= 1
    steps         of each descent; 0 for the descriptor alone
    """
    if steps < 0:
        raise UsageError(f"steps is {steps}, expected 0 or more")
    grey = _grey(x, net.meta)
    machine = hog_net(grey.shape[2:], orientations, cell, block).astype("float64")
    found = Hog(grey, _descriptor(machine, grey, block), cell)
    if not steps:
        return found
    options = {"steps": steps, "seed": seed, "progress": progress}
    with machine.rules({OrientationBins: votes_between_bins}):
        inverse = invert(machine, grey - 0.5, "hog", variation=_VARIATION, rate=_RATE, **options)
    found = found._replace(inverse=inverse.images[0, :, 0] + 0.5, inverse_error=inverse.errors[0, :, 0])
    if other is None:
        return found
    if len(other) not in (1, len(x)) or other.shape[2:] != x.shape[2:]:
        raise UsageError(f"other is {other.shape}, x {x.shape}: expected one picture, or as many, of the same size")
    other = np.repeat(_grey(other, net.meta), len(x) // len(other), axis=0)
    free = {"bound": np.inf, "variation": np.inf, "start": other - 0.5, "rate": _TWINS_RATE}
    with machine.rules({OrientationBins: votes_between_bins}):
        twin = invert(machine, grey - 0.5, "hog", **options, **free)
    twins = twin.images[0, :, 0] + 0.5
    return found._replace(
        other=other, twin=twins, twin_hog=_descriptor(machine, twins, block), twin_error=twin.errors[0, :, 0]
    )


def _grey(x, meta):
    """(N, 1, H, W) float64, 0 to 1."""
    return (deprocess(x, meta) @ _GREY)[:, None] / 255


def _descriptor(machine, grey, block):
    """(N, BH, BW, b, b, K)."""
    out = machine(grey - 0.5).transpose(0, 2, 3, 1)
    return out.reshape(*out.shape[:3], block, block, -1)


def picture(result, net, x=None, unit=None):
    """A row an image."""
    tiles, labels = [], []
    for n in range(len(result.grey)):
        tiles += [_shown(result, result.grey[n]), _drawn(result, result.hog[n])]
        labels += ["image", "its HOG"]
        if result.inverse is not None:
            tiles.append(_shown(result, _stretched(result.inverse[n])))
            labels.append(f"inverse of it, {100 * result.inverse_error[n]:.3g} % off")
        if result.twin is not None:
            tiles += [_shown(result, result.other[n]), _shown(result, _stretched(result.twin[n]))]
            tiles.append(_drawn(result, result.twin_hog[n]))
            labels += ["another", f"its twin, {100 * result.twin_error[n]:.3g} % off", "the twin's HOG"]
    return grid(tiles, labels, columns=len(tiles) // len(result.grey), least=112)


def _factor(result):
    """How often a pixel is enlarged: a cell needs sixteen for its bars to be seen."""
    return max(1, math.ceil(16 / result.cell))


def _shown(result, grey):
    """A grey image (1, H, W) as pixels."""
    levels = np.uint8(np.round(255 * np.clip(grey[0], 0, 1))).repeat(_factor(result), 0).repeat(_factor(result), 1)
    return np.repeat(levels[..., None], 3, axis=2)


def _drawn(result, blocks):
    """Its HOG, every bar where its cell is; black beyond the last cells."""
    bars = glyphs(blocks, _factor(result) * result.cell)
    beyond = [_factor(result) * size - drawn for size, drawn in zip(result.grey.shape[2:], bars.shape)]
    return np.pad(bars, ((0, beyond[0]), (0, beyond[1]), (0, 0)))


def _stretched(grey):
    """A grey image from its 0.5 % to its 99.5 % quantile: HOG says nothing of its brightness and contrast."""
    low, high = np.quantile(grey, (0.005, 0.995))
    return (grey - low) / (high - low or 1)
