"""The k strongest of any number of pictures, kept so that the order in which they come does not matter."""

from typing import NamedTuple

import numpy as np


class Top(NamedTuple):
    """The strongest pictures of U channels, at most k of each, the strongest first; equal ones by their number.

    values    (U, K), K <= k
    pictures  (U, K) int64: the picture's number
    places    (U, K) int64: where in the channel, y*W + x
    """

    values: np.ndarray
    pictures: np.ndarray
    places: np.ndarray


def nothing(channels, dtype):
    """The Top of no pictures."""
    none = np.empty((channels, 0), np.int64)
    return Top(none.astype(dtype), none, none)


def strongest(out, numbers, k):
    """The Top of one batch: of every picture its strongest place, ties to the first in row-major order.

    out      (N, U, ...)
    numbers  of the N pictures
    """
    flat = out.reshape(*out.shape[:2], -1)
    places = flat.argmax(axis=2)
    values = np.take_along_axis(flat, places[:, :, None], axis=2)[:, :, 0]
    pictures = np.repeat(np.asarray(numbers, np.int64)[:, None], out.shape[1], axis=1)
    return _best(Top(values.T, pictures.T, places.T.astype(np.int64)), k)


def merge(a, b, k):
    """The Top of two sets of pictures that have none in common."""
    return _best(Top(*(np.concatenate(pair, axis=1) for pair in zip(a, b))), k)


def _best(top, k):
    order = np.lexsort((top.pictures, -top.values))[:, :k]
    return Top(*(np.take_along_axis(field, order, axis=1) for field in top))
