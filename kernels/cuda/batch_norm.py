"""Batch normalisation: out = (x - mean) * inverse_std * w + b, every channel with its own, and the gradient of x.

    dx = w * inverse_std * dout                                 of constant mean and inverse_std
    dx = w * inverse_std * (dout - db / M - xhat * dw / M)      of the batch's own, which read x too

x, out, dout, dx           (N, C, ...); the rungs see them as (N, C, P)
mean, inverse_std, dw, db  (C,) float64; w, b (C,) of x's dtype

Nothing but memory counts: forward moves 8 bytes a float32 number for a handful of operations, backward 12. The sums
stand in batch_norm_sums.py.
"""

import numba
from numba import cuda

from ..shapes import check_channels, check_dout, check_float
from .device import contiguous, empty
from .launch import covering, kernel
from .planes import doubles, planes, wide
from .raw import Source
from .rungs import Ladder
from .window import by_image, within_int

FORWARD, BACKWARD = Ladder("batch_norm_forward"), Ladder("batch_norm_backward_input")
SOURCE = Source("batch_norm")

_VECTOR = numba.float64[::1]


def batch_norm_forward(x, mean, inverse_std, w, b):
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, b=b)
    check_float(x=x, w=w, b=b)
    out = empty(x.shape, x.dtype)
    FORWARD(planes(contiguous(x)), *doubles(mean, inverse_std), contiguous(w), contiguous(b), planes(out))
    return out


def batch_norm_backward_input(dout, x, mean, inverse_std, w, sums):
    check_dout(dout, x.shape, x=x, w=w)
    dw, db = sums or (None, None)
    check_channels("x", x.shape, mean=mean, inverse_std=inverse_std, w=w, dw=dw, db=db)
    dx = empty(x.shape, x.dtype)
    vectors = *doubles(mean, inverse_std), contiguous(w), *(doubles(dw, db) if sums else (None, None))
    BACKWARD(planes(contiguous(dout)), planes(contiguous(x)), *vectors, planes(dx))
    return dx


def _by_pack(x):
    """(grid, block): a thread for 16 bytes of an image where planes allow it, else for a number."""
    N, C, P = x.shape
    return by_image(C * P // (16 // x.itemsize if wide(x) else 1), N)


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_each")
def forward_one_each(x, mean, inverse_std, w, b, out):
    """1. One thread a number, in float64 as the definition says."""
    _forward[covering(out.size)](x, mean, inverse_std, w, b, out)


@FORWARD.numba("constants_once")
def forward_constants_once(x, mean, inverse_std, w, b, out):
    """2. The channel's constants once for several images, in float64; then x's own precision, a product and a sum."""
    N, C, P = x.shape
    _forward_constants_once[by_image(C * P, N)](x, mean, inverse_std, w, b, out)


@FORWARD.cuda_c("vectors", fits=lambda x, *rest: within_int(x))
def forward_vectors(x, mean, inverse_std, w, b, out):
    """3. In CUDA C, 16 bytes at once where planes allow it."""
    N, C, P = x.shape
    SOURCE(x.dtype).batch_norm_forward[_by_pack(x)](x, mean, inverse_std, w, b, N, C, P, wide(x), out)


@kernel(lambda T: (T[:, :, ::1], _VECTOR, _VECTOR, T[::1], T[::1], T[:, :, ::1]))
def _forward(x, mean, inverse_std, w, b, out):
    _, C, P = x.shape
    at = cuda.grid(1)
    if at < out.size:
        p, c, n = at % P, at // P % C, at // (P * C)
        out[n, c, p] = (x[n, c, p] - mean[c]) * inverse_std[c] * w[c] + b[c]


@kernel(lambda T: (T[:, :, ::1], _VECTOR, _VECTOR, T[::1], T[::1], T[:, :, ::1]))
def _forward_constants_once(x, mean, inverse_std, w, b, out):
    N, C, P = x.shape
    at, number = cuda.grid(1), x.dtype.type
    if at < C * P:
        c, p = at // P, at % P
        # The mean in two parts: what x's precision holds of it is taken off x, the rest comes with the shift.
        near = number(mean[c])
        scale = inverse_std[c] * w[c]
        shift, scale = number(b[c] - (mean[c] - near) * scale), number(scale)
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            out[n, c, p] = (x[n, c, p] - near) * scale + shift


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_each")
def backward_one_each(dout, x, mean, inverse_std, w, dw, db, dx):
    """1. One thread a number, in float64 as the definition says."""
    if dw is None:
        _scale[covering(dx.size)](dout, inverse_std, w, dx)
    else:
        _backward[covering(dx.size)](dout, x, mean, inverse_std, w, dw, db, dx)


@BACKWARD.numba("constants_once")
def backward_constants_once(dout, x, mean, inverse_std, w, dw, db, dx):
    """2. The channel's constants once for several images, in float64; then x's own precision."""
    N, C, P = x.shape
    if dw is None:
        _scale_constants_once[by_image(C * P, N)](dout, inverse_std, w, dx)
    else:
        _backward_constants_once[by_image(C * P, N)](dout, x, mean, inverse_std, w, dw, db, dx)


@BACKWARD.cuda_c("vectors", fits=lambda dout, *rest: within_int(dout))
def backward_vectors(dout, x, mean, inverse_std, w, dw, db, dx):
    """3. In CUDA C, 16 bytes at once where planes allow it."""
    sizes = *x.shape, wide(x)
    if dw is None:
        SOURCE(x.dtype).batch_norm_scale[_by_pack(x)](dout, inverse_std, w, *sizes, dx)
    else:
        SOURCE(x.dtype).batch_norm_backward[_by_pack(x)](dout, x, mean, inverse_std, w, dw, db, *sizes, dx)


@kernel(lambda T: (T[:, :, ::1], _VECTOR, T[::1], T[:, :, ::1]))
def _scale(dout, inverse_std, w, dx):
    _, C, P = dout.shape
    at = cuda.grid(1)
    if at < dx.size:
        p, c, n = at % P, at // P % C, at // (P * C)
        dx[n, c, p] = dout[n, c, p] * (w[c] * inverse_std[c])


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], _VECTOR, _VECTOR, T[::1], _VECTOR, _VECTOR, T[:, :, ::1]))
def _backward(dout, x, mean, inverse_std, w, dw, db, dx):
    N, C, P = x.shape
    at = cuda.grid(1)
    if at < dx.size:
        p, c, n = at % P, at // P % C, at // (P * C)
        xhat = (x[n, c, p] - mean[c]) * inverse_std[c]
        moving = dout[n, c, p] - db[c] / (N * P) - xhat * dw[c] / (N * P)
        dx[n, c, p] = moving * (w[c] * inverse_std[c])


@kernel(lambda T: (T[:, :, ::1], _VECTOR, T[::1], T[:, :, ::1]))
def _scale_constants_once(dout, inverse_std, w, dx):
    N, C, P = dout.shape
    at = cuda.grid(1)
    if at < C * P:
        c, p = at // P, at % P
        scale = dout.dtype.type(inverse_std[c] * w[c])
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            dx[n, c, p] = dout[n, c, p] * scale


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], _VECTOR, _VECTOR, T[::1], _VECTOR, _VECTOR, T[:, :, ::1]))
def _backward_constants_once(dout, x, mean, inverse_std, w, dw, db, dx):
    N, C, P = x.shape
    at, number = cuda.grid(1), x.dtype.type
    if at < C * P:
        c, p = at // P, at % P
        near, steep = number(mean[c]), inverse_std[c] * dw[c] / (N * P)
        shift = number(db[c] / (N * P) - (mean[c] - near) * steep)
        stretch, scale = number(steep), number(inverse_std[c] * w[c])
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            dx[n, c, p] = (dout[n, c, p] - shift - (x[n, c, p] - near) * stretch) * scale
