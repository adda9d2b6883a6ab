"""Softmax over the classes."""

from math import prod
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .axes import axes_from, axis_of, check_axis
from .base import Layer
from .describe import describe_axis


class SoftmaxCache(NamedTuple):
    out: Any
    folded: tuple  # (positions before, classes, positions after): out's shape as the kernel sees it


def softmax_forward(x, axis=1, to_end=False):
    """out[n,c] = exp(x[n,c] - max_c x) / sum over c of exp(x[n,c] - max_c x); the shift keeps exp from overflowing.

    x, out  (N, C), (N, C, H, W) or any other shape, float32 or float64; each position of its own
    axis    that of the classes
    to_end  whether all axes from `axis` on are classes together, as in ONNX before opset 13
    Raises ShapeError where there is no such axis.
    """
    check_float(x=x)
    axes = axes_from(axis, to_end, x.shape)
    first, last = axes[0], axes[-1] + 1
    folded = prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:])
    out = current().softmax_forward(x.reshape(folded)).reshape(x.shape)
    return out, SoftmaxCache(out, folded)


def softmax_backward(dout, cache):
    """dx[c] = out[c] * (dout[c] - sum over c' of dout[c'] * out[c']).

    Because out = exp(x) / sum exp(x), d out[c'] / d x[c] = out[c'] * ([c = c'] - out[c]).
    """
    out, folded = cache
    check_dout(dout, out.shape, out=out)
    return current().softmax_backward(dout.reshape(folded), out.reshape(folded)).reshape(out.shape)


class Softmax(Layer):
    """Softmax over the classes; see `softmax_forward`."""

    def __init__(self, axis=1, to_end=False):
        super().__init__()
        self.axis, self.to_end = check_axis(axis), bool(to_end)

    def forward(self, x):
        return softmax_forward(x, self.axis, self.to_end)

    backward_input = staticmethod(softmax_backward)

    def out_shape(self, shape):
        axis_of(self.axis, shape)
        return shape

    def describe(self):
        return describe_axis(self, self.to_end)


CASES = [
    (Softmax(), (3, 5)),
    (Softmax(), (2, 3, 2, 1)),
    (Softmax(), (1, 1)),
    (Softmax(-1), (2, 2, 3)),
    (Softmax(to_end=True), (2, 2, 3)),
]
