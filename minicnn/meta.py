"""What travels with a net's weights: how an image becomes its input, what its outputs mean, where it is from."""

import json
import math
from dataclasses import dataclass, fields

from .errors import FormatError
from .mean_image import MeanImage

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
_MOST_CHANNELS, _MOST_PIXELS, _MOST_CLASSES = 4096, 65536, 1_000_000


@dataclass(frozen=True)
class Meta:
    """What travels with weights.

        value = (pixel / 255 * range - mean) / std          pixel 0..255

    architecture   the zoo's name
    input_size     (C, H, W)
    channel_order  "RGB", "BGR" or "L"
    range          the value of white before the mean is taken off: 255.0, 1.0 ...
    mean, std      one value a channel, in the net's channel order and in units of `range`
    resize         "crop": the shorter side becomes `resize_to`; "squash": both sides become `resize_to`;
                   then the centre H x W is cut out
    classes        one name an output, or ()
    source         where the weights are from, in words
    licence        theirs
    sha256         of the file they were converted from, 64 hex digits, or ""
    interpolation  of the resizing: "nearest", "bilinear", "bicubic" or "lanczos", as Pillow computes them
    mean_image     a MeanImage of input_size that is taken off instead of `mean`, or None; images of another size
                   have no pixels of its, and take `mean`
    Raises FormatError that names the field.
    """

    architecture: str
    input_size: tuple
    channel_order: str
    range: float
    mean: tuple
    std: tuple
    resize: str
    resize_to: int
    classes: tuple = ()
    source: str = ""
    licence: str = ""
    sha256: str = ""
    interpolation: str = "bilinear"
    mean_image: MeanImage | None = None

    def __post_init__(self):
        for name in ("input_size", "mean", "std", "classes"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, good, wanted in _CHECKS:
            if not good(self):
                # A value may be the whole of a hostile file: its head is enough.
                raise FormatError("metadata", f"{name} is {str(getattr(self, name))[:80]}, expected {wanted}")

    def to_strings(self):
        """All fields but the mean image as JSON texts, as the native form's header holds them: dict of str to str."""
        # Sorted: the order of a set differs from process to process, and files and hashes are made of this.
        return {name: json.dumps(getattr(self, name)) for name in sorted(_text_fields())}

    @classmethod
    def from_strings(cls, strings, file="metadata", mean_image=None):
        """The inverse of `to_strings`; raises FormatError for unknown, missing and malformed fields."""
        names = _text_fields()
        if strings.keys() != names:
            odd = sorted(strings.keys() - names) or sorted(names - strings.keys())
            what = "unknown" if strings.keys() - names else "missing"
            raise FormatError(file, f"metadata: {what} field {', '.join(map(repr, odd))[:80]}")
        values = {}
        for name, text in strings.items():
            try:
                values[name] = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise FormatError(file, f"metadata: {name} is not JSON: {text[:80]!r}") from error
        try:
            return cls(**values, mean_image=mean_image)
        except FormatError as error:
            raise FormatError(file, f"metadata: {error.reason}") from error


def _text_fields():
    return {field.name for field in fields(Meta)} - {"mean_image"}


def _is_int(value, least, most):
    return type(value) is int and least <= value <= most


def _is_float(value):
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)


def _floats(value, count):
    return isinstance(value, tuple) and len(value) == count and all(map(_is_float, value))


def _texts(value):
    return isinstance(value, tuple) and len(value) <= _MOST_CLASSES and all(isinstance(v, str) for v in value)


def _size_is_good(meta):
    size = meta.input_size
    most = (_MOST_CHANNELS, _MOST_PIXELS, _MOST_PIXELS)
    return isinstance(size, tuple) and len(size) == 3 and all(_is_int(v, 1, m) for v, m in zip(size, most))


def _order_is_good(meta):
    return (
        isinstance(meta.channel_order, str)
        and {"RGB": 3, "BGR": 3, "L": 1}.get(meta.channel_order) == meta.input_size[0]
    )


def _resize_to_is_good(meta):
    return _is_int(meta.resize_to, max(meta.input_size[1:]), _MOST_PIXELS)


def _mean_image_is_good(meta):
    image = meta.mean_image
    return image is None or (isinstance(image, MeanImage) and image.values.shape == meta.input_size)


def _hash_is_good(meta):
    digits = meta.sha256
    return isinstance(digits, str) and len(digits) in (0, 64) and set(digits) <= set("0123456789abcdef")


# In this order: a later check may rely on an earlier one.
_CHECKS = (
    ("architecture", lambda m: isinstance(m.architecture, str) and m.architecture, "a name"),
    ("input_size", _size_is_good, "(C, H, W)"),
    ("channel_order", _order_is_good, "RGB or BGR for three channels, L for one"),
    ("range", lambda m: _is_float(m.range) and m.range > 0, "a number above 0"),
    ("mean", lambda m: _floats(m.mean, m.input_size[0]), "one number a channel"),
    ("std", lambda m: _floats(m.std, m.input_size[0]) and min(m.std) > 0, "one number above 0 a channel"),
    ("resize", lambda m: m.resize in ("crop", "squash"), "crop or squash"),
    ("resize_to", _resize_to_is_good, "a size that is at least H and W"),
    ("classes", lambda m: _texts(m.classes), "a list of names"),
    ("source", lambda m: isinstance(m.source, str), "a text"),
    ("licence", lambda m: isinstance(m.licence, str), "a text"),
    ("sha256", _hash_is_good, "64 hex digits or nothing"),
    ("interpolation", lambda m: m.interpolation in INTERPOLATIONS, " or ".join(INTERPOLATIONS)),
    ("mean_image", _mean_image_is_good, "a mean image of the input's size"),
)
