"""What one layer reads of its inputs, where some of its output is wanted: one step of the walk in `fields`.

A read of a node is (rows (C, H), columns (C, W)) bool where its output is a map (1, C, H, W), of each channel all its
rows with all its columns; one mask of the output's shape where it is no map.
"""

import copy

import numpy as np

from ... import kernels
from ...errors import MinicnnError
from ...layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    MaxPool2d,
    MaxPoolIndices,
)

CONVOLUTIONS = (Conv2d, ConvTranspose2d)
WINDOWS = (*CONVOLUTIONS, MaxPool2d, AvgPool2d, MaxPoolIndices)


def projected(mask):
    """A mask of an output's shape as a read."""
    return (mask[0].any(axis=2), mask[0].any(axis=1)) if mask.ndim == 4 else mask


def union(a, b):
    """What either of two reads of one node holds."""
    return tuple(x | y for x, y in zip(a, b)) if isinstance(a, tuple) else a | b


def below(layer, read, shapes, shape):
    """[the read of each input] of a layer of whose output `read` is wanted.

    shapes, shape  of its inputs and its output, for one image
    """
    if isinstance(layer, WINDOWS):
        groups = layer.groups if isinstance(layer, CONVOLUTIONS) else shape[1]
        wanted = [_of_groups(cells, groups, shapes[0][1]) for cells in read]
        rows, columns = (_windows(layer, axis, wanted[axis], shapes[0]) for axis in (0, 1))
        # Beside the image, a window reads no rows either.
        return [(rows & columns.any(axis=1, keepdims=True), columns & rows.any(axis=1, keepdims=True))]
    if isinstance(layer, Linear):
        return [projected(np.full(shapes[0], read.any()))]
    if isinstance(layer, GlobalMaxPool):
        layer = GlobalAvgPool()  # which reads the same, and whose gradient goes to all of it
    mixes = channel_mixes(layer, shapes, shape)
    if mixes is not None:
        return [tuple(_through(mix, cells) for cells in read) for mix in mixes]
    wanted = (read[0][:, :, None] & read[1][:, None, :])[None] if isinstance(read, tuple) else read
    return [projected(sent) for sent in _sent(layer, shapes, wanted)]


def _of_groups(cells, groups, C):
    """(F, L) -> (C, L): a channel is read where any output of its group is wanted."""
    F, L = cells.shape
    return cells.reshape(groups, F // groups, L).any(axis=1).repeat(C // groups, axis=0)


def _windows(layer, axis, wanted, shape):
    """(C, OL) -> (C, L): the cells that the windows at the wanted positions lie over, as far as they exist."""
    read = np.zeros((len(wanted), shape[2 + axis]), bool)
    transposed = isinstance(layer, ConvTranspose2d)
    corners, cells = (read, wanted) if transposed else (wanted, read)
    for k in range(layer.kernel[axis]):
        at = np.arange(corners.shape[1]) * layer.stride[axis] - layer.pad[2 * axis] + k * layer.dilation[axis]
        exists = (at >= 0) & (at < cells.shape[1])
        if transposed:
            read[:, exists] |= wanted[:, at[exists]]
        else:
            read[:, at[exists]] |= wanted[:, exists]
    return read


def channel_mixes(layer, shapes, shape):
    """[(C_out, C_in)] bool, one an input: which channels each one reads; None unless positions are kept apart.

    Found on maps of 3x4, of which one position after the other is wanted: nothing else may be read.
    """
    if any(len(s) != 4 or s[2:] != shape[2:] for s in [*shapes, shape]):
        return None
    H, W = 3, 4
    one = np.repeat(np.eye(H * W, dtype=bool).reshape(H * W, 1, H, W), shape[1], axis=1)
    single = np.eye(shape[1], dtype=bool)[:, :, None, None]
    try:
        spread = _sent(layer, [(H * W, s[1], H, W) for s in shapes], one)
        if any((sent.any(axis=1) != one.any(axis=1)).any() for sent in spread):
            return None
        return [sent[:, :, 0, 0] for sent in _sent(layer, [(shape[1], s[1], 1, 1) for s in shapes], single)]
    except MinicnnError:  # it takes only maps of its own size
        return None


def _through(mix, cells):
    """(C_out, L) -> (C_in, L): each channel's cells to all channels that it reads."""
    if (mix.sum(axis=0) <= 1).all():  # as in a ReLU or a Concat, and much faster
        return cells[mix.argmax(axis=0)] & mix.any(axis=0)[:, None]
    return mix.T.astype(np.float32) @ cells > 0


def _sent(layer, shapes, wanted):
    """[where the layer's own backward sends something] for random numbers from 0 to 1, at which no gate is closed.

    The layer's parameters are not read, because some may be zero: others stand in for them.
    """
    rng = np.random.default_rng(0)
    layer = copy.copy(layer)
    layer.params, layer.buffers = (
        {name: rng.uniform(0.5, 1.5, s) for name, s in kind.items()}
        for kind in (layer.param_shapes, layer.buffer_shapes)
    )
    with kernels.use("numpy"):
        out, cache = layer.forward(*(rng.uniform(0.05, 0.95, s) for s in shapes))
        if out.shape != wanted.shape:
            raise MinicnnError(f"{layer} makes {out.shape}, not {wanted.shape}")
        dxs = layer.backward_input(wanted * rng.uniform(0.5, 1.5, out.shape), cache)
    return [dx != 0 for dx in (dxs if isinstance(dxs, tuple) else (dxs,))]
