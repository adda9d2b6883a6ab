"""Dropout."""

from typing import Any, NamedTuple

import numpy as np

from ..kernels import current
from ..kernels.errors import MinicnnError
from ..kernels.shapes import check_dout, check_float
from .base import Layer
from .checks import check_number


class DropoutCache(NamedTuple):
    kept: Any  # bool, x's shape; None where nothing was dropped
    p: float
    x_shape: tuple


def dropout_forward(x, p=0.5, train=False, rng=None):
    """Inverted dropout: out = x / (1 - p) where kept, else 0; in evaluation out = x.

    x, out  any shape, float32 or float64
    p       probability of being dropped, in [0, 1)
    rng     np.random.Generator, needed in training; a value is kept where rng.random() >= p
    cache   kept, bool, x's shape
    Raises MinicnnError in training without rng: what is drawn must be repeatable.
    Srivastava et al., JMLR 2014
    """
    check_float(x=x)
    if not train:
        return x, DropoutCache(None, p, x.shape)
    if not isinstance(rng, np.random.Generator):
        raise MinicnnError(f"dropout in training needs rng, a np.random.Generator, not {rng!r}")
    kept = current().to_device(rng.random(x.shape) >= p)
    return _scaled_where(kept, x, p), DropoutCache(kept, p, x.shape)


def dropout_backward(dout, cache):
    """dx = dout / (1 - p) where kept, else 0: out = x / (1 - p) or nothing. In evaluation dx = dout.

    dout, dx  x's shape
    """
    check_dout(dout, cache.x_shape)
    return dout if cache.kept is None else _scaled_where(cache.kept, dout, cache.p)


def _scaled_where(kept, x, p):
    return current().xp.where(kept, x / (1 - p), x.dtype.type(0))


class Dropout(Layer):
    """Dropout in training, the identity in evaluation; see `dropout_forward`."""

    has_modes = True

    def __init__(self, p=0.5):
        super().__init__()
        check_number("p", p, lambda v: 0 <= v < 1, "a probability in [0, 1)")
        self.p = float(p)

    def forward(self, x, train=False, rng=None):
        return dropout_forward(x, self.p, train, rng)

    backward_input = staticmethod(dropout_backward)

    def out_shape(self, shape):
        return shape

    def describe(self):
        return f"p {self.p:g}"


CASES = [(Dropout(), (4, 5)), (Dropout(p=0.2), (2, 3, 1, 4)), (Dropout(p=0), (3, 2))]
