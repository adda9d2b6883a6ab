"""Gradients of images of any size with the memory of a small one: part by part.

What a net keeps for its backward walk is many times the image. Of an image in parts it is kept for one part at a time,
and given back during the walk. A part sees nothing of its neighbours: zero padding takes their place, as at the
image's own edges, so near a seam the gradient is not quite that of the whole. Who improves an image moves it a little
before every step, so that the seams fall elsewhere each time.
"""

import math
from itertools import pairwise

import numpy as np

from ..passes import on_device, to_host


def gradient_in_parts(net, x, layer, objective, side):
    """(values (N,) float64, dx (N, C, H, W)) of an objective of the layer's output, summed over the parts.

    x          (N, C, H, W) of the net's dtype, preprocessed; NumPy, whatever the net's backend
    objective  function: the layer's output, NumPy -> (values (N,), dout)
    side       of a part, at most; an image of no more than side x side is one part, and dx its exact gradient
    """
    values, dx = np.zeros(len(x)), np.empty_like(x)
    for part in parts(*x.shape[2:], side):
        out, tape = net.forward(on_device(net, np.ascontiguousarray(x[part])), until=layer, once=True)
        value, dout = objective(to_host(net, out))
        del out  # the walk frees what is no longer needed, if nobody holds it
        dx[part] = to_host(net, net.backward(on_device(net, dout), tape, params=False)[0])
        values += value
    return values, dx


def value_in_parts(net, x, layer, objective, side):
    """values (N,) float64 alone, without a walk."""
    values = np.zeros(len(x))
    for part in parts(*x.shape[2:], side):
        values += objective(to_host(net, net(on_device(net, np.ascontiguousarray(x[part])), until=layer)))[0]
    return values


def parts(H, W, side):
    """Indices of arrays (N, C, H, W) that cut them into equal parts, but for a pixel, none larger than side x side."""
    return [(..., rows, columns) for rows in _cut(H, side) for columns in _cut(W, side)]


def _cut(size, side):
    count = math.ceil(size / side)
    edges = [size * k // count for k in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]
