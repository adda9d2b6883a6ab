"""Which pictures are nearest: by their pixels, and by what the net makes of them.

    by pixels  |p - q|     p, q the net's inputs of two pictures, in units of the net's contrast: black to white is 1
    by code    |c - d|     c, d their codes, as `codes` computes them
                           |.| the Euclidean distance over all values

pictures  among these the nearest are sought; each becomes the net's input as its preprocessing says
queries   (Q, C, H, W), preprocessed: whose neighbours are sought; unless given, five of the pictures, evenly chosen
unit      a layer, or one channel of it; unless given, the layer that the classifier reads ("fc7" in AlexNet)
Returns, each (Q, K), K = count or as many as there are, nearest first, ties in the pictures' order:
by_pixels, by_code               the numbers of pictures
pixel_distances, code_distances  how far
A picture with the very pixels of the query is the query itself, or a copy, and not its neighbour.
Raises UsageError for fewer than two pictures, a count or rows below 1, MinicnnError where no neighbour was looked at.

Six neighbours and five queries are those of the figure in [1], and so is the distance. Only one batch of pictures is in
memory at a time, beside the queries. Ctrl-C keeps the nearest of those that were looked at.

The picture: two rows a query, as the net receives the pictures. First the query, then the nearest by pixels; below, the
query again, then the nearest by code. Above each stands its file, and its distance.

Caveat: near in a code is near to that layer of that net, and says nothing of why. A picture in which the net finds
little has a short code and is near to many. Distances in pixels and in code have different units.
[1] Krizhevsky, Sutskever & Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012, figure 4
"""

from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from ..errors import MinicnnError, UsageError
from ..kernels.errors import ShapeError
from ..kernels.shapes import show
from .counts import at_least_one
from .image import check_finite, contrast, require_meta
from .inputs import Images, Pictures
from .pictures.tiles import grid
from .progress import kept_when_interrupted
from .scanning.code_stream import as_seen, code_of, code_unit, read, stream, thumbnail
from .units import unit_title

_SIDE = 144  # of a tile in pixels
_LONGEST = 17  # letters of a name that fit beside a distance


class Neighbours(NamedTuple):
    by_pixels: np.ndarray  # (Q, K) int64
    by_code: np.ndarray
    pixel_distances: np.ndarray  # (Q, K) float64
    code_distances: np.ndarray
    queries: np.ndarray  # (Q, C, H, W), preprocessed
    pictures: Pictures


def neighbours(
    net,
    pictures: Pictures,
    unit=None,
    queries: Images = None,
    count: int = 6,
    rows: int = 5,
    spatial: str = "flatten",
    batch: int = 16,
    progress: bool = True,
):
    """The nearest pictures by pixels and by code, `Neighbours`.

    pictures  of any size: files, folders and zip archives, or PIL images and arrays
    queries   photos whose neighbours are sought; `rows` of the pictures unless given
    count     how many neighbours, >= 1
    rows      how many of the pictures are queries where none are given, >= 1
    spatial   what becomes of a layer's positions: "flatten" keeps them all, "mean" averages over them
    batch     how many pictures go through the net at a time, >= 1
    """
    pictures, unit = Pictures.of(pictures), code_unit(net, unit)
    _check(pictures, count, rows)
    queries = _some_of(net, pictures, rows) if queries is None else _checked(net, queries)
    numbers, by_pixels, by_code = [], [], []
    wanted, scale = code_of(net, queries, unit, spatial), contrast(net.meta)
    with kept_when_interrupted("neighbours"):
        for new, x, vectors in stream(net, pictures, unit, spatial, batch, "neighbours", progress):
            by_pixels.append(_distances(queries, x, scale))
            by_code.append(_distances(wanted, vectors, 1))
            numbers += new
    if not numbers:
        raise MinicnnError(f"not one of {len(pictures)} pictures was looked at")
    by_pixels, by_code = np.concatenate(by_pixels, axis=1), np.concatenate(by_code, axis=1)
    itself = by_pixels == 0
    count = min(count, (~itself).sum(axis=1).min())
    if count == 0:
        raise MinicnnError("no neighbour: every picture that was looked at has the query's own pixels")
    orders = [np.argsort(np.where(itself, np.inf, d), axis=1, kind="stable")[:, :count] for d in (by_pixels, by_code)]
    nearest = [np.take_along_axis(d, order, axis=1) for d, order in zip((by_pixels, by_code), orders)]
    return Neighbours(*(np.array(numbers)[order] for order in orders), *nearest, queries, pictures)


def _check(pictures, count, rows):
    at_least_one(count=count, rows=rows)
    if len(pictures) < 2:
        raise UsageError(f"neighbours among {len(pictures)} picture: give at least 2")


def _some_of(net, pictures, rows):
    """(Q, C, H, W): that many of the pictures or all, evenly chosen."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, rows).round().astype(int))
    _, x = read(net, pictures, chosen.tolist())
    if x is None:
        raise MinicnnError(f"none of the {len(chosen)} pictures chosen as queries could be read")
    return x


def _checked(net, queries):
    queries = np.asarray(queries)
    require_meta(net.meta)
    if queries.ndim != 4 or queries.shape[1:] != net.meta.input_size:
        raise ShapeError(f"queries are {show(queries.shape)}, the net's images (Q,{show(net.meta.input_size)[1:]}")
    check_finite("queries", queries)
    return queries.astype(net.dtype)


def _distances(queries, others, scale):
    """(Q, M) float64: Euclidean, in units of the scale; of equal ones exactly 0."""
    found = [((others - query) / scale).reshape(len(others), -1) for query in queries]
    return np.stack([np.linalg.norm(d.astype(np.float64), axis=1) for d in found])


def picture(result, net, x=None, unit=None):
    """Two rows a query: the nearest by pixels, the nearest by code."""
    tiles, labels = [], []
    rows = zip(result.by_pixels, result.pixel_distances), zip(result.by_code, result.code_distances)
    for q, by_space in enumerate(zip(*rows)):
        for space, (numbers, distances) in zip(("pixels", "code"), by_space):
            tiles.append(thumbnail(net, result.queries[q : q + 1], _SIDE))
            labels.append(f"nearest by {space}:")
            for number, distance in zip(numbers, distances):
                tiles.append(as_seen(net, result.pictures[number], _SIDE))
                labels.append(f"{_short(result.pictures.names[number])}: {distance:.3g}")
    columns = 1 + result.by_pixels.shape[1]
    return grid(tiles, labels, columns=columns, title=f"neighbours by {unit_title(net, code_unit(net, unit))}", gap=4)


def _short(name):
    """A file's own name without its ending; of a long one the end, which tells more than its beginning."""
    stem = PurePosixPath(name).stem
    return stem if len(stem) <= _LONGEST else f"..{stem[2 - _LONGEST :]}"
