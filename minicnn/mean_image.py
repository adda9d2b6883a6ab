"""A mean for every pixel."""

import numpy as np

from .errors import FormatError


class MeanImage:
    """The mean of all training images, as Caffe's `.binaryproto` files hold it.

    values    (C, H, W) float32, read-only; in the net's channel order and in units of its range
    channels  one mean a channel, for images of another size
    Two are equal where their values are.
    Raises FormatError for another number of axes, NaN and infinite values.
    """

    def __init__(self, values):
        self.values = np.array(values, np.float32)
        if self.values.ndim != 3 or not self.values.size:
            raise FormatError("mean image", f"has the shape {self.values.shape}, expected (C, H, W)")
        if not np.isfinite(self.values).all():
            raise FormatError("mean image", "has NaN or infinite values")
        self.values.flags.writeable = False

    @property
    def channels(self):
        return tuple(float(m) for m in self.values.mean(axis=(1, 2), dtype=np.float64))

    def centre(self, H, W):
        """The middle H x W of it; raises FormatError where it is smaller."""
        height, width = self.values.shape[1:]
        if H > height or W > width:
            raise FormatError("mean image", f"is {height}x{width}, smaller than the net's input {H}x{W}")
        top, left = (height - H) // 2, (width - W) // 2
        return MeanImage(self.values[:, top : top + H, left : left + W])

    def __eq__(self, other):
        return isinstance(other, MeanImage) and np.array_equal(self.values, other.values)

    def __hash__(self):
        return hash((self.values.shape, self.values.tobytes()))

    def __deepcopy__(self, memo):
        return self  # it never changes

    def __repr__(self):
        return f"<mean image {'x'.join(map(str, self.values.shape))}>"
