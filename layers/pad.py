"""Padding and cropping."""

from numbers import Integral
from typing import NamedTuple

from ..kernels import current
from ..kernels.errors import MinicnnError, ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .base import Layer
from .checks import check_number

MODES = ("constant", "reflect", "edge")


class PadCache(NamedTuple):
    x_shape: tuple
    pads: tuple
    mode: str


def pad_forward(x, pads, mode="constant", value=0.0):
    """out holds x with new cells before and after it on each axis. What they hold is the mode:

        constant  value
        reflect   x mirrored at its border, which itself is not repeated: 3 2 | 1 2 3 | 2 1
        edge      the border again:                                       1 1 | 1 2 3 | 3 3

    A negative number crops. All crops come first: what they cut off is not mirrored either.

    x       any shape, float32 or float64
    pads    one (before, after) an axis, ints
    out     x's shape, with before + after added on each axis
    Raises ShapeError if pads has not x's axes, crops more than there is, or mirrors (repeats) what is not there.
    """
    check_float(x=x)
    pads = _checked(pads, mode)
    _output(x.shape, pads, mode)
    more = {"constant_values": value} if mode == "constant" else {}
    new = [(max(before, 0), max(after, 0)) for before, after in pads]
    return current().xp.pad(x[_kept(x.shape, pads)], new, mode, **more), PadCache(x.shape, pads, mode)


def pad_backward(dout, cache):
    """dx: out[pad + i] = x[i], so x gets its own part of dout back; what was cut off gets 0.

    Cells that repeat one of x (reflect, edge) add theirs to it: out[before - i] = x[i] and so on.

    dout    the shape of out
    dx      x's shape
    """
    check_dout(dout, _output(cache.x_shape, cache.pads, cache.mode))
    dx = dout
    for axis, pads in enumerate(cache.pads):
        dx = _unpad(dx, axis, *(max(p, 0) for p in pads), cache.mode)
    if dx.shape == cache.x_shape:
        return dx
    whole = current().xp.zeros(cache.x_shape, dout.dtype)
    whole[_kept(cache.x_shape, cache.pads)] = dx
    return whole


def _unpad(d, axis, before, after, mode):
    """The adjoint of padding one axis."""
    if not before and not after:
        return d
    xp = current().xp
    d = xp.moveaxis(d, axis, 0)
    size = len(d) - before - after
    first, dx, last = d[:before], d[before : before + size].copy(), d[before + size :]
    if mode == "edge":
        dx[0] += first.sum(axis=0)
        dx[-1] += last.sum(axis=0)
    elif mode == "reflect":
        dx[1 : before + 1] += first[::-1]
        dx[size - 1 - after : size - 1] += last[::-1]
    return xp.moveaxis(dx, 0, axis)


def _kept(shape, pads):
    """Where x stands after the crops."""
    return tuple(slice(max(-before, 0), size - max(-after, 0)) for size, (before, after) in zip(shape, pads))


def _output(shape, pads, mode):
    if len(pads) != len(shape):
        raise ShapeError(f"x has {len(shape)} dimensions, pads is for {len(pads)} (x {show(shape)}, pads {pads})")
    for axis, (size, (before, after)) in enumerate(zip(shape, pads)):
        kept = size + min(before, 0) + min(after, 0)
        if kept < 0:
            raise ShapeError(f"pads {(before, after)} on axis {axis} crop more than {size} (x {show(shape)})")
        most = {"constant": float("inf"), "edge": float("inf") if kept else 0, "reflect": kept - 1}[mode]
        if max(before, after) > max(most, 0):
            raise ShapeError(f"pads {(before, after)} on axis {axis}: {mode} cannot, of {kept} there (x {show(shape)})")
    return tuple(size + before + after for size, (before, after) in zip(shape, pads))


def _checked(pads, mode):
    """pads as tuples of ints; raises for what is none, and for an unknown mode."""
    if mode not in MODES:
        raise MinicnnError(f"mode must be {', '.join(MODES[:-1])} or {MODES[-1]}, not {mode!r}")
    pairs = tuple(tuple(p) if isinstance(p, (tuple, list)) else () for p in pads)
    if not all(len(p) == 2 and all(isinstance(v, Integral) for v in p) for p in pairs):
        raise ShapeError(f"pads must be one (before, after) of ints an axis, not {pads!r}")
    return tuple((int(before), int(after)) for before, after in pairs)


class Pad(Layer):
    """Padding, or cropping, on every axis; see `pad_forward`."""

    def __init__(self, pads, mode="constant", value=0.0):
        super().__init__()
        check_number("value", value, lambda v: v == v, "a number")
        self.pads, self.mode, self.value = _checked(pads, mode), mode, float(value)

    def forward(self, x):
        return pad_forward(x, self.pads, self.mode, self.value)

    backward_input = staticmethod(pad_backward)

    def out_shape(self, shape):
        return _output(shape, self.pads, self.mode)

    def describe(self):
        text = f"{self.pads}"
        if self.mode != "constant":
            return f"{text}, {self.mode}"
        return text if self.value == 0 else f"{text}, value {self.value:g}"


CASES = [
    (Pad(((0, 0), (1, 2), (0, 0), (3, 0))), (2, 1, 2, 3)),
    (Pad(((0, 0), (0, 0), (-1, 2), (1, -2)), value=3.0), (2, 1, 2, 3)),
    (Pad(((0, 0), (2, 2), (-1, 1)), "reflect"), (2, 3, 4)),
    (Pad(((0, 0), (2, 1), (1, -1)), "edge"), (2, 1, 3)),
]
