"""Average pooling: out = sum of x over the window / area. Backward: every cell of a window gets dout / area.

area: how many of the window's cells lie inside the image; with count_include_pad inside the image and its padding
(cells that only ceil_mode adds never count); at least 1

x, dx       (N, C, H, W)
out, dout   (N, C, OH, OW)

Forward reads x once, if overlapping windows find their neighbours' cells in the cache; KH*KW additions a window.
Backward is a gather: a thread owns a number of dx and adds up the windows that read it.
"""

import numba
from numba import cuda

from ..shapes import check_float, check_ndim, check_pooled, window_output
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .reduce import WARP, warp_sum
from .rungs import Ladder
from .window import FOUR, PAIR, by_image, halves, inside, large, within_int

FORWARD, BACKWARD = Ladder("avg_pool2d_forward"), Ladder("avg_pool2d_backward")
SOURCE = Source("avg_pool")


def avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad):
    check_ndim("x", x.shape, 4)
    check_float(x=x)
    hw = window_output(x.shape[2:], kernel, stride, pad, (1, 1), ceil_mode)
    out = empty((*x.shape[:2], *hw), x.dtype)
    FORWARD(contiguous(x), kernel, stride, pad, bool(count_include_pad), out)
    return out


def avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad):
    check_pooled(dout, x_shape, kernel, stride, pad)
    dx = empty(x_shape, dout.dtype)
    BACKWARD(contiguous(dout), kernel, stride, pad, bool(count_include_pad), dx)
    return dx


def _numbers(x_shape, kernel, stride, pad, out_hw):
    """N, C, H, W, KH, KW, SH, SW, top, bottom, left, right, OH, OW"""
    return (*x_shape, *kernel, *stride, *pad, *out_hw)


@cuda.jit(device=True, inline="always")
def _extent(start, kernel, size, after, count_include_pad):
    """Along one axis, the window's real cells [first, last), and how many of its cells count."""
    first, last = inside(start, 1, size, kernel)
    counted = last - first
    if count_include_pad:
        counted = min(kernel, size + after - start)
    return first, last, counted


# Forward ---------------------------------------------------------------------------------------------------------


@FORWARD.numba("one_each")
def forward_one_each(x, kernel, stride, pad, count_include_pad, out):
    """1. One thread a window, which asks of every cell whether it lies in the image."""
    _forward[covering(out.size)](x, kernel, stride, pad, count_include_pad, out)


@FORWARD.numba("cut")
def forward_cut(x, kernel, stride, pad, count_include_pad, out):
    """2. The window is cut to the image first: no question in the loop; the divisions once for several images."""
    N, C, OH, OW = out.shape
    _forward_cut[by_image(C * OH * OW, N)](x, kernel, stride, pad, count_include_pad, out)


@FORWARD.numba("warps")
def forward_warps(x, kernel, stride, pad, count_include_pad, out):
    """3. A large window, as of global pooling, has a warp, whose threads read neighbours; a small one as before."""
    if large(kernel, out):
        _forward_warps[covering(out.size * WARP)](x, kernel, stride, pad, count_include_pad, out)
    else:
        forward_cut(x, kernel, stride, pad, count_include_pad, out)


@FORWARD.cuda_c("halves", fits=lambda x, *rest: within_int(x, rest[-1]))
def forward_halves(x, kernel, stride, pad, count_include_pad, out):
    """4. In CUDA C, places of 32 bits; 2x2 cells side by side by 16 bytes a row; other windows begin anywhere."""
    N, C, OH, OW = out.shape
    if halves(x, kernel, stride, pad, out):
        geometry = by_image(C * OH * (x.shape[3] * x.itemsize // 16), N)
        SOURCE(x.dtype).avg_pool_forward_halves[geometry](x, N, *x.shape[1:], OH, out)
        return
    arguments = x, *_numbers(x.shape, kernel, stride, pad, (OH, OW)), count_include_pad, out
    if large(kernel, out):
        SOURCE(x.dtype).avg_pool_forward_warps[by_image(C * OH * OW * WARP, N)](*arguments)
    else:
        SOURCE(x.dtype).avg_pool_forward[by_image(C * OH * OW, N)](*arguments)


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, numba.boolean, T[:, :, :, ::1]))
def _forward(x, kernel, stride, pad, count_include_pad, out):
    (_, C, H, W), (_, _, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < out.size:
        ox, oy = at % OW, at // OW % OH
        c, n = at // (OH * OW) % C, at // (OH * OW * C)
        top, left = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        total, area = x.dtype.type(0), 0
        for y in range(top, top + kernel[0]):
            for column in range(left, left + kernel[1]):
                real = 0 <= y < H and 0 <= column < W
                if real:
                    total += x[n, c, y, column]
                if real or (count_include_pad and y < H + pad[1] and column < W + pad[3]):
                    area += 1
        out[n, c, oy, ox] = total / x.dtype.type(max(area, 1))


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, numba.boolean, T[:, :, :, ::1]))
def _forward_cut(x, kernel, stride, pad, count_include_pad, out):
    (N, C, H, W), (_, _, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < C * OH * OW:
        c, oy, ox = at // (OH * OW), at // OW % OH, at % OW
        top, left = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        first_i, last_i, high = _extent(top, kernel[0], H, pad[1], count_include_pad)
        first_j, last_j, broad = _extent(left, kernel[1], W, pad[3], count_include_pad)
        area = x.dtype.type(max(high * broad, 1))
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            total = x.dtype.type(0)
            for i in range(first_i, last_i):
                for j in range(first_j, last_j):
                    total += x[n, c, top + i, left + j]
            out[n, c, oy, ox] = total / area


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, numba.boolean, T[:, :, :, ::1]))
def _forward_warps(x, kernel, stride, pad, count_include_pad, out):
    (_, C, H, W), (_, _, OH, OW) = x.shape, out.shape
    # Past the last window a warp takes that one too, since all threads of a block have to meet in the sum.
    at = min(cuda.grid(1) // WARP, out.size - 1)
    ox, oy = at % OW, at // OW % OH
    c, n = at // (OH * OW) % C, at // (OH * OW * C)
    top, left = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
    first_i, last_i, high = _extent(top, kernel[0], H, pad[1], count_include_pad)
    first_j, last_j, broad = _extent(left, kernel[1], W, pad[3], count_include_pad)
    total, real = x.dtype.type(0), last_j - first_j
    for cell in range(cuda.threadIdx.x % WARP, (last_i - first_i) * real, WARP):
        total += x[n, c, top + first_i + cell // real, left + first_j + cell % real]
    total = warp_sum(total)
    if cuda.grid(1) == at * WARP:
        out[n, c, oy, ox] = total / x.dtype.type(max(high * broad, 1))


# Backward --------------------------------------------------------------------------------------------------------


@BACKWARD.numba("one_each")
def backward_one_each(dout, kernel, stride, pad, count_include_pad, dx):
    """1. One thread a number of dx, which asks of each of the KH*KW cells whether a window reads it there."""
    _backward[covering(dx.size)](dout, kernel, stride, pad, count_include_pad, dx)


@BACKWARD.numba("readers")
def backward_readers(dout, kernel, stride, pad, count_include_pad, dx):
    """2. From one window that reads the number straight to the next; the divisions once for several images."""
    N, C, H, W = dx.shape
    _backward_readers[by_image(C * H * W, N)](dout, kernel, stride, pad, count_include_pad, dx)


@BACKWARD.cuda_c("halves", fits=lambda dout, *rest: within_int(dout, rest[-1]))
def backward_halves(dout, kernel, stride, pad, count_include_pad, dx):
    """3. In CUDA C, places of 32 bits; 2x2 cells side by side are read once and fill 16 bytes of each of two rows."""
    (N, C, H, W), hw = dx.shape, dout.shape[2:]
    if halves(dx, kernel, stride, pad, dout) and 2 * hw[0] == H:
        geometry = by_image(C * hw[0] * (W * dx.itemsize // 16), N)
        SOURCE(dx.dtype).avg_pool_backward_halves[geometry](dout, N, C, hw[0], W, dx)
        return
    arguments = dout, *_numbers(dx.shape, kernel, stride, pad, hw), count_include_pad, dx
    SOURCE(dx.dtype).avg_pool_backward[by_image(C * H * W, N)](*arguments)


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, numba.boolean, T[:, :, :, ::1]))
def _backward(dout, kernel, stride, pad, count_include_pad, dx):
    (_, C, H, W), (_, _, OH, OW) = dx.shape, dout.shape
    at = cuda.grid(1)
    if at < dx.size:
        column, y = at % W, at // W % H
        c, n = at // (H * W) % C, at // (H * W * C)
        total = dx.dtype.type(0)
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                top, left = y - i, column - j  # of the window that reads this number in its cell (i, j)
                oy, ox = (top + pad[0]) // stride[0], (left + pad[2]) // stride[1]
                there = top == oy * stride[0] - pad[0] and left == ox * stride[1] - pad[2]
                if there and 0 <= oy < OH and 0 <= ox < OW:
                    _, _, high = _extent(top, kernel[0], H, pad[1], count_include_pad)
                    _, _, broad = _extent(left, kernel[1], W, pad[3], count_include_pad)
                    total += dout[n, c, oy, ox] / dx.dtype.type(high * broad)
        dx[n, c, y, column] = total


@kernel(lambda T: (T[:, :, :, ::1], PAIR, PAIR, FOUR, numba.boolean, T[:, :, :, ::1]))
def _backward_readers(dout, kernel, stride, pad, count_include_pad, dx):
    (N, C, H, W), (_, _, OH, OW) = dx.shape, dout.shape
    at = cuda.grid(1)
    if at < C * H * W:
        c, y, column = at // (H * W), at // W % H, at % W
        down, right = y + pad[0], column + pad[2]
        first_oy, last_oy = max((down - kernel[0]) // stride[0] + 1, 0), min(down // stride[0] + 1, OH)
        first_ox, last_ox = max((right - kernel[1]) // stride[1] + 1, 0), min(right // stride[1] + 1, OW)
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            total = dx.dtype.type(0)
            for oy in range(first_oy, last_oy):
                _, _, high = _extent(oy * stride[0] - pad[0], kernel[0], H, pad[1], count_include_pad)
                for ox in range(first_ox, last_ox):
                    _, _, broad = _extent(ox * stride[1] - pad[2], kernel[1], W, pad[3], count_include_pad)
                    total += dout[n, c, oy, ox] / dx.dtype.type(high * broad)
            dx[n, c, y, column] = total
