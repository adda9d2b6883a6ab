"""Pictures in and out: a net's own preprocessing with its inverse."""

import numpy as np
from PIL import Image

from ..errors import MinicnnError, UsageError
from ..files import write_whole
from ..kernels.errors import ShapeError
from ..kernels.shapes import show

# Pictures in are read here too, for those who look; training reads them without this room.
from ..picture import MAX_PIXELS, check_finite, read_image, to_rgb  # noqa: F401


def preprocess(image, meta):
    """A picture as the net's input.

        x = (pixel / 255 * range - mean) / std      in the net's channel order

    The size comes first: "crop" makes the shorter side `resize_to`, "squash" both; then the centre is cut out. Only the
    part that is kept is ever computed, so an extreme shape costs no memory. Where the net has a mean image, each pixel
    has a mean of its own.

    image  what `to_rgb` takes
    meta   the net's, a `minicnn.meta.Meta`
    x      (1, C, H, W) float32, input_size
    Raises ImageError as `to_rgb` does, MinicnnError where the net has no meta.
    """
    image = _in_colours_of(image, meta)
    H, W = meta.input_size[1:]
    width, height = _resized(image.size, meta)
    left, top = round((width - W) / 2), round((height - H) / 2)
    # The kept part, in pixels of the picture as it is.
    sx, sy = image.width / width, image.height / height
    box = (left * sx, top * sy, min((left + W) * sx, image.width), min((top + H) * sy, image.height))
    return _as_input(image.resize((W, H), Image.Resampling[meta.interpolation.upper()], box=box), meta)


def preprocess_whole(image, meta, size):
    """A picture as the net's input at its own aspect ratio, nothing cut off: for nets that take any height and width.

    image  what `to_rgb` takes
    meta   the net's, a `minicnn.meta.Meta`
    size   pixels; the longer side becomes so many where it has more, never larger
    x      (1, C, H, W) float32, max(H, W) <= size
    Raises as `preprocess` does, and UsageError for a size below 1.
    """
    if size < 1:
        raise UsageError(f"size is {size}, expected 1 pixel or more")
    image = _in_colours_of(image, meta)
    longer = max(image.size)
    if longer > size:
        shape = [max(1, round(side * size / longer)) for side in image.size]
        image = image.resize(shape, Image.Resampling[meta.interpolation.upper()])
    return _as_input(image, meta)


def _in_colours_of(image, meta):
    require_meta(meta)
    image = to_rgb(image)
    return image.convert("L") if meta.channel_order == "L" else image


def _as_input(image, meta):
    """(1, C, H, W) float32 of a picture that has its size."""
    pixels = np.asarray(image, np.float64).reshape(image.height, image.width, -1)
    if meta.channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    x = (pixels / 255 * meta.range - _mean(meta, pixels.shape[:2])) / meta.std
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)


def _mean(meta, size):
    """(C,), or (H, W, C) of the mean image, which belongs to images of the net's own size (H, W) alone."""
    if meta.mean_image is None or tuple(size) != meta.input_size[1:]:
        return meta.mean
    return meta.mean_image.values.transpose(1, 2, 0).astype(np.float64)


def _resized(size, meta):
    if meta.resize == "squash":
        return meta.resize_to, meta.resize_to
    shorter = min(size)
    return tuple(meta.resize_to * side // shorter for side in size)


def deprocess(x, meta):
    """The inverse of `preprocess`: the net's input as pixels to look at.

        pixel = (x * std + mean) / range * 255      rounded; below 0 becomes 0, above 255 becomes 255

    x       (N, C, H, W), any H and W; a mean image is added to images of its own size, the mean to others
    pixels  (N, H, W, 3) uint8, RGB; a net that sees greys gives three equal channels
    Raises ShapeError for another C, ImageError for NaN or infinite values, MinicnnError where the net has no meta.
    """
    require_meta(meta)
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[1] != meta.input_size[0]:
        raise ShapeError(f"x is {show(x.shape)}, the net's images (N,{meta.input_size[0]},H,W)")
    check_finite("x", x)
    pixels = (x.transpose(0, 2, 3, 1).astype(np.float64) * meta.std + _mean(meta, x.shape[2:])) / meta.range * 255
    if meta.channel_order == "BGR":
        pixels = pixels[..., ::-1]
    pixels = np.uint8(np.clip(np.round(pixels), 0, 255))
    return np.repeat(pixels, 3, axis=3) if meta.channel_order == "L" else np.ascontiguousarray(pixels)


def contrast(meta):
    """(1, C, 1, 1) float64: how far white is from black in the net's input, range / std."""
    require_meta(meta)
    return np.reshape(meta.range / np.asarray(meta.std, np.float64), (1, -1, 1, 1))


def save_png(image, path):
    """Write a PIL image as a PNG, whole or not at all; raises OutputError where it cannot be written."""
    with write_whole(path) as file:
        image.save(file, "PNG")


def require_meta(meta):
    """Raises MinicnnError where a net's meta is None."""
    if meta is None:
        raise MinicnnError(
            "this net has no meta, so it does not say how pixels become its input: set net.meta, or convert its file "
            "with `minicnn models import FILE --channel-order ... --range ...`"
        )
