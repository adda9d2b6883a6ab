"""Fully connected layer."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, check_ndim, check_same, show
from .base import Layer
from .checks import check_sizes


class LinearCache(NamedTuple):
    x: Any
    w: Any
    b: Any


def linear_forward(x, w, b=None):
    """out[n,f] = b[f] + sum over d of w[f,d] * x[n,d], that is out = x w' + b.

    x       (N, D) float32 or float64
    w       (F, D)
    b       (F,) or None
    out     (N, F)
    Raises ShapeError if D does not fit w; DTypeError if dtypes differ.
    """
    check_float(x=x, w=w, b=b)
    _check_fit(x.shape, w.shape)
    if b is not None:
        check_same("b", b.shape, "w's first dimension", w.shape[:1])
    out = current().matmul(x, w.T)
    return out if b is None else out + b, LinearCache(x, w, b)


def linear_backward(dout, cache):
    """dx = dout w: out = x w' + b reads x[n,d] once for every f, through w[f,d].

    dout    (N, F)
    dx      (N, D)
    """
    _check_dout(dout, cache)
    return current().matmul(dout, cache.w)


def linear_backward_params(dout, cache):
    """{"w": dw, "b": db}: out = x w' + b, so dw = dout' x and db = sum of dout over n.

    dw      (F, D)
    db      (F,), summed in float64; absent where b is None
    """
    _check_dout(dout, cache)
    dw = current().matmul(dout.T, cache.x)
    if cache.b is None:
        return {"w": dw}
    return {"w": dw, "b": dout.sum(axis=0, dtype="float64").astype(dout.dtype)}


def _check_fit(x_shape, w_shape):
    check_ndim("x", x_shape, 2)
    check_ndim("w", w_shape, 2)
    if x_shape[1] != w_shape[1]:
        raise ShapeError(f"x has D={x_shape[1]}, w expects {w_shape[1]} (x {show(x_shape)}, w {show(w_shape)})")


def _check_dout(dout, cache):
    check_dout(dout, (len(cache.x), len(cache.w)), x=cache.x)


class Linear(Layer):
    """Fully connected layer with weights w (F, D) and biases b (F,); see `linear_forward`."""

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        check_sizes(in_features=in_features, out_features=out_features)
        self.param_shapes = {"w": (out_features, in_features)}
        if bias:
            self.param_shapes["b"] = (out_features,)

    def forward(self, x):
        return linear_forward(x, self.array("w"), self.array("b") if "b" in self.param_shapes else None)

    backward_input = staticmethod(linear_backward)
    backward_params = staticmethod(linear_backward_params)

    def out_shape(self, shape):
        _check_fit(shape, self.param_shapes["w"])
        return (shape[0], self.param_shapes["w"][0])

    def macs(self, shape):
        N, F = self.out_shape(shape)
        return N * F * shape[1]

    def describe(self):
        F, D = self.param_shapes["w"]
        return f"{D}, {F}" + ("" if "b" in self.param_shapes else ", no bias")


CASES = [(Linear(5, 3), (4, 5)), (Linear(1, 1), (1, 1)), (Linear(3, 7, bias=False), (2, 3))]
