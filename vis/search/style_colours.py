"""Keeping the photo's colours when its style changes.

    luminance  Y = 0.299 R + 0.587 G + 0.114 B      of the YIQ space
    matched    painting -> A painting + b           with the photo's mean and covariance of colours

Pictures here are (N, 3, H, W), from 0, black, to 1, white, in the net's channel order.

Gatys, Bethge, Hertzmann & Shechtman, Preserving Color in Neural Artistic Style Transfer, arXiv 1606.05897, 2016
"""

import numpy as np

_Y = (0.299, 0.587, 0.114)


def luminance(pictures, order):
    """(N, 1, H, W); order: "RGB" or "BGR"."""
    shares = np.reshape(_Y if order == "RGB" else _Y[::-1], (1, 3, 1, 1))
    return np.sum(pictures * shares, axis=1, keepdims=True)


def grey_like(painting, photo, order):
    """The painting in greys that have the photo's mean and spread; section 4.

    Y' = sigma of photo / sigma of painting * (Y - mean of painting) + mean of photo        in all three channels
    """
    Y, goal = luminance(painting, order), luminance(photo, order)
    spread = Y.std()
    Y = (Y - Y.mean()) * (goal.std() / spread if spread > 0 else 0) + goal.mean()
    return np.repeat(Y, 3, axis=1)


def with_luminance(photo, picture, order):
    """The photo's colours with the picture's luminance.

    The colour parts I and Q of YIQ do not change when the same number is added to R, G and B; so that is all it takes.
    """
    return np.clip(photo + luminance(picture, order) - luminance(photo, order), 0, 1)


def matched(painting, photo):
    """The painting in colours that have the photo's mean and covariance; section 3, the variant of Image Analogies.

        A = root of S(photo) * inverse root of S(painting),  b = mean of photo - A mean of painting

    S the covariance (3, 3), both roots the symmetric ones. Directions in which the painting has no colours stay so.
    """
    colours, goal = (picture.transpose(1, 0, 2, 3).reshape(3, -1).astype(np.float64) for picture in (painting, photo))
    A = _root(np.cov(goal), 0.5) @ _root(np.cov(colours), -0.5)
    out = A @ (colours - colours.mean(axis=1, keepdims=True)) + goal.mean(axis=1, keepdims=True)
    return out.reshape(3, len(painting), *painting.shape[2:]).transpose(1, 0, 2, 3)


def _root(S, power):
    """S^power of a symmetric matrix; 0 where S itself has nothing but rounding."""
    values, vectors = np.linalg.eigh(S)
    there = values > 1e-9 * max(values.max(), 1e-9)
    return (vectors * np.where(there, np.where(there, values, 1) ** power, 0)) @ vectors.T
