"""Pictures in and out: reading a file of any kind, and a net's own preprocessing with its inverse."""

import io
import threading

import numpy as np
from PIL import Image, ImageOps

from ..errors import ImageError, MinicnnError
from ..files import read_whole, write_whole
from ..kernels.errors import ShapeError
from ..kernels.shapes import show

# Below the size at which Pillow itself starts to warn, so that no picture that passes here meets a second limit later.
MAX_PIXELS = 80_000_000
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_opening = threading.Lock()


def read_image(path, max_pixels=MAX_PIXELS):
    """The picture in a file as an upright RGB picture with 8 bits a channel.

    EXIF orientation is applied; 16 bits become 8; transparent parts become white; CMYK, palettes and greys become RGB;
    of an animation the first frame is read. Colour profiles are not applied.

    path        any format that Pillow reads
    max_pixels  width * height at most, checked before anything is decoded
    Returns a PIL image of mode "RGB".
    Raises MissingFileError, or ImageError with the file and the reason: too large, damaged, cut off, no picture.
    """
    data = io.BytesIO(read_whole(path))
    # Decoders raise whatever a damaged file makes them stumble over, so everything they raise is caught.
    try:
        image = _open(data)
    except Exception as e:
        raise ImageError(f"{path}: not a picture that can be read ({_reason(e, data, path)})") from e
    if image.width * image.height > max_pixels:
        raise ImageError(f"{path}: {image.width}x{image.height} pixels, more than the limit of {max_pixels}")
    try:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except ImageError as e:
        raise ImageError(f"{path}: {e}") from e
    except Exception as e:
        raise ImageError(f"{path}: a damaged picture ({_reason(e, data, path)})") from e


def _open(data):
    """Reads the header only. Pillow's own limit is set aside meanwhile: `read_image` has one, with a better message."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(data)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _reason(error, data, path):
    # Pillow names the buffer, which means nothing to the reader.
    return (str(error) or type(error).__name__).replace(repr(data), str(path))


def to_rgb(image):
    """A picture or an array of pixels as a PIL image of mode "RGB".

    image  a PIL image, or an array (H, W, 3) or (H, W), values 0..255; transparent parts become white
    Raises ImageError for an array of another shape, with values outside 0..255, NaN or infinite, or for a picture of
    32 bits a channel, whose white is not defined.
    """
    if not isinstance(image, Image.Image):
        return _array_to_rgb(np.asarray(image))
    if image.mode in _SIXTEEN_BIT or (image.mode == "I" and image.format in ("PNG", "PPM", None)):
        # Older Pillows read 16-bit files as "I". Pillow's own conversion would cut off at 255 instead of scaling.
        values = np.asarray(image).astype(np.float64)
        image = Image.fromarray(np.uint8(np.clip(values / 257, 0, 255).round()))
    if image.mode in ("I", "F"):
        raise ImageError(f"32 bits a channel (mode {image.mode}), whose white is not defined: save it with 8 or 16")
    if "transparency" in image.info or image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _array_to_rgb(pixels):
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise ImageError(f"an array of pixels is (H, W, 3) or (H, W), not {show(pixels.shape)}")
    check_finite("the pixels", pixels)
    if pixels.min() < 0 or pixels.max() > 255:
        raise ImageError(f"pixels are 0..255, these {pixels.min()}..{pixels.max()}")
    return Image.fromarray(np.uint8(np.round(pixels))).convert("RGB")


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
    require_meta(meta)
    image = to_rgb(image)
    if meta.channel_order == "L":
        image = image.convert("L")
    H, W = meta.input_size[1:]
    width, height = _resized(image.size, meta)
    left, top = round((width - W) / 2), round((height - H) / 2)
    # The kept part, in pixels of the picture as it is.
    sx, sy = image.width / width, image.height / height
    box = (left * sx, top * sy, min((left + W) * sx, image.width), min((top + H) * sy, image.height))
    image = image.resize((W, H), Image.Resampling[meta.interpolation.upper()], box=box)
    pixels = np.asarray(image, np.float64).reshape(H, W, -1)
    if meta.channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    x = (pixels / 255 * meta.range - _mean(meta, (H, W))) / meta.std
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


def check_finite(what, values):
    """Raises ImageError that counts the NaN and infinite values."""
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ImageError(f"{what}: {bad} of {values.size} values are NaN or infinite")


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
