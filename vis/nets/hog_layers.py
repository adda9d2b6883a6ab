"""The HOG descriptor of Dalal & Triggs as a net: four layers of everyday nets, and two that only HOG needs.

    border        (N,1,H+2,W+2)   Pad        the image mirrored by a pixel: differences across its edge are 0
    gradient      (N,2,H,W)       Conv2d     [-1 0 1] along the rows and along the columns
    orientations  (N,K,H,W)       OrientationBins
    cells         (N,K,CH,CW)     AvgPool2d  a histogram of orientations for each cell
    blocks        (N,b*b*K,BH,BW) Conv2d     one-hot filters: the b x b cells of each block side by side, overlapping
    hog           (N,b*b*K,BH,BW) L2Hys      each block by its own contrast

so that whatever works on a net works on HOG. CH = H // cell, BH = CH - b + 1, and so for W.

Dalal & Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005, section 6
"""

from typing import Any, NamedTuple

import numpy as np

from ...errors import UsageError
from ...kernels import current
from ...kernels.errors import ShapeError
from ...kernels.shapes import check_dout, check_float, check_ndim, show
from ...layers import AvgPool2d, Conv2d, Layer, Pad
from ...layers.checks import check_number, check_sizes
from ...meta import Meta
from ...net import Net


class OrientationBinsCache(NamedTuple):
    x: Any
    bins: Any  # (N, 1, H, W) int: where each pixel's vote went


def orientation_bins_forward(x, bins):
    """Every pixel votes for the orientation of its gradient, with the gradient's size; one pixel, one bin.

        out[n,k,i,j] = |g| where 180*k/bins <= angle of g < 180*(k+1)/bins, else 0,    g = x[n,:,i,j]

    x     (N, 2, H, W) float32 or float64: differences to the right and downward
    out   (N, bins, H, W)
    angle  in degrees from the right towards below, modulo 180: an edge and its negative are alike. A tie, an angle on
           the border of two bins, goes to the upper one; the angle of g = 0 is 0
    Dalal & Triggs, section 6.2, without their interpolation between two bins: as scikit-image's `hog`
    """
    check_float(x=x)
    _check_gradient_pair(x.shape)
    xp = current().xp
    angle = xp.arctan2(x[:, 1], x[:, 0]) * (180 / np.pi) % 180
    # A tiny negative angle is rounded to 180, which is 0.
    bin_of = (angle // (180 / bins)).astype("int64") % bins
    bin_of = bin_of[:, None]
    size = xp.hypot(x[:, 0], x[:, 1])[:, None]
    return _placed(size, bin_of, bins), OrientationBinsCache(x, bin_of)


def orientation_bins_backward(dout, cache):
    """dx: out[bin] = |g|, and nothing else of out depends on g, so dx = dout[bin] * g / |g|; 0 where g is 0.

    The bin is taken as fixed, as it is nearly everywhere; where a vote jumps, there is no derivative.

    dout  (N, bins, H, W)
    dx    (N, 2, H, W)
    """
    x, bin_of = cache
    check_dout(dout, (len(x), dout.shape[1], *x.shape[2:]), x=x)
    xp = current().xp
    size = xp.hypot(x[:, 0], x[:, 1])[:, None]
    towards = x / xp.where(size > 0, size, 1)
    return xp.take_along_axis(dout, bin_of, axis=1) * towards


def votes_between_bins(dout, cache):
    """A rule, not the gradient: dx as if each vote were shared by the two bins nearest to its angle.

        share of the upper bin = how far the angle is from the lower one's middle, in bins;  votes = shares * |g|

    Turning g by a small angle then moves a part of its vote, where the true gradient sees nothing before it jumps. With
    it the descent of `invert` ends at less than half the error.

    dout  (N, bins, H, W)
    dx    (N, 2, H, W); 0 where g is 0
    The shared votes are Dalal & Triggs', section 6.2; their gradient as in the HOGb of Mahendran & Vedaldi, CVPR 2015
    """
    x, bins = cache.x, dout.shape[1]
    check_dout(dout, (len(x), bins, *x.shape[2:]), x=x)
    xp = current().xp
    size = xp.hypot(x[:, 0], x[:, 1])[:, None]
    towards = x / xp.where(size > 0, size, 1)
    across = xp.stack([-towards[:, 1], towards[:, 0]], axis=1)
    place = xp.arctan2(x[:, 1:], x[:, :1]) * (bins / np.pi) % bins - 0.5
    lower = xp.floor(place)
    upper_share = (place - lower).astype(dout.dtype)
    lower = lower.astype("int64")
    low, high = (xp.take_along_axis(dout, at % bins, axis=1) for at in (lower, lower + 1))
    # Along g the votes grow; across it, by |g| * an angle of bins / pi a radian, they move from one bin to the other.
    return (low + upper_share * (high - low)) * towards + (high - low) * (bins / np.pi) * across


def _placed(values, bin_of, bins):
    """(N, bins, H, W): each value (N, 1, H, W) in its bin, 0 in the others."""
    xp = current().xp
    return xp.where(bin_of == xp.arange(bins).reshape(1, -1, 1, 1), values, xp.zeros((), values.dtype))


def _check_gradient_pair(shape):
    check_ndim("x", shape, 4)
    if shape[1] != 2:
        raise ShapeError(f"x has C={shape[1]}, a gradient has 2: right and down (x {show(shape)})")


class OrientationBins(Layer):
    """Votes for orientations; see `orientation_bins_forward`."""

    def __init__(self, bins=9):
        super().__init__()
        check_sizes(bins=bins)
        self.bins = int(bins)

    def forward(self, x):
        return orientation_bins_forward(x, self.bins)

    backward_input = staticmethod(orientation_bins_backward)

    def out_shape(self, shape):
        _check_gradient_pair(shape)
        return (shape[0], self.bins, *shape[2:])

    def describe(self):
        return str(self.bins)


class L2HysCache(NamedTuple):
    x: Any
    unit: Any  # x / s
    s: Any
    out: Any
    t: Any
    clip: float


def l2_hys_forward(x, clip=0.2, eps=1e-5):
    """Every position's vector scaled to length 1, its large numbers cut, and scaled again.

        unit = x / s,  s = sqrt(sum over c of x^2 + eps^2)
        out = min(unit, clip) / t,  t = sqrt(sum over c of min(unit, clip)^2 + eps^2)

    x, out  (N, C, H, W) float32 or float64
    clip    > 0; 0.2 is Lowe's [1]: one strong edge shall not be all of a block
    eps     > 0; 1e-5 is scikit-image's: a block without contrast stays near 0
    [1] Lowe, IJCV 2004, section 6.1; Dalal & Triggs, section 6.4
    """
    check_float(x=x)
    check_ndim("x", x.shape, 4)
    xp = current().xp
    s = _length(x, eps)
    unit = x / s
    cut = xp.minimum(unit, clip)
    t = _length(cut, eps)
    out = cut / t
    return out, L2HysCache(x, unit, s, out, t, clip)


def l2_hys_backward(dout, cache):
    """dx, back through both scalings and the cut, which passes where unit < clip.

    y = x / s with s^2 = sum of x^2 + eps^2 has  dx[c] = (dy[c] - y[c] * sum over c' of y[c'] * dy[c']) / s.

    dout, dx  (N, C, H, W)
    """
    x, unit, s, out, t, clip = cache
    check_dout(dout, x.shape, x=x)
    dcut = (dout - out * (out * dout).sum(axis=1, keepdims=True)) / t
    dunit = current().xp.where(unit < clip, dcut, 0)
    return (dunit - unit * (unit * dunit).sum(axis=1, keepdims=True)) / s


def _length(x, eps):
    """(N, 1, H, W): sqrt(sum over c of x^2 + eps^2)."""
    return current().xp.sqrt((x * x).sum(axis=1, keepdims=True) + eps * eps)


class L2Hys(Layer):
    """Scaling of each position's vector to length 1, with a cut; see `l2_hys_forward`."""

    def __init__(self, clip=0.2, eps=1e-5):
        super().__init__()
        for name, value in (("clip", clip), ("eps", eps)):
            check_number(name, value, lambda v: 0 < v < float("inf"), "a number above 0")
        self.clip, self.eps = float(clip), float(eps)

    def forward(self, x):
        return l2_hys_forward(x, self.clip, self.eps)

    backward_input = staticmethod(l2_hys_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        return shape

    def describe(self):
        return f"clip {self.clip:g}, eps {self.eps:g}"


CASES = [
    (OrientationBins(9), (2, 2, 3, 4)),
    (OrientationBins(1), (1, 2, 2, 1)),
    (L2Hys(), (2, 9, 2, 1)),
    (L2Hys(clip=0.6, eps=0.5), (1, 4, 1, 3)),
]


def hog_net(size, orientations=9, cell=8, block=3):
    """HOG of grey images as a frozen net of the nodes above; defaults: scikit-image's.

    size          (H, W) of the images
    orientations  K, how many bins the half circle has
    cell          side of a cell in pixels
    block         b, side of a block in cells
    The net's input is a grey image, black -0.5 and white 0.5; the shift makes no difference. Its channels are
    (cell's row in the block, cell's column, orientation), the last one fastest.
    Raises UsageError where not one block fits into the image.
    """
    check_sizes(orientations=orientations, cell=cell, block=block)
    H, W = size
    if min(H, W) < cell * block:
        raise UsageError(f"an image of {H}x{W} has no block of {block}x{block} cells of {cell}x{cell} pixels")
    K, C = orientations, block * block * orientations
    nodes = [
        ("border", Pad(((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")),
        ("gradient", Conv2d(1, 2, 3, bias=False)),
        ("orientations", OrientationBins(K)),
        ("cells", AvgPool2d(cell)),
        ("blocks", Conv2d(K, C, block, bias=False)),
        ("hog", L2Hys()),
    ]
    gradient = np.zeros((2, 1, 3, 3))
    gradient[0, 0, 1] = gradient[1, 0, :, 1] = -1, 0, 1
    # Filter (i, j, k) reads channel k of the cell at row i, column j of the block, and nothing else.
    blocks = np.eye(C).reshape(C, block, block, K).transpose(0, 3, 1, 2)
    meta = Meta("hog", (1, int(H), int(W)), "L", 1.0, (0.5,), (1.0,), "squash", max(int(H), int(W)))
    net = Net(nodes, meta=meta).init(0)
    net.load_state_dict({"gradient.w": gradient, "blocks.w": blocks})
    return net.freeze()
