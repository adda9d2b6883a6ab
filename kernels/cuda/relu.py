"""ReLU: out = x where x > 0, else 0; NaN stays NaN. Backward: dx = dout where x > 0, else 0.

x, out, dout, dx    any shape; the rungs see them as one long row

Nothing but memory counts: forward moves 8 bytes a float32 number for one comparison, backward 12.
"""

from numba import cuda

from ..shapes import check_dout, check_float
from .device import contiguous, empty
from .launch import covering, kernel, striding
from .raw import Source
from .rungs import Ladder

FORWARD, BACKWARD = Ladder("relu_forward"), Ladder("relu_backward")
SOURCE = Source("relu")


def relu_forward(x):
    check_float(x=x)
    x = contiguous(x)
    out = empty(x.shape, x.dtype)
    FORWARD(x.reshape(-1), out.reshape(-1))
    return out


def relu_backward(dout, x):
    check_dout(dout, x.shape, x=x)
    dout, x = contiguous(dout), contiguous(x)
    dx = empty(x.shape, x.dtype)
    BACKWARD(dout.reshape(-1), x.reshape(-1), dx.reshape(-1))
    return dx


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_each")
def forward_one_each(x, out):
    """1. One thread a number: neighbouring threads read neighbouring numbers, 128 bytes a warp."""
    _forward[covering(out.size)](x, out)


@FORWARD.numba("grid_stride")
def forward_grid_stride(x, out):
    """2. A thread takes every so many numbers: as many blocks as fill the card, each set up once."""
    _forward_striding[striding(out.size)](x, out)


@FORWARD.cuda_c("vectors")
def forward_vectors(x, out):
    """3. In CUDA C, 16 bytes a load: a quarter of the instructions, and more bytes under way at a time."""
    SOURCE(x.dtype).relu_forward[covering(-(-x.nbytes // 16))](x, out, out.size)


@kernel(lambda T: (T[::1], T[::1]))
def _forward(x, out):
    i, zero = cuda.grid(1), x.dtype.type(0)
    if i < out.size:
        value = x[i]
        out[i] = zero if value <= zero else value  # a comparison with NaN is false, so NaN passes


@kernel(lambda T: (T[::1], T[::1]))
def _forward_striding(x, out):
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        value = x[i]
        out[i] = zero if value <= zero else value


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_each")
def backward_one_each(dout, x, dx):
    """1. One thread a number, of the gradient and of x."""
    _backward[covering(dx.size)](dout, x, dx)


@BACKWARD.numba("grid_stride")
def backward_grid_stride(dout, x, dx):
    """2. A thread takes every so many numbers."""
    _backward_striding[striding(dx.size)](dout, x, dx)


@BACKWARD.cuda_c("vectors")
def backward_vectors(dout, x, dx):
    """3. In CUDA C, 16 bytes a load."""
    SOURCE(x.dtype).relu_backward[covering(-(-x.nbytes // 16))](dout, x, dx, dx.size)


@kernel(lambda T: (T[::1], T[::1], T[::1]))
def _backward(dout, x, dx):
    i, zero = cuda.grid(1), x.dtype.type(0)
    if i < dx.size:
        dx[i] = dout[i] if x[i] > zero else zero


@kernel(lambda T: (T[::1], T[::1], T[::1]))
def _backward_striding(dout, x, dx):
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), dx.size, cuda.gridsize(1)):
        dx[i] = dout[i] if x[i] > zero else zero
