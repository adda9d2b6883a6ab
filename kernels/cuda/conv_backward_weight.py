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
from . import conv_groups
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .split import add_up, integers, workspace
from .tiles import DEPTH, LINE, SHARE, SPAN, SQUARE, THREADS, TILE, WIDTH, add_products, clear, cut, in_parts, parts
from .window import channels_within_int, within_int

BACKWARD_WEIGHT = Ladder("conv2d_backward_weight")
SOURCE = Source("conv_backward_weight")


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
    grid = (-(-places // SQUARE), -(-FG // SQUARE), groups)
    _tiled[grid, (SQUARE, SQUARE)](dout, x, stride, pad, dilation, groups, dw)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(2), integers(4), integers(2), int64, T[:, :, :, ::1]))
def _tiled(dout, x, stride, pad, dilation, groups, dw):
    """The terms k = (n, oy, ox) of the sum, SQUARE at a time; neighbouring threads load neighbouring cells."""
    gradients = cuda.shared.array((SQUARE, LINE), dw.dtype)  # [filter, term]
    cells = cuda.shared.array((SQUARE, LINE), dw.dtype)  # [place, term]
    FG, (_, CG, KH, KW) = dw.shape[0] // groups, dw.shape
    N, _, H, W = x.shape
    _, _, OH, OW = dout.shape
    tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    f, place = cuda.blockIdx.y * SQUARE + ty, cuda.blockIdx.x * SQUARE + ty
    c, down, right = place // (KH * KW), place // KW % KH * dilation[0], place % KW * dilation[1]
    total = zero = dw.dtype.type(0)
    for first in range(0, N * OH * OW, SQUARE):
        k = first + tx
        n, oy, ox = k // (OH * OW), k // OW % OH, k % OW
        y, column = oy * stride[0] - pad[0] + down, ox * stride[1] - pad[2] + right
        inside = n < N and c < CG and 0 <= y < H and 0 <= column < W
        gradients[ty, tx] = dout[n, group * FG + f, oy, ox] if n < N and f < FG else zero
        cells[ty, tx] = x[n, group * CG + c, y, column] if inside else zero
        cuda.syncthreads()
        for k in range(SQUARE):
            total += gradients[ty, k] * cells[tx, k]
        cuda.syncthreads()
    place = cuda.blockIdx.x * SQUARE + tx
    if f < FG and place < CG * KH * KW:
        dw[group * FG + f, place // (KH * KW), place // KW % KH, place % KW] = total


# 3. Tiles in registers -------------------------------------------------------------------------------------------


@BACKWARD_WEIGHT.numba("register_tiles")
def register_tiles(dout, x, stride, pad, dilation, groups, dw):
    """3. 8x8 sums a thread in registers, and each sum shared among blocks, whose parts one more kernel adds."""
    grid = (-(-dw[0].size // TILE), -(-dw.shape[0] // groups // TILE))
    partial = workspace(parts(grid[0] * grid[1] * groups, dout.size // dout.shape[1]), dw)
    geometry = (*stride, pad[0], pad[2], *dilation)
    _register_tiles[(*grid, groups * len(partial)), (THREADS,)](dout, x, geometry, groups, partial)
    add_up(partial, dw)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(6), int64, T[:, :, :, :, ::1]))
def _register_tiles(dout, x, geometry, groups, partial):
    """The terms k = (n, oy, ox) of the sum, DEPTH at a time, those of this block's part."""
    gradients = cuda.shared.array((DEPTH, WIDTH), dout.dtype)
    cells = cuda.shared.array((DEPTH, WIDTH), dout.dtype)
    sums = cuda.local.array((SHARE, SHARE), dout.dtype)
    row, line = cuda.local.array(SHARE, dout.dtype), cuda.local.array(SHARE, dout.dtype)
    SH, SW, top, left, DH, DW = geometry
    count, F, CG, KH, KW = partial.shape
    N, _, H, W = x.shape
    _, _, OH, OW = dout.shape
    FG, zero = F // groups, dout.dtype.type(0)
    group, part = cuda.blockIdx.z % groups, cuda.blockIdx.z // groups
    thread = cuda.threadIdx.x
    term, down, across = thread % DEPTH, thread // SPAN, thread % SPAN
    steps = -(-(N * OH * OW) // DEPTH)
    used = cuda.blockIdx.y * TILE + down < FG and cuda.blockIdx.x * TILE + across < CG * KH * KW
    clear(sums)
    for step in range(steps * part // count, steps * (part + 1) // count):
        k = step * DEPTH + term
        n, oy, ox = k // (OH * OW), k // OW % OH, k % OW
        for lane in range(thread // DEPTH, TILE, THREADS // DEPTH):
            f, place = cuda.blockIdx.y * TILE + lane, cuda.blockIdx.x * TILE + lane
            c, y = place // (KH * KW), oy * SH - top + place // KW % KH * DH
            column = ox * SW - left + place % KW * DW
            inside = n < N and c < CG and 0 <= y < H and 0 <= column < W
            gradients[term, lane] = dout[n, group * FG + f, oy, ox] if n < N and f < FG else zero
            cells[term, lane] = x[n, group * CG + c, y, column] if inside else zero
        cuda.syncthreads()
        if used:
            add_products(gradients, cells, down, across, sums, row, line)
        cuda.syncthreads()
    for b in range(SHARE):
        place = cuda.blockIdx.x * TILE + across + SPAN * b
        c, i, j = place // (KH * KW), place // KW % KH, place % KW
        for a in range(SHARE):
            f = cuda.blockIdx.y * TILE + down + SPAN * a
            if f < FG and c < CG:
                partial[part, group * FG + f, c, i, j] = sums[a, b]


# 4. Few channels a group -----------------------------------------------------------------------------------------


def _few(dout, x, stride, pad, dilation, groups, dw):
    return conv_groups.pays(dw, groups)


@BACKWARD_WEIGHT.numba("few_a_group", pays=_few)
def few_a_group(dout, x, stride, pad, dilation, groups, dw):
    """4. For groups of few channels, whose tiles are empty: a thread a weight and a part of its sum."""
    conv_groups.backward_weight(dout, x, stride, pad, dilation, groups, dw)


# 5. CUDA C -------------------------------------------------------------------------------------------------------


def _within_int(dout, x, stride, pad, dilation, groups, dw):
    return within_int(dout, x) and channels_within_int(dout, x)


@BACKWARD_WEIGHT.cuda_c("vectors", fits=_within_int)
def vectors(dout, x, stride, pad, dilation, groups, dw):
    """5. In CUDA C: 128 x 128 sums a block, 16 bytes a read, the next loads under way while it multiplies."""
    (N, _, OH, OW), (F, CG, KH, KW), (H, W) = dout.shape, dw.shape, x.shape[2:]
    if (KH, KW) == stride == (1, 1) and not any(pad):
        kind, sizes = "pixels", (H * W,)
    else:
        kind, sizes = "gradient", (H, W, KH, KW, OH, OW, *stride, pad[0], pad[2], *dilation)
    how = cut(F // groups, CG * KH * KW, N * OH * OW, groups, dw.itemsize)
    launch = getattr(SOURCE(dw.dtype), f"{kind}_{how.size}")[how.grid, how.block]
    in_parts(how, lambda _, to: launch(dout, x, to, N, F // groups, CG, *sizes, how.length), None, dw)


@BACKWARD_WEIGHT.cuda_c("few_a_group_in_c", fits=_within_int, pays=_few)
def few_a_group_in_c(dout, x, stride, pad, dilation, groups, dw):
    """6. In CUDA C a block has all nine weights of a 3x3 window, whose sums its threads share: each cell read once."""
    conv_groups.backward_weight_in_c(dout, x, stride, pad, dilation, groups, dw)
