"""ONNX's operators that exporters compute pads, axes and shapes with: done at once, and of constants alone.

PyTorch writes the pads of a padding as such a chain. Of data, which only a running net has, they are refused.
"""

from math import prod

import numpy as np

from .onnx_tensor import FLOATING, MOST_INTEGERS, WHOLE, Constant


def fold(b, n, function):
    """The Constant of function(the inputs' arrays); raises where an input is computed from the image."""
    arrays = [b.constant(n, index).values() if n.has(index) else None for index in range(len(n.inputs))]
    try:
        return Constant(n.file, n.output, function(*arrays))
    except (TypeError, ValueError) as error:  # too few inputs, too many, or of other lengths
        raise n.error(f"does not fit its constants: {error}") from error


def _constant_of_shape(b, n):
    value = n.tensor("value").values() if "value" in n.attributes else np.zeros(1, np.float32)
    shape = b.constant(n, 0).integers() if n.has(0) else [-1]
    if value.size != 1 or min(shape, default=0) < 0 or prod(shape) > MOST_INTEGERS:
        raise n.error(f"shape {shape}: at most {MOST_INTEGERS} numbers, all the same, can be made")
    return fold(b, n, lambda _: np.full(shape, value.reshape(())))


def _slice(b, n):
    def part(array, starts, ends, axes=None, steps=None):
        axes = range(len(starts)) if axes is None else axes
        steps = [1] * len(starts) if steps is None else steps
        window = [slice(None)] * array.ndim
        for axis, *span in zip(axes, starts, ends, steps, strict=True):
            window[n.axis(int(axis), array.ndim)] = slice(*map(int, span))
        return array[tuple(window)]

    if n.opset >= 10:
        return fold(b, n, part)
    spans = n.ints("starts"), n.ints("ends"), n.ints("axes", None)
    return fold(b, n, lambda array: part(array, *spans))


def _cast(b, n):
    if (to := n.int("to")) not in (*FLOATING, *WHOLE):
        raise n.error(f"to type {to}, which minicnn does not compute with")
    return fold(b, n, lambda array: array.astype(np.float32 if to in FLOATING else np.int64))


OPERATORS = {"ConstantOfShape": _constant_of_shape, "Slice": _slice, "Cast": _cast}
