"""One layer of Keras' JSON while it is translated: its options by type, its errors by name."""

import math

from ..errors import FormatError

_MOST = 1 << 16  # of a window, a stride, a pad
# What says nothing about what the layer computes once its weights are there.
_UNREAD = ("name", "trainable", "dtype", "seed", "batch_input_shape", "batch_shape")
_UNREAD_ENDINGS = ("_initializer", "_regularizer", "_constraint")
_NEEDED = object()


class KerasLayer:
    """A layer that gives its options one by one; what is left in the end is an error, for it would be ignored.

    name    Keras', unique in its model
    type    the class, as in "Conv2D"
    config  {option: value}; null stands for the default
    scope   the names of the models that it is in
    call    how many times it was used before
    """

    def __init__(self, file, name, type, config, scope, call):
        self.file, self.name, self.type, self.config = file, name, type, config
        self.scope, self.call = scope, call
        self.options = {
            key: value
            for key, value in config.items()
            if value is not None and key not in _UNREAD and not key.endswith(_UNREAD_ENDINGS)
        }

    def error(self, reason):
        return FormatError(self.file, f"layer {self.name!r} ({self.type}): {reason}")

    def _take(self, key, default, good, wanted):
        value = self.options.pop(key, default)
        if value is _NEEDED:
            raise self.error(f"has no {key}")
        if value is not default and not good(value):
            raise self.error(f"{key} is {brief(value)}, expected {wanted}")
        return value

    def flag(self, key, default):
        return self._take(key, default, lambda v: isinstance(v, bool), "true or false")

    def number(self, key, default=_NEEDED):
        return self._take(key, default, is_number, "a number")

    def integer(self, key, default=_NEEDED, least=1, most=_MOST):
        return self._take(key, default, lambda v: is_int(v, least, most), f"an int, {least} to {most}")

    def pair(self, key, default=_NEEDED, least=1):
        """(vertical, horizontal) from one int or two."""
        value = self._take(key, default, lambda v: _is_pair(v, least), f"one or two ints, {least} to {_MOST}")
        return (value, value) if is_int(value, least) else value if value is default else tuple(value)

    def text(self, key, default, *choices):
        return self._take(key, default, lambda v: v in choices, " or ".join(choices))

    def list(self, key, default=_NEEDED):
        """A list of anything; one thing alone is a list of it."""
        value = self._take(key, default, lambda v: not isinstance(v, dict), "a list")
        return value if isinstance(value, list) or value is default else [value]

    def channels_last(self):
        self.text("data_format", "channels_last", "channels_last")

    def finish(self):
        """Raises where an option was not taken and is not off."""
        left = [key[:80] for key, value in self.options.items() if value is not False]
        if left:
            raise self.error(f"the option {' and '.join(left[:6])} is not understood")


def our_axis(layer, axis, rank):
    """An axis of Keras' (N, H, W, C) as that of our (N, C, H, W); of (N, D) as it is. The batch's is refused."""
    if not is_int(axis, -rank, rank - 1) or axis % rank == 0:
        raise layer.error(f"axis {brief(axis)}, of {rank} of which the first is the batch")
    return {1: 2, 2: 3, 3: 1}[axis % rank] if rank == 4 else axis % rank


def is_int(value, least=1, most=_MOST):
    return type(value) is int and least <= value <= most


def is_number(value):
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)


def brief(value):
    """A value as an error shows it; nested lists may be too deep to be shown."""
    return f"a {type(value).__name__}" if isinstance(value, (list, dict)) else repr(value)[:80]


def _is_pair(value, least):
    if isinstance(value, list):
        return len(value) == 2 and all(is_int(v, least) for v in value)
    return is_int(value, least)
