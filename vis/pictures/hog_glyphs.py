"""What a HOG descriptor looks like: in every cell a bar along the edge of each orientation, as bright as its vote."""

import numpy as np


def glyphs(blocks, side=16):
    """(H, W, 3) uint8: the descriptor of one image, drawn.

        weight[cell, k] = mean of its values over the blocks that hold the cell
        pixel = max over k of weight[cell, k] * bar_k,   scaled so that the image's largest weight is white

    blocks  (BH, BW, b, b, K), as `hog` gives it for an image
    side    pixels a cell
    bar_k   a line through the cell's middle, across the middle angle of bin k: along the edge, not along its gradient
    """
    weights = cell_weights(blocks)
    top = weights.max()
    cells = (weights / (top if top > 0 else 1))[..., None, None] * _bars(weights.shape[2], side)
    CH, CW = weights.shape[:2]
    values = cells.max(axis=2).transpose(0, 2, 1, 3).reshape(CH * side, CW * side)
    return np.repeat(np.uint8(np.round(255 * np.clip(values, 0, 1)))[..., None], 3, axis=2)


def cell_weights(blocks):
    """(CH, CW, K): each cell's histogram, the mean over the blocks that it is in."""
    BH, BW, b, _, K = blocks.shape
    sums, counts = np.zeros((BH + b - 1, BW + b - 1, K)), np.zeros((BH + b - 1, BW + b - 1, 1))
    for i in range(b):
        for j in range(b):
            sums[i : i + BH, j : j + BW] += blocks[:, :, i, j]
            counts[i : i + BH, j : j + BW] += 1
    return sums / counts


def _bars(K, side):
    """(K, side, side) in [0, 1]: lines about two pixels wide, with soft edges."""
    angle = (np.arange(K)[:, None, None] + 0.5) * np.pi / K
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    off = np.abs(x * np.cos(angle) + y * np.sin(angle))  # how far from the line, which is across the gradient
    along = np.abs(y * np.cos(angle) - x * np.sin(angle))
    return np.clip(1.5 - off, 0, 1) * np.clip(side / 2 - along, 0, 1)
