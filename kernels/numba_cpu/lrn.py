"""Local response normalisation across channels."""

import numpy as np

from ..shapes import check_dout, check_ndim, check_same
from .jit import jit


def lrn_forward(x, size, alpha, beta, k):
    check_ndim("x", x.shape, 4)
    x = np.ascontiguousarray(x)
    scale = _add_channels(x * x, size // 2, (size - 1) // 2)
    scale *= alpha / size
    scale += k
    out = scale**-beta
    out *= x
    return out, scale


def lrn_backward(dout, x, scale, size, alpha, beta):
    check_dout(dout, x.shape, x=x, scale=scale)
    check_same("scale", scale.shape, "x", x.shape)
    # out[c] = x[c] * scale[c]^-beta
    dx = scale**-beta
    dx *= dout
    # scale[c] reads the channels c - size//2 .. c + (size-1)//2: channel c' is read by the mirrored window
    through_scale = _add_channels(dx * x / scale, (size - 1) // 2, size // 2)
    through_scale *= x
    through_scale *= 2 * alpha * beta / size
    dx -= through_scale
    return dx


def _add_channels(x, before, after):
    """Each channel's sum with its neighbours c - before .. c + after, those that exist."""
    N, C, H, W = x.shape
    rows = np.ascontiguousarray(x).reshape(N, C, H * W)
    out = np.empty((N, C, H * W), x.dtype)
    _sum(rows, before, after, out)
    return out.reshape(x.shape)


@jit
def _sum(x, before, after, out):
    """x, out (N, C, P)."""
    N, C, P = x.shape
    for n in range(N):
        for c in range(C):
            first, last = max(c - before, 0), min(c + after + 1, C)
            out[n, c] = x[n, first]
            for neighbour in range(first + 1, last):
                for p in range(P):
                    out[n, c, p] += x[n, neighbour, p]
