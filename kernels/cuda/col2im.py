"""col2im, the adjoint of im2col: every column is added back to where its window was read.

    x[n, c, y, column] = sum of cols over the windows' cells that read (y, column)

cols    (N, C*KH*KW, OH*OW); the rungs see it as (N, C, KH, KW, OH, OW)
x       (N, C, H, W) = x_shape

A gather: a thread owns a number of x and looks for what is added to it, in the same order every time. All of cols is
read once: at stride 1, 4 * KH*KW bytes and KH*KW additions for each float32 number of x.
"""

from numba import cuda

from ..shapes import check_cols, check_float
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .window import FOUR, PAIR, by_image, first_reader, jumps, numbers, within_int

COL2IM = Ladder("col2im")
SOURCE = Source("col2im")


def col2im(cols, x_shape, kernel, stride, pad, dilation):
    OH, OW = check_cols(cols, x_shape, kernel, stride, pad, dilation)
    check_float(cols=cols)
    x = empty(x_shape, cols.dtype)
    COL2IM(contiguous(cols).reshape(*x_shape[:2], *kernel, OH, OW), stride, pad, dilation, x)
    return x


@COL2IM.numba("one_each")
def one_each(cols, stride, pad, dilation, out):
    """1. One thread a number of x, which asks of each of the KH*KW cells whether a window reads it there."""
    _one_each[covering(out.size)](cols, stride, pad, dilation, out)


@COL2IM.numba("readers")
def readers(cols, stride, pad, dilation, out):
    """2. From one window that reads the number straight to the next: under a stride s one cell in s, no division."""
    N, C, H, W = out.shape
    _readers[by_image(C * H * W, N)](cols, stride, pad, dilation, *jumps(stride, dilation), out)


@COL2IM.cuda_c("small_numbers", fits=lambda cols, stride, pad, dilation, out: within_int(cols, out))
def small_numbers(cols, stride, pad, dilation, out):
    """3. In CUDA C, places of 32 bits; 16 bytes at once do not pay: windows begin anywhere, neighbours' loads join."""
    (N, C, H, W), (KH, KW, OH, OW) = out.shape, cols.shape[2:]
    sizes = numbers(out.shape, (KH, KW), stride, pad, dilation, (OH, OW))
    SOURCE(out.dtype).col2im[by_image(C * H * W, N)](cols, *sizes, *jumps(stride, dilation)[0], out)


@kernel(lambda T: (T[:, :, :, :, :, ::1], PAIR, FOUR, PAIR, T[:, :, :, ::1]))
def _one_each(cols, stride, pad, dilation, out):
    (_, C, H, W), (_, _, KH, KW, OH, OW) = out.shape, cols.shape
    at = cuda.grid(1)
    if at < out.size:
        column, y = at % W, at // W % H
        c, n = at // (H * W) % C, at // (H * W * C)
        total = out.dtype.type(0)
        for i in range(KH):
            # im2col read y = oy*SH - top + i*DH
            down = y + pad[0] - i * dilation[0]
            for j in range(KW):
                right = column + pad[2] - j * dilation[1]
                if down % stride[0] == 0 and right % stride[1] == 0:
                    oy, ox = down // stride[0], right // stride[1]
                    if 0 <= oy < OH and 0 <= ox < OW:
                        total += cols[n, c, i, j, oy, ox]
        out[n, c, y, column] = total


@kernel(lambda T: (T[:, :, :, :, :, ::1], PAIR, FOUR, PAIR, PAIR, PAIR, T[:, :, :, ::1]))
def _readers(cols, stride, pad, dilation, jump, back, out):
    (N, C, H, W), (_, _, KH, KW, OH, OW) = out.shape, cols.shape
    at = cuda.grid(1)
    if at < C * H * W:
        c, y, column = at // (H * W), at // W % H, at % W
        first_i, first_oy = first_reader(y + pad[0], KH, stride[0], dilation[0], jump[0])
        first_j, first_ox = first_reader(column + pad[2], KW, stride[1], dilation[1], jump[1])
        for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
            total = out.dtype.type(0)
            oy = first_oy
            for i in range(first_i, KH, jump[0]):
                if 0 <= oy < OH:
                    ox = first_ox
                    for j in range(first_j, KW, jump[1]):
                        if 0 <= ox < OW:
                            total += cols[n, c, i, j, oy, ox]
                        ox -= back[1]
                oy -= back[0]
            out[n, c, y, column] = total
