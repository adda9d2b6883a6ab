"""Batch normalisation of channels."""

from typing import Any, NamedTuple

import numpy as np

from ..kernels import current
from ..kernels.errors import MinicnnError, ShapeError
from ..kernels.shapes import check_float, show
from .base import Layer
from .checks import check_number, check_sizes


class BatchNorm2dCache(NamedTuple):
    x: Any
    w: Any
    mean: Any  # (C,) float64
    inverse_std: Any  # (C,) float64
    var: Any  # (C,) float64, the batch's, biased; None in evaluation: mean and inverse_std do not depend on x


def batch_norm2d_forward(x, w, b, running_mean, running_var, train=False, eps=1e-5):
    """Every channel shifted and scaled to mean 0 and variance 1, then by its own b and w.

        xhat = (x - mean) / sqrt(var + eps),  out = w * xhat + b

    In training mean and var are the batch's, over n, y and x (var biased: divided by M = N*H*W); in evaluation
    they are the running ones, which are constants.

    x, out  (N, C, H, W), or (N, C), (N, C, L) ... with whatever axes in place of y and x; float32 or float64
    w, b, running_mean, running_var  (C,); also called gamma, beta
    cache   x, not xhat, which is quickly made again
    Raises ShapeError if C does not fit, or in training if M < 2: one value has no variance.
    Ioffe & Szegedy, ICML 2015, algorithm 1
    """
    check_float(x=x, w=w, b=b, running_mean=running_mean, running_var=running_var)
    _check_channels(x.shape, len(w))
    if train:
        M = x.size // x.shape[1]
        if M < 2:
            raise ShapeError(f"batch statistics need 2 values a channel, here are {M} (x {show(x.shape)})")
        mean, var = current().batch_norm_statistics(x)
    else:
        mean, var = running_mean.astype("float64"), running_var.astype("float64")
    inverse_std = 1 / (var + eps) ** 0.5
    out = current().batch_norm_forward(x, mean, inverse_std, w, b)
    return out, BatchNorm2dCache(x, w, mean, inverse_std, var if train else None)


def batch_norm2d_backward(dout, cache):
    """dx. In evaluation out = w * (x - mean) * inverse_std + b with constants: dx = dout * w * inverse_std.

    In training mean and var read x too. Because xhat keeps mean 0 and variance 1 whatever x does, the part of
    dout that would shift or stretch the channel moves nothing and is taken off:

        dx = w * inverse_std * (dout - mean(dout) - xhat * mean(dout * xhat))

    dout, dx  x's shape; means over all but the channels, in float64
    """
    x, w, mean, inverse_std, var = cache
    sums = None if var is None else current().batch_norm_backward_params(dout, x, mean, inverse_std)
    return current().batch_norm_backward_input(dout, x, mean, inverse_std, w, sums)


def batch_norm2d_backward_params(dout, cache):
    """{"w": dw, "b": db}: out = w * xhat + b, so dw = sum of dout * xhat and db = sum of dout over n, y and x.

    dw, db  (C,), summed in float64
    """
    dw, db = current().batch_norm_backward_params(dout, cache.x, cache.mean, cache.inverse_std)
    return {"w": dw.astype(dout.dtype), "b": db.astype(dout.dtype)}


def _check_channels(x_shape, C):
    if len(x_shape) < 2:
        raise ShapeError(f"x has no channels: its dimensions are (N, C, ...) (x {show(x_shape)})")
    if x_shape[1] != C:
        raise ShapeError(f"x has C={x_shape[1]}, w expects {C} (x {show(x_shape)}, w {show((C,))})")


class BatchNorm2d(Layer):
    """Batch normalisation with scales w, shifts b and running statistics (C,); see `batch_norm2d_forward`.

    A forward in training also moves the running statistics towards the batch's, in place, so that evaluation
    sees what training saw; var unbiased here, divided by M - 1, as in PyTorch:

        running = (1 - momentum) * running + momentum * batch

    Two threads must therefore not train one layer at a time; in evaluation they may share it.
    """

    has_modes = True

    def __init__(self, channels, eps=1e-5, momentum=0.1):
        super().__init__()
        check_sizes(channels=channels)
        check_number("eps", eps, lambda v: 0 < v < float("inf"), "a number above 0")
        check_number("momentum", momentum, lambda v: 0 <= v <= 1, "a number in [0, 1]")
        self.eps, self.momentum = float(eps), float(momentum)
        self.param_shapes = {"w": (channels,), "b": (channels,)}
        self.buffer_shapes = {"running_mean": (channels,), "running_var": (channels,)}

    def draw(self, name, shape, rng):
        """Ones for w and running_var, zeros for the others: before training, evaluation is nearly the identity."""
        return (np.ones if name in ("w", "running_var") else np.zeros)(shape, np.float32)

    def forward(self, x, train=False, rng=None):
        arrays = [self.array(name) for name in ("w", "b", "running_mean", "running_var")]
        out, cache = batch_norm2d_forward(x, *arrays, train, self.eps)
        if train:
            M = x.size // x.shape[1]
            self._update("running_mean", cache.mean)
            self._update("running_var", cache.var * (M / (M - 1)))
        return out, cache

    def _update(self, name, batch):
        running = self.buffers[name]
        if not getattr(running.flags, "writeable", True):
            raise MinicnnError(f"{name} is read-only: a frozen net cannot run with train=True")
        running[:] = (1 - self.momentum) * running + self.momentum * batch

    backward_input = staticmethod(batch_norm2d_backward)
    backward_params = staticmethod(batch_norm2d_backward_params)

    def out_shape(self, shape):
        _check_channels(shape, self.param_shapes["w"][0])
        return shape

    def describe(self):
        text = f"{self.param_shapes['w'][0]}"
        for name, plain in (("eps", 1e-5), ("momentum", 0.1)):
            if getattr(self, name) != plain:
                text += f", {name} {getattr(self, name):g}"
        return text


CASES = [
    (BatchNorm2d(3), (2, 3, 2, 3)),
    (BatchNorm2d(1, eps=0.1), (2, 1, 1, 1)),
    (BatchNorm2d(2), (1, 2, 5, 1)),
    (BatchNorm2d(2), (3, 2)),
    (BatchNorm2d(2), (2, 2, 3)),
]
