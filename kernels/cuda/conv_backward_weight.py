"""The gradient of a convolution's weights: each weight gathers all the products that it took part in.

    dw[g*FG + f, c, i, j] = sum over n, oy, ox of
                            dout[n, g*FG + f, oy, ox] * x[n, g*CG + c, oy*SH - top + i*DH, ox*SW - left + j*DW]

dout    (N, F, OH, OW)          FG = F // groups
x       (N, C, H, W)            CG = C // groups
dw      (F, CG, KH, KW)

2*N*OH*OW*F*CG*KH*KW flops but for the padding. The sums are as long as the batch has output cells while there are few
of them: a rung that gives each sum to one block leaves most of a card idle.
"""

from numba import cuda, int64

from ..shapes import check_dout, conv2d_output
from .device import contiguous, empty
from .launch import covering, kernel
from .register_tile import ACROSS, DEPTH, EACH, SIDE, THREADS, clear, multiply
from .rungs import Ladder
from .split import add_up, integers, parts, workspace

BACKWARD_WEIGHT = Ladder("conv2d_backward_weight")


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    check_dout(dout, conv2d_output(x.shape, w_shape, stride, pad, dilation, groups), x=x)
    dout, x = contiguous(dout), contiguous(x)
    dw = empty(w_shape, dout.dtype)
    if dw.size:
        BACKWARD_WEIGHT(dout, x, stride, pad, dilation, groups, dw)
    return dw


# 1. Gather -------------------------------------------------------------------------------------------------------


@BACKWARD_WEIGHT.numba("gather")
def gather(dout, x, stride, pad, dilation, groups, dw):
    """1. One thread a weight: two loads a multiplication, and sums as long as the batch has output cells."""
    _gather[covering(dw.size)](dout, x, stride, pad, dilation, groups, dw)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(2), integers(4), integers(2), int64, T[:, :, :, ::1]))
def _gather(dout, x, stride, pad, dilation, groups, dw):
    F, CG, KH, KW = dw.shape
    N, _, H, W = x.shape
    _, _, OH, OW = dout.shape
    at, total = cuda.grid(1), dw.dtype.type(0)
    if at >= dw.size:
        return
    j, i, c, f = at % KW, at // KW % KH, at // (KH * KW) % CG, at // (KH * KW * CG)
    channel = f // (F // groups) * CG + c
    for n in range(N):
        for oy in range(OH):
            y = oy * stride[0] - pad[0] + i * dilation[0]
            for ox in range(OW):
                column = ox * stride[1] - pad[2] + j * dilation[1]
                if 0 <= y < H and 0 <= column < W:
                    total += dout[n, f, oy, ox] * x[n, channel, y, column]
    dw[f, c, i, j] = total


# 2. Tiles in shared memory ---------------------------------------------------------------------------------------


@BACKWARD_WEIGHT.numba("tiled")
def tiled(dout, x, stride, pad, dilation, groups, dw):
    """2. A block takes 8 filters by 8 places in the window: what it loads is multiplied 8 times."""
    FG, places = dw.shape[0] // groups, dw[0].size
    grid = (-(-places // TILE), -(-FG // TILE), groups)
    _tiled[grid, (TILE, TILE)](dout, x, stride, pad, dilation, groups, dw)


TILE = 8


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(2), integers(4), integers(2), int64, T[:, :, :, ::1]))
def _tiled(dout, x, stride, pad, dilation, groups, dw):
    """The terms k = (n, oy, ox) of the sum, TILE at a time; neighbouring threads load neighbouring cells."""
    gradients = cuda.shared.array((TILE, TILE + 1), dw.dtype)  # [filter, term]
    cells = cuda.shared.array((TILE, TILE + 1), dw.dtype)  # [place, term]; one more, for rows in different banks
    FG, (_, CG, KH, KW) = dw.shape[0] // groups, dw.shape
    N, _, H, W = x.shape
    _, _, OH, OW = dout.shape
    tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    f, place = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + ty
    c, down, right = place // (KH * KW), place // KW % KH * dilation[0], place % KW * dilation[1]
    total = zero = dw.dtype.type(0)
    for first in range(0, N * OH * OW, TILE):
        k = first + tx
        n, oy, ox = k // (OH * OW), k // OW % OH, k % OW
        y, column = oy * stride[0] - pad[0] + down, ox * stride[1] - pad[2] + right
        inside = n < N and c < CG and 0 <= y < H and 0 <= column < W
        gradients[ty, tx] = dout[n, group * FG + f, oy, ox] if n < N and f < FG else zero
        cells[ty, tx] = x[n, group * CG + c, y, column] if inside else zero
        cuda.syncthreads()
        for k in range(TILE):
            total += gradients[ty, k] * cells[tx, k]
        cuda.syncthreads()
    place = cuda.blockIdx.x * TILE + tx
    if f < FG and place < CG * KH * KW:
        dw[group * FG + f, place // (KH * KW), place // KW % KH, place % KW] = total


# 3. Tiles in registers -------------------------------------------------------------------------------------------


@BACKWARD_WEIGHT.numba("register_tiles")
def register_tiles(dout, x, stride, pad, dilation, groups, dw):
    """3. 4x4 sums a thread in registers, and each sum shared among blocks, whose parts one more kernel adds."""
    grid = (-(-dw[0].size // SIDE), -(-dw.shape[0] // groups // SIDE))
    steps = -(-dout.size // dout.shape[1] // DEPTH)
    partial = workspace(parts(grid[0] * grid[1] * groups, steps), dw)
    geometry = (*stride, pad[0], pad[2], *dilation)
    _register_tiles[(*grid, groups * len(partial)), (THREADS,)](dout, x, geometry, groups, partial)
    add_up(partial, dw)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(6), int64, T[:, :, :, :, ::1]))
def _register_tiles(dout, x, geometry, groups, partial):
    """The terms k = (n, oy, ox) of the sum, DEPTH at a time, those of this block's part."""
    gradients = cuda.shared.array((DEPTH, SIDE + 1), dout.dtype)
    cells = cuda.shared.array((DEPTH, SIDE + 1), dout.dtype)
    sums = cuda.local.array((EACH, EACH), dout.dtype)
    SH, SW, top, left, DH, DW = geometry
    count, F, CG, KH, KW = partial.shape
    N, _, H, W = x.shape
    _, _, OH, OW = dout.shape
    FG, zero = F // groups, dout.dtype.type(0)
    group, part = cuda.blockIdx.z % groups, cuda.blockIdx.z // groups
    term, line = cuda.threadIdx.x % DEPTH, cuda.threadIdx.x // DEPTH
    steps = -(-(N * OH * OW) // DEPTH)
    clear(sums)
    for step in range(steps * part // count, steps * (part + 1) // count):
        k = step * DEPTH + term
        n, oy, ox = k // (OH * OW), k // OW % OH, k % OW
        for lane in range(line, SIDE, THREADS // DEPTH):
            f, place = cuda.blockIdx.y * SIDE + lane, cuda.blockIdx.x * SIDE + lane
            c, y = place // (KH * KW), oy * SH - top + place // KW % KH * DH
            column = ox * SW - left + place % KW * DW
            inside = n < N and c < CG and 0 <= y < H and 0 <= column < W
            gradients[term, lane] = dout[n, group * FG + f, oy, ox] if n < N and f < FG else zero
            cells[term, lane] = x[n, group * CG + c, y, column] if inside else zero
        cuda.syncthreads()
        multiply(gradients, cells, sums)
        cuda.syncthreads()
    for i in range(EACH):
        f = cuda.blockIdx.y * SIDE + cuda.threadIdx.x // ACROSS + ACROSS * i
        for j in range(EACH):
            place = cuda.blockIdx.x * SIDE + cuda.threadIdx.x % ACROSS + ACROSS * j
            if f < FG and place < CG * KH * KW:
                partial[part, group * FG + f, place // (KH * KW), place // KW % KH, place % KW] = sums[i, j]
