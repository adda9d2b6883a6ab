"""Reading a picture of any kind, from a file, from bytes or from an array."""

import io
import threading

import numpy as np
from PIL import Image, ImageOps

from .errors import ImageError
from .files import read_whole
from .kernels.shapes import show

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
    return decode(read_whole(path), path, max_pixels)


def decode(data, name, max_pixels=MAX_PIXELS):
    """The picture in the bytes of a file, as `read_image` gives it; `name` is what an ImageError calls it."""
    data = io.BytesIO(data)
    # Decoders raise whatever a damaged file makes them stumble over, so everything they raise is caught.
    try:
        image = _open(data)
    except Exception as e:
        raise ImageError(f"{name}: not a picture that can be read ({_reason(e, data, name)})") from e
    if image.width * image.height > max_pixels:
        raise ImageError(f"{name}: {image.width}x{image.height} pixels, more than the limit of {max_pixels}")
    try:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except ImageError as e:
        raise ImageError(f"{name}: {e}") from e
    except Exception as e:
        raise ImageError(f"{name}: a damaged picture ({_reason(e, data, name)})") from e


def _open(data):
    """Reads the header only. Pillow's own limit is set aside meanwhile: `read_image` has one, with a better message."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(data)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _reason(error, data, name):
    # Pillow names the buffer, which means nothing to the reader.
    return (str(error) or type(error).__name__).replace(repr(data), str(name))


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


def check_finite(what, values):
    """Raises ImageError that counts the NaN and infinite values."""
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ImageError(f"{what}: {bad} of {values.size} values are NaN or infinite")
