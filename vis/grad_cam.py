"""Where a layer's channels that speak for a class are active: Grad-CAM.

    a_k = mean over positions of  d unit / d A_k          out = max(0, sum over k of a_k * A_k)

x      (N, C, H, W), preprocessed
A      (N, K, h, w), the output of `layer`
out    (N, h, w), >= 0, in units of the score

The layer is, unless named, the last before the unit that has positions and through which all goes, and that is no
pooling, LRN or dropout: the last convolutions' output, as in the paper. In GoogLeNet that is inception_5b/output, 7x7.

The picture: the image in faint grey, and over it the map, enlarged to the image's size: red, and yellow at its maximum;
each image has its own scale.

Caveat: it is as coarse as the layer's positions, and a position has seen more of the image than what it lies over.
Channels with a negative weight are not shown, only taken off: a map of zeros says that there is no evidence here, not
that the method failed. In lower layers a channel has no one weight: the mean of its gradient then says little.
Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra, Grad-CAM, ICCV 2017, section 3
"""

import numpy as np

from .. import layers
from ..errors import UsageError
from .passes import look, to_host
from .pictures.heat import enlarged, heat_picture
from .shares.cut import choose, has_positions
from .units import find_unit, unit_title

_NO_FEATURES = (
    layers.MaxPool2d,
    layers.AvgPool2d,
    layers.GlobalAvgPool,
    layers.GlobalMaxPool,
    layers.LRN,
    layers.Dropout,
)


def grad_cam(net, x, unit, layer: str = ""):
    """Where a layer's channels that speak for the unit are active, (N, h, w).

    layer  the node whose channels are weighed; the last convolutions' output unless given
    """
    unit = find_unit(net, unit)
    tape, dout = look(net, x, unit)
    layer = layer or choose(net, tape, unit, _has_features, "has maps of features")
    if not has_positions(tape[layer]):
        raise UsageError(f"{layer} has no positions that could be shown: its output is {tape[layer].shape}")
    slope, _ = net.backward(dout, tape, wrt=layer, params=False)
    maps, slope = to_host(net, tape.out(layer)), to_host(net, slope)
    weights = slope.mean(axis=(2, 3), dtype="float64").astype(slope.dtype)
    return np.maximum(np.einsum("nk,nkij->nij", weights, maps), 0)


def _has_features(entry):
    return has_positions(entry) and not isinstance(entry.layer, _NO_FEATURES)


def picture(result, net, x=None, unit=None):
    """The map over its image."""
    size = result.shape[1:] if x is None else x.shape[2:]
    return heat_picture(enlarged(result, size), net, x, unit_title(net, find_unit(net, unit)))
