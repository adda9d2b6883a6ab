"""Images as the net's input: what its meta says of pixels, for whole batches."""

import numpy as np

from ..kernels.errors import ShapeError
from ..kernels.shapes import show


def standardise(images, meta):
    """A batch of pixels as the net's input.

        x = (pixel / 255 * range - mean) / std      in the net's channel order

    images  (N, 3, H, W) uint8, or float with 0..255; RGB. A net that sees greys also takes (N, 1, H, W), and of three
            channels L = 0.299 R + 0.587 G + 0.114 B
    meta    the net's; its mean image is taken off images of its own size, its mean off others
    x       (N, C, H, W) float32, computed in float32
    Raises ShapeError for another number of channels.
    """
    if images.ndim != 4 or images.shape[1] not in ((1, 3) if meta.channel_order == "L" else (3,)):
        raise ShapeError(
            f"images {show(images.shape)}, expected (N,3,H,W) in RGB for a net that sees {meta.channel_order}"
        )
    x = images.astype(np.float32)
    if meta.channel_order == "BGR":
        x = x[:, ::-1]
    elif meta.channel_order == "L" and x.shape[1] == 3:
        x = np.einsum("nchw,c->nhw", x, np.float32([0.299, 0.587, 0.114]))[:, None]  # ITU-R BT.601, as Pillow's "L"
    mean, std = (np.float32(values).reshape(1, -1, 1, 1) for values in (meta.mean, meta.std))
    if meta.mean_image is not None and x.shape[1:] == meta.input_size:
        mean = meta.mean_image.values
    return np.ascontiguousarray((x * np.float32(meta.range / 255) - mean) / std)
