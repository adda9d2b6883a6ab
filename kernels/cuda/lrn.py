"""Local response normalisation across channels, and its gradient.

    scale[n, c] = k + alpha/size * sum of x[n, c']^2 over c' in [c - size//2, c + (size-1)//2], out = x * scale^-beta
    dx[c'] = dout[c'] * scale[c']^-beta - factor * x[c'] * sum of (dout*x*scale^(-beta-1))[c] over the c that read c'

where factor = 2*alpha*beta/size.

x, out, scale, dout, dx     (N, C, H, W); the rungs see them as (N, C, P)

Forward moves 12 bytes a float32 number, if a number comes from memory once and not once a window; `size` additions and
products and a power, for the papers' beta of 3/4 by two square roots. Backward moves 16 bytes. No rung adds the number
that enters the window and takes off the one that leaves: small sums would keep the rounding of large ones, and a NaN or
an infinity would never leave.
Krizhevsky, Sutskever & Hinton, NIPS 2012, section 3.3
"""

import math

import numba
from numba import cuda

from ..shapes import check_dout, check_float, check_ndim, check_same
from .device import contiguous, empty
from .launch import MOST_ROWS, covering, kernel
from .planes import planes
from .raw import Source
from .rungs import Ladder
from .window import by_image, within_int

FORWARD, BACKWARD = Ladder("lrn_forward"), Ladder("lrn_backward")
SOURCE = Source("lrn")

# A block's tile: PIXELS side by side, TILE channels, and as many more as windows may reach to both sides together.
PIXELS, TILE, REACH = 32, 32, 16
LINES = TILE + REACH
ROWS = 8  # of a block's threads
SLIDE = 8  # channels of a thread in CUDA C, with windows of SLIDING channels
SLIDING = 5
# So many threads fill a large card; where there are more, each takes 16 bytes at once.
ENOUGH = 2**17


def lrn_forward(x, size, alpha, beta, k):
    check_ndim("x", x.shape, 4)
    check_float(x=x)
    out, scale = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    constants = [x.dtype.type(v) for v in (alpha / size, beta, k)]
    FORWARD(planes(contiguous(x)), size, *constants, planes(scale), planes(out))
    return out, scale


def lrn_backward(dout, x, scale, size, alpha, beta):
    check_dout(dout, x.shape, x=x, scale=scale)
    check_same("scale", scale.shape, "x", x.shape)
    dx = empty(x.shape, x.dtype)
    arrays = [planes(contiguous(a)) for a in (dout, x, scale)]
    BACKWARD(*arrays, size, x.dtype.type(2 * alpha * beta / size), x.dtype.type(beta), planes(dx))
    return dx


def _tiles(x):
    """(grid, block) of tiles of PIXELS and TILE channels; the same tile of several images is a block's."""
    N, C, P = x.shape
    return (-(-P // PIXELS), -(-C // TILE), min(N, MOST_ROWS)), (PIXELS, ROWS)


def _slides(x, nbytes):
    """(whether a thread takes so many bytes of neighbouring places, grid, block), for SLIDE channels a thread."""
    N, C, P = x.shape
    width = nbytes // x.itemsize
    wide = P % width == 0 and N * -(-C // SLIDE) * P // width >= ENOUGH
    return wide, *by_image(-(-C // SLIDE) * (P // width if wide else P), N)


def _reaches(size):
    return size - 1 <= REACH


@cuda.jit(device=True, inline="always")
def _scaled(value, scale, beta):
    """value * scale^-beta"""
    if beta == 0.75:
        root = math.sqrt(scale)
        return value / (root * math.sqrt(root))
    return value * scale**-beta


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_each")
def forward_one_each(x, size, factor, beta, k, scale, out):
    """1. One thread a number, which reads `size` channels."""
    _forward[covering(out.size)](x, size, factor, beta, k, scale, out)


@FORWARD.numba("tiles", fits=lambda x, size, *rest: _reaches(size))
def forward_tiles(x, size, factor, beta, k, scale, out):
    """2. A block brings a tile of channels into shared memory, where each of its numbers is read `size` times."""
    _forward_tiles[_tiles(x)](x, size, factor, beta, k, scale, out)


@FORWARD.cuda_c("sliding", fits=lambda x, *rest: within_int(x))
def forward_sliding(x, size, factor, beta, k, scale, out):
    """3. In CUDA C: a thread loads 12 channels together, 16 bytes each, and a window of 5 slides over its registers."""
    N, C, P = x.shape
    if size == SLIDING:
        wide, *geometry = _slides(x, 16)
        launch = SOURCE(x.dtype).lrn_forward_wide if wide else SOURCE(x.dtype).lrn_forward_sliding
        launch[geometry](x, N, C, P, factor, beta, k, scale, out)
    else:
        SOURCE(x.dtype).lrn_forward[by_image(C * P, N)](x, N, C, P, size, factor, beta, k, scale, out)


@kernel(lambda T: (T[:, :, ::1], numba.int64, T, T, T, T[:, :, ::1], T[:, :, ::1]))
def _forward(x, size, factor, beta, k, scale, out):
    _, C, P = x.shape
    at = cuda.grid(1)
    if at < out.size:
        p, c, n = at % P, at // P % C, at // (P * C)
        total = x.dtype.type(0)
        for other in range(max(c - size // 2, 0), min(c + (size - 1) // 2 + 1, C)):
            total += x[n, other, p] * x[n, other, p]
        total = k + factor * total
        scale[n, c, p] = total
        out[n, c, p] = _scaled(x[n, c, p], total, beta)


@kernel(lambda T: (T[:, :, ::1], numba.int64, T, T, T, T[:, :, ::1], T[:, :, ::1]))
def _forward_tiles(x, size, factor, beta, k, scale, out):
    tile = cuda.shared.array((LINES, PIXELS), x.dtype)
    N, C, P = x.shape
    lane, line = cuda.threadIdx.x, cuda.threadIdx.y
    p, first = cuda.blockIdx.x * PIXELS + lane, cuda.blockIdx.y * TILE
    zero = x.dtype.type(0)
    for n in range(cuda.blockIdx.z, N, cuda.gridDim.z):
        for row in range(line, TILE + size - 1, ROWS):
            c = first + row - size // 2
            tile[row, lane] = x[n, c, p] if 0 <= c < C and p < P else zero
        cuda.syncthreads()
        for row in range(line, min(TILE, C - first), ROWS):
            total = zero
            for d in range(size):
                total += tile[row + d, lane] * tile[row + d, lane]
            total = k + factor * total
            if p < P:
                scale[n, first + row, p] = total
                out[n, first + row, p] = _scaled(tile[row + size // 2, lane], total, beta)
        cuda.syncthreads()


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_each")
def backward_one_each(dout, x, scale, size, factor, beta, dx):
    """1. One thread a number, which computes the power of `size` channels."""
    _backward[covering(dx.size)](dout, x, scale, size, factor, beta, dx)


@BACKWARD.numba("tiles", fits=lambda dout, x, scale, size, *rest: _reaches(size))
def backward_tiles(dout, x, scale, size, factor, beta, dx):
    """2. What goes through a channel's scale is computed once, for a tile of channels in shared memory."""
    _backward_tiles[_tiles(x)](dout, x, scale, size, factor, beta, dx)


@BACKWARD.cuda_c("sliding", fits=lambda dout, *rest: within_int(dout))
def backward_sliding(dout, x, scale, size, factor, beta, dx):
    """3. In CUDA C: a thread loads 12 channels together, 8 bytes each, and a window of 5 slides over its registers."""
    N, C, P = x.shape
    if size == SLIDING:
        wide, *geometry = _slides(x, 8)
        launch = SOURCE(x.dtype).lrn_backward_wide if wide else SOURCE(x.dtype).lrn_backward_sliding
        launch[geometry](dout, x, scale, N, C, P, factor, beta, dx)
    else:
        SOURCE(x.dtype).lrn_backward[by_image(C * P, N)](dout, x, scale, N, C, P, size, factor, beta, dx)


# scale[c] reads the channels c - size//2 .. c + (size-1)//2: c is read by the mirrored window.


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], T[:, :, ::1], numba.int64, T, T, T[:, :, ::1]))
def _backward(dout, x, scale, size, factor, beta, dx):
    _, C, P = x.shape
    at = cuda.grid(1)
    if at < dx.size:
        p, c, n = at % P, at // P % C, at // (P * C)
        through = x.dtype.type(0)
        for other in range(max(c - (size - 1) // 2, 0), min(c + size // 2 + 1, C)):
            over = scale[n, other, p]
            through += _scaled(dout[n, other, p] * x[n, other, p], over, beta) / over
        dx[n, c, p] = _scaled(dout[n, c, p], scale[n, c, p], beta) - factor * x[n, c, p] * through


@kernel(lambda T: (T[:, :, ::1], T[:, :, ::1], T[:, :, ::1], numba.int64, T, T, T[:, :, ::1]))
def _backward_tiles(dout, x, scale, size, factor, beta, dx):
    tile = cuda.shared.array((LINES, PIXELS), x.dtype)
    N, C, P = x.shape
    lane, line = cuda.threadIdx.x, cuda.threadIdx.y
    p, first = cuda.blockIdx.x * PIXELS + lane, cuda.blockIdx.y * TILE
    zero = x.dtype.type(0)
    for n in range(cuda.blockIdx.z, N, cuda.gridDim.z):
        for row in range(line, TILE + size - 1, ROWS):
            c, through = first + row - (size - 1) // 2, zero
            if 0 <= c < C and p < P:
                over = scale[n, c, p]
                through = _scaled(dout[n, c, p] * x[n, c, p], over, beta) / over
            tile[row, lane] = through
        cuda.syncthreads()
        for row in range(line, min(TILE, C - first), ROWS):
            if p < P:
                c, through = first + row, zero
                for d in range(size):
                    through += tile[row + d, lane]
                direct = _scaled(dout[n, c, p], scale[n, c, p], beta)
                dx[n, c, p] = direct - factor * x[n, c, p] * through
        cuda.syncthreads()
