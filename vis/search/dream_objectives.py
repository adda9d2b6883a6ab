"""What a dream raises: functions of a layer's output, out -> (values (N,) float64, dout), for NumPy arrays.

    squared   1/2 * sum of out^2              of the layer or of one channel; its value here is the sum alone
    guided    sum over p of out[:, p] . y[p]  y[p] the guides' vector that matches out[:, p] best

Mordvintsev, Olah & Tyka, Inceptionism, 2015, and the notebook published with it
"""

import numpy as np

from ...errors import UsageError
from ...kernels.shapes import show
from ..units import Unit

_MATCHES = 1 << 22  # numbers in the table of matches that are in memory at once


def squared(unit):
    """The objective of a whole layer or of one channel: values = sum of out^2, dout = out.

    out, dout  (N, C, H, W) or (N, C); dout is 0 in the other channels
    """

    def objective(out):
        Unit(unit.layer, unit.channel).seed(out[:0])  # raises for a channel that is not there
        wanted = out if unit.channel is None else out[:, unit.channel : unit.channel + 1]
        values = np.square(wanted, dtype=np.float64).sum(axis=tuple(range(1, out.ndim)))
        if unit.channel is None:
            return values, out
        dout = np.zeros_like(out)
        dout[:, unit.channel : unit.channel + 1] = wanted
        return values, dout

    return objective


def guided(vectors):
    """The objective of a guided dream: values = sum over positions of the best match, dout = that vector.

        best[n,p] = argmax over q of sum over c of out[n,c,p] * vectors[q,c]         ties go to the first

    vectors    (Q, C): the guides' features, one a position
    out, dout  (N, C, H, W)
    """

    def objective(out):
        N, C = out.shape[:2]
        features = out.reshape(N, C, -1).transpose(0, 2, 1).reshape(-1, C)
        best = np.empty_like(features)
        rows = max(1, _MATCHES // len(vectors))
        for i in range(0, len(features), rows):
            best[i : i + rows] = vectors[(features[i : i + rows] @ vectors.T).argmax(axis=1)]
        values = np.einsum("npc,npc->n", *(a.reshape(N, -1, C).astype(np.float64) for a in (features, best)))
        return values, np.ascontiguousarray(best.reshape(N, -1, C).transpose(0, 2, 1)).reshape(out.shape)

    return objective


def features_of(out):
    """(Q, C): the vectors of an output (N, C, H, W), one a position; raises UsageError for one without positions."""
    if out.ndim != 4:
        raise UsageError(f"a guide's features are those of maps, this output is {show(out.shape)}")
    return np.ascontiguousarray(out.transpose(0, 2, 3, 1).reshape(-1, out.shape[1]))
