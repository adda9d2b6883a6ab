"""Local response normalisation across channels."""

from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.shapes import check_float, check_ndim
from .base import Layer
from .checks import check_number, check_sizes


class LRNCache(NamedTuple):
    x: Any
    scale: Any
    size: int
    alpha: float
    beta: float


def lrn_forward(x, size=5, alpha=1e-4, beta=0.75, k=1.0):
    """Every channel divided by the strength of its neighbours.

        scale[n,c] = k + alpha/size * sum of x[n,c']^2 over c' in [c - size//2, c + (size-1)//2]
        out = x * scale^-beta

    x, out  (N, C, H, W) float32 or float64; channels that do not exist count as 0
    cache   x and scale (N, C, H, W)
    Krizhevsky et al., NeurIPS 2012, section 3.3, with alpha divided by size as in Caffe
    """
    check_float(x=x)
    out, scale = current().lrn_forward(x, size, alpha, beta, k)
    return out, LRNCache(x, scale, size, alpha, beta)


def lrn_backward(dout, cache):
    """dx of out = x * scale^-beta, where x is read twice: as itself, and by the scale of its neighbours.

        dx[c'] = dout[c'] * scale[c']^-beta
                 - 2*alpha*beta/size * x[c'] * sum of (dout * x * scale^(-beta-1))[c] over the c that read c'

    dout, dx  (N, C, H, W)
    """
    return current().lrn_backward(dout, *cache)


class LRN(Layer):
    """Local response normalisation across channels; see `lrn_forward`."""

    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        check_sizes(size=size)
        for name, value in (("alpha", alpha), ("beta", beta)):
            check_number(name, value, lambda v: 0 <= v < float("inf"), "a number >= 0")
        # scale must stay above 0: it is raised to a negative power.
        check_number("k", k, lambda v: 0 < v < float("inf"), "a number above 0")
        self.size, self.alpha, self.beta, self.k = int(size), float(alpha), float(beta), float(k)

    def forward(self, x):
        return lrn_forward(x, self.size, self.alpha, self.beta, self.k)

    backward_input = staticmethod(lrn_backward)

    def out_shape(self, shape):
        check_ndim("x", shape, 4)
        return shape

    def describe(self):
        return f"{self.size}, alpha {self.alpha:g}, beta {self.beta:g}, k {self.k:g}"


# The papers' alpha is too small for its part of the gradient to be seen.
CASES = [
    (LRN(alpha=0.5), (2, 7, 1, 2)),
    (LRN(size=2, alpha=1.0, beta=0.5, k=2.0), (1, 3, 2, 3)),
    (LRN(size=5, alpha=0.7), (1, 2, 2, 1)),
]
