"""Max pooling: out = max of x over the window; ties go to the first, a NaN wins. Backward: dout goes where the max was.

    dx[n, c, y, column] = sum of dout over the windows whose argmax is (y, column)

x, dx                (N, C, H, W); padding counts as -inf and is chosen only where a window holds nothing else
out, dout, argmax    (N, C, OH, OW); argmax int32, i*KW + j inside the window: the "switches" of Zeiler & Fergus

Forward reads x once, if overlapping windows find their neighbours' cells in the cache, and writes 8 bytes a window;
KH*KW comparisons a window. Backward is a gather: a thread owns a number of dx and asks the windows that read it.
"""

import math

import numba
from numba import cuda

from ..shapes import check_float, check_ndim, check_pooled, check_same, window_output
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .reduce import WARP
from .rungs import Ladder
from .window import FOUR, PAIR, by_image, first_reader, halves, inside, jumps, large, numbers, within_int

FORWARD, BACKWARD = Ladder("max_pool2d_forward"), Ladder("max_pool2d_backward")
SOURCE = Source("max_pool")


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    check_ndim("x", x.shape, 4)
    check_float(x=x)
    hw = window_output(x.shape[2:], kernel, stride, pad, dilation, ceil_mode)
    out, argmax = empty((*x.shape[:2], *hw), x.dtype), empty((*x.shape[:2], *hw), "int32")
    FORWARD(contiguous(x), kernel, stride, pad, dilation, argmax, out)
    return out, argmax


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    check_pooled(dout, x_shape, kernel, stride, pad, dilation)
    check_same("argmax", argmax.shape, "dout", dout.shape)
    dx = empty(x_shape, dout.dtype)
    argmax = contiguous(argmax.astype("int32", copy=False))
    BACKWARD(contiguous(dout), argmax, kernel, stride, pad, dilation, dx)
    return dx


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_each")
def forward_one_each(x, kernel, stride, pad, dilation, argmax, out):
    """1. One thread a window, which asks of every cell whether it lies in the image."""
    _forward[covering(out.size)](x, kernel, stride, pad, dilation, argmax, out)


@FORWARD.numba("cut")
def forward_cut(x, kernel, stride, pad, dilation, argmax, out):
    """2. The window is cut to the image first: no question in the loop; the divisions once for several images."""
    N, C, OH, OW = out.shape
    _forward_cut[by_image(C * OH * OW, N)](x, kernel, stride, pad, dilation, argmax, out)


@FORWARD.cuda_c("unrolled", fits=lambda x, *rest: within_int(x, rest[-1]))
def forward_unrolled(x, kernel, stride, pad, dilation, argmax, out):
    """3. In CUDA C: 2x2 cells side by side by 16 bytes a row; 3x3 with nine loads under way; large windows a warp."""
    N, C, OH, OW = out.shape
    if halves(x, kernel, stride, pad, out) and dilation == (1, 1):
        geometry = by_image(C * OH * (x.shape[3] * x.itemsize // 16), N)
        SOURCE(x.dtype).max_pool_forward_halves[geometry](x, N, *x.shape[1:], OH, argmax, out)
        return
    sizes = numbers(x.shape, kernel, stride, pad, dilation, (OH, OW))
    if large(kernel, out):
        SOURCE(x.dtype).max_pool_forward_warps[by_image(C * OH * OW * WARP, N)](x, *sizes, argmax, out)
    else:
        SOURCE(x.dtype).max_pool_forward[by_image(C * OH * OW, N)](x, *sizes, argmax, out)


_ARGMAX = numba.int32[:, :, :, ::1]


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, PAIR, _ARGMAX, T[:, :, :, ::1]))
def _forward(x, kernel, stride, pad, dilation, argmax, out):
    (_, C, H, W), (_, _, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < out.size:
        ox, oy = at % OW, at // OW % OH
        c, n = at // (OH * OW) % C, at // (OH * OW * C)
        best, arg = x.dtype.type(-math.inf), -1
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                y = oy * stride[0] - pad[0] + i * dilation[0]
                column = ox * stride[1] - pad[2] + j * dilation[1]
                if 0 <= y < H and 0 <= column < W:
                    value = x[n, c, y, column]
                    # The first real cell, a larger one, or the first NaN, with which no comparison is true.
                    if arg < 0 or value > best or (value != value and best == best):
                        best, arg = value, i * kernel[1] + j
        out[n, c, oy, ox] = best
        argmax[n, c, oy, ox] = max(arg, 0)


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, PAIR, _ARGMAX, T[:, :, :, ::1]))
def _forward_cut(x, kernel, stride, pad, dilation, argmax, out):
    (N, C, H, W), (_, _, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < C * OH * OW:
        c, oy, ox = at // (OH * OW), at // OW % OH, at % OW
        top, left = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        first_i, last_i = inside(top, dilation[0], H, kernel[0])
        first_j, last_j = inside(left, dilation[1], W, kernel[1])
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            best, arg = x.dtype.type(-math.inf), 0
            if first_i < last_i and first_j < last_j:
                arg = first_i * kernel[1] + first_j
            for i in range(first_i, last_i):
                for j in range(first_j, last_j):
                    value = x[n, c, top + i * dilation[0], left + j * dilation[1]]
                    if value > best or (value != value and best == best):
                        best, arg = value, i * kernel[1] + j
            out[n, c, oy, ox] = best
            argmax[n, c, oy, ox] = arg


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_each")
def backward_one_each(dout, argmax, kernel, stride, pad, dilation, dx):
    """1. One thread a number of dx, which asks of each of the KH*KW cells whether a window reads it there."""
    _backward[covering(dx.size)](dout, argmax, kernel, stride, pad, dilation, dx)


@BACKWARD.numba("readers")
def backward_readers(dout, argmax, kernel, stride, pad, dilation, dx):
    """2. From one window that reads the number straight to the next: under a stride s one cell in s, no division."""
    N, C, H, W = dx.shape
    jump, back = jumps(stride, dilation)
    _backward_readers[by_image(C * H * W, N)](dout, argmax, kernel, stride, pad, dilation, jump, back, dx)


@BACKWARD.cuda_c("halves", fits=lambda dout, *rest: within_int(dout, rest[-1]))
def backward_halves(dout, argmax, kernel, stride, pad, dilation, dx):
    """3. In CUDA C: 2x2 cells side by side are read once and fill 16 bytes of each of two rows; the rest as before."""
    (N, C, H, W), (OH, OW) = dx.shape, dout.shape[2:]
    if halves(dx, kernel, stride, pad, dout) and dilation == (1, 1) and 2 * OH == H:
        geometry = by_image(C * OH * (W * dx.itemsize // 16), N)
        SOURCE(dx.dtype).max_pool_backward_halves[geometry](dout, argmax, N, C, OH, W, dx)
        return
    sizes = numbers(dx.shape, kernel, stride, pad, dilation, (OH, OW))
    SOURCE(dx.dtype).max_pool_backward[by_image(C * H * W, N)](dout, argmax, *sizes, *jumps(stride, dilation)[0], dx)


@kernel(lambda T: (T[:, :, :, ::1], _ARGMAX, PAIR, PAIR, FOUR, PAIR, T[:, :, :, ::1]))
def _backward(dout, argmax, kernel, stride, pad, dilation, dx):
    (_, C, H, W), (_, _, OH, OW) = dx.shape, dout.shape
    at = cuda.grid(1)
    if at < dx.size:
        column, y = at % W, at // W % H
        c, n = at // (H * W) % C, at // (H * W * C)
        total = dx.dtype.type(0)
        for i in range(kernel[0]):
            down = y + pad[0] - i * dilation[0]
            for j in range(kernel[1]):
                right = column + pad[2] - j * dilation[1]
                if down % stride[0] == 0 and right % stride[1] == 0:
                    oy, ox = down // stride[0], right // stride[1]
                    if 0 <= oy < OH and 0 <= ox < OW and argmax[n, c, oy, ox] == i * kernel[1] + j:
                        total += dout[n, c, oy, ox]
        dx[n, c, y, column] = total


@kernel(lambda T: (T[:, :, :, ::1], _ARGMAX, PAIR, PAIR, FOUR, PAIR, PAIR, PAIR, T[:, :, :, ::1]))
def _backward_readers(dout, argmax, kernel, stride, pad, dilation, jump, back, dx):
    (N, C, H, W), (_, _, OH, OW) = dx.shape, dout.shape
    at = cuda.grid(1)
    if at < C * H * W:
        c, y, column = at // (H * W), at // W % H, at % W
        first_i, first_oy = first_reader(y + pad[0], kernel[0], stride[0], dilation[0], jump[0])
        first_j, first_ox = first_reader(column + pad[2], kernel[1], stride[1], dilation[1], jump[1])
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            total = dx.dtype.type(0)
            oy = first_oy
            for i in range(first_i, kernel[0], jump[0]):
                if 0 <= oy < OH:
                    ox = first_ox
                    for j in range(first_j, kernel[1], jump[1]):
                        if 0 <= ox < OW and argmax[n, c, oy, ox] == i * kernel[1] + j:
                            total += dout[n, c, oy, ox]
                        ox -= back[1]
                oy -= back[0]
            dx[n, c, y, column] = total
