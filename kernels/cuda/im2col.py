"""im2col: every window of the image as a column.

    cols[n, (c*KH + i)*KW + j, oy*OW + ox] = x[n, c, oy*SH - top + i*DH, ox*SW - left + j*DW], 0 outside of the image

x       (N, C, H, W)
cols    (N, C*KH*KW, OH*OW); the rungs see it as (N, C, KH, KW, OH, OW)

Nothing is computed. A number of x is read KH*KW times, mostly from the cache, and all of cols is written once: at
stride 1, 4 * KH*KW bytes for each float32 number of x.
"""

from numba import cuda

from ..shapes import check_float, check_ndim, window_output
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .window import FOUR, PAIR, by_image, numbers, within_int

IM2COL = Ladder("im2col")
SOURCE = Source("im2col")


def im2col(x, kernel, stride, pad, dilation):
    check_ndim("x", x.shape, 4)
    check_float(x=x)
    (N, C, H, W), (KH, KW) = x.shape, kernel
    OH, OW = window_output((H, W), kernel, stride, pad, dilation)
    cols = empty((N, C * KH * KW, OH * OW), x.dtype)
    IM2COL(contiguous(x), stride, pad, dilation, cols.reshape(N, C, KH, KW, OH, OW))
    return cols


@IM2COL.numba("one_each")
def one_each(x, stride, pad, dilation, out):
    """1. One thread a number of the columns: neighbouring threads write neighbouring numbers."""
    _one_each[covering(out.size)](x, stride, pad, dilation, out)


@IM2COL.numba("one_a_window")
def one_a_window(x, stride, pad, dilation, out):
    """2. One thread a window of one channel, and all its cells: the divisions once, the window from the cache."""
    (N, C), (OH, OW) = x.shape[:2], out.shape[4:]
    _one_a_window[by_image(C * OH * OW, N)](x, stride, pad, dilation, out)


@IM2COL.cuda_c("packs", fits=lambda x, stride, pad, dilation, out: within_int(x, out))
def packs(x, stride, pad, dilation, out):
    """3. In CUDA C, neighbouring windows a thread, which writes 16 bytes at once where rows allow it."""
    N, C, KH, KW, OH, OW = out.shape
    lanes = 16 // x.itemsize
    wide = OH * OW % lanes == 0
    geometry = by_image(C * OH * OW // (lanes if wide else 1), N)
    SOURCE(x.dtype).im2col[geometry](x, *numbers(x.shape, (KH, KW), stride, pad, dilation, (OH, OW)), wide, out)


@kernel(lambda T: (T[:, :, :, ::1], PAIR, FOUR, PAIR, T[:, :, :, :, :, ::1]))
def _one_each(x, stride, pad, dilation, out):
    (_, C, H, W), (_, _, KH, KW, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < out.size:
        ox, oy = at % OW, at // OW % OH
        row = at // (OH * OW)
        j, i = row % KW, row // KW % KH
        c, n = row // (KH * KW) % C, row // (KH * KW * C)
        y = oy * stride[0] - pad[0] + i * dilation[0]
        column = ox * stride[1] - pad[2] + j * dilation[1]
        value = x.dtype.type(0)
        if 0 <= y < H and 0 <= column < W:
            value = x[n, c, y, column]
        out[n, c, i, j, oy, ox] = value


@kernel(lambda T: (T[:, :, :, ::1], PAIR, FOUR, PAIR, T[:, :, :, :, :, ::1]))
def _one_a_window(x, stride, pad, dilation, out):
    (N, C, H, W), (_, _, KH, KW, OH, OW) = x.shape, out.shape
    at = cuda.grid(1)
    if at < C * OH * OW:
        c, oy, ox = at // (OH * OW), at // OW % OH, at % OW
        top, left = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            for i in range(KH):
                y = top + i * dilation[0]
                for j in range(KW):
                    column = left + j * dilation[1]
                    value = x.dtype.type(0)
                    if 0 <= y < H and 0 <= column < W:
                        value = x[n, c, y, column]
                    out[n, c, i, j, oy, ox] = value
