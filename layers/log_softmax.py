"""Logarithm of the softmax over the classes."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_dout, check_float
from .axes import axes_from, axis_of, check_axis
from .base import Layer
from .describe import describe_axis


class LogSoftmaxCache(NamedTuple):
    out: Any
    axes: tuple


def log_softmax_forward(x, axis=1, to_end=False):
    """out[n,c] = s[n,c] - log(sum over c of exp(s[n,c])), s[n,c] = x[n,c] - max_c x: no logarithm of 0, no overflow.

    x, out  (N, C), (N, C, H, W) or any other shape, float32 or float64; each position of its own
    axis    that of the classes
    to_end  whether all axes from `axis` on are classes together, as in ONNX before opset 13
    Raises ShapeError where there is no such axis.
    """
    check_float(x=x)
    xp, axes = current().xp, axes_from(axis, to_end, x.shape)
    out = x
    if x.size:
        s = x - x.max(axis=axes, keepdims=True)
        out = s - xp.log(xp.exp(s).sum(axis=axes, keepdims=True))
    return out, LogSoftmaxCache(out, axes)


def log_softmax_backward(dout, cache):
    """dx[c] = dout[c] - exp(out[c]) * sum over c' of dout[c'].

    Because out = x - log(sum of exp(x)), d out[c'] / d x[c] = [c = c'] - exp(out[c]).
    """
    out, axes = cache
    check_dout(dout, out.shape, out=out)
    return dout - current().xp.exp(out) * dout.sum(axis=axes, keepdims=True)


class LogSoftmax(Layer):
    """Logarithm of the softmax over the classes; see `log_softmax_forward`."""

    def __init__(self, axis=1, to_end=False):
        super().__init__()
        self.axis, self.to_end = check_axis(axis), bool(to_end)

    def forward(self, x):
        return log_softmax_forward(x, self.axis, self.to_end)

    backward_input = staticmethod(log_softmax_backward)

    def out_shape(self, shape):
        axis_of(self.axis, shape)
        return shape

    def describe(self):
        return describe_axis(self, self.to_end)


CASES = [
    (LogSoftmax(), (3, 5)),
    (LogSoftmax(), (2, 3, 2, 1)),
    (LogSoftmax(-1), (2, 2, 3)),
    (LogSoftmax(to_end=True), (2, 2, 3)),
]
