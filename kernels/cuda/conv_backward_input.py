"""The gradient of a convolution's input: each pixel gathers from the output cells that have read it.

    dx[n, g*CG + c, y, x] = sum over f, i, j of w[g*FG + f, c, i, j] * dout[n, g*FG + f, oy, ox]
    where oy*SH = y + top - i*DH and ox*SW = x + left - j*DW, if there are such cells

dout    (N, F, OH, OW)          FG = F // groups
w       (F, CG, KH, KW)         CG = C // groups
dx      (N, C, H, W)

2*N*OH*OW*F*CG*KH*KW flops but for the padding. With many channels the sums are long and arithmetic counts; what the
rungs change is how many multiplications a number does that came from memory.
"""

from numba import cuda, int64

from ..shapes import check_dout, conv2d_output
from . import conv_groups, winograd
from .conv_phase_tiles import FEW, phases_in_c, pixels_in_c
from .conv_phases import phases
from .device import contiguous, empty
from .launch import covering, kernel
from .rungs import Ladder
from .split import add_up, integers, workspace
from .tiles import DEPTH, SHARE, SPAN, SQUARE, THREADS, TILE, WIDTH, add_products, clear, parts
from .window import channels_within_int, within_int

BACKWARD_INPUT = Ladder("conv2d_backward_input")


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    check_dout(dout, conv2d_output(x_shape, w.shape, stride, pad, dilation, groups), w=w)
    dout, w = contiguous(dout), contiguous(w)
    dx = empty(x_shape, dout.dtype)
    if dx.size:
        BACKWARD_INPUT(dout, w, stride, pad, dilation, groups, dx)
    return dx


# 1. Gather -------------------------------------------------------------------------------------------------------


@BACKWARD_INPUT.numba("gather")
def gather(dout, w, stride, pad, dilation, groups, dx):
    """1. One thread a number of dx: two loads a multiplication, and caches have to do the rest."""
    _gather[covering(dx.size)](dout, w, stride, pad, dilation, w.shape[0] // groups, dx)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(2), integers(4), integers(2), int64, T[:, :, :, ::1]))
def _gather(dout, w, stride, pad, dilation, FG, dx):
    _, C, H, W = dx.shape
    _, CG, KH, KW = w.shape
    at, total = cuda.grid(1), dx.dtype.type(0)
    if at >= dx.size:
        return
    x, y, channel, n = at % W, at // W % H, at // (W * H) % C, at // (W * H * C)
    first, c = channel // CG * FG, channel % CG
    for i in range(KH):
        oy = _cell(y + pad[0] - i * dilation[0], stride[0], dout.shape[2])
        for j in range(KW):
            ox = _cell(x + pad[2] - j * dilation[1], stride[1], dout.shape[3])
            if oy >= 0 and ox >= 0:
                for f in range(first, first + FG):
                    total += w[f, c, i, j] * dout[n, f, oy, ox]
    dx[n, channel, y, x] = total


@cuda.jit(device=True, inline="always")
def _cell(start, stride, cells):
    """The number of the cell whose window starts at `start`, counted from the padding's edge; -1 where none does."""
    if start < 0 or start % stride or start // stride >= cells:
        return -1
    return start // stride


# 2. Tiles in shared memory ---------------------------------------------------------------------------------------


@BACKWARD_INPUT.numba("tiled")
def tiled(dout, w, stride, pad, dilation, groups, dx):
    """2. A block takes 8 channels by 8 pixels: what it loads into shared memory is multiplied 8 times."""
    pixels, CG = dx.size // dx.shape[1], w.shape[1]
    grid = (-(-pixels // SQUARE), -(-CG // SQUARE), groups)
    _tiled[grid, (SQUARE, SQUARE)](dout, w, stride, pad, dilation, w.shape[0] // groups, dx)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(2), integers(4), integers(2), int64, T[:, :, :, ::1]))
def _tiled(dout, w, stride, pad, dilation, FG, dx):
    """The terms k = (f, i, j) of the sum, SQUARE at a time; a cell that no window reads from the pixel counts as 0."""
    weights = cuda.shared.array((SQUARE, SQUARE), dx.dtype)  # [channel, term]
    cells = cuda.shared.array((SQUARE, SQUARE), dx.dtype)  # [term, pixel]
    N, _, H, W = dx.shape
    _, CG, KH, KW = w.shape
    tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    pixel, c = cuda.blockIdx.x * SQUARE + tx, cuda.blockIdx.y * SQUARE + ty
    x, y, n = pixel % W, pixel // W % H, pixel // (W * H)
    total = zero = dx.dtype.type(0)
    for first in range(0, FG * KH * KW, SQUARE):
        k = first + tx
        f, i, j = k // (KH * KW), k // KW % KH, k % KW
        weights[ty, tx] = w[group * FG + f, c, i, j] if f < FG and c < CG else zero
        k = first + ty
        f, i, j = k // (KH * KW), k // KW % KH, k % KW
        oy = _cell(y + pad[0] - i * dilation[0], stride[0], dout.shape[2])
        ox = _cell(x + pad[2] - j * dilation[1], stride[1], dout.shape[3])
        cells[ty, tx] = dout[n, group * FG + f, oy, ox] if f < FG and n < N and oy >= 0 and ox >= 0 else zero
        cuda.syncthreads()
        for k in range(SQUARE):
            total += weights[ty, k] * cells[k, tx]
        cuda.syncthreads()
    if n < N and c < CG:
        dx[n, group * CG + c, y, x] = total


# 3. Tiles in registers -------------------------------------------------------------------------------------------


@BACKWARD_INPUT.numba("register_tiles")
def register_tiles(dout, w, stride, pad, dilation, groups, dx):
    """3. 8x8 sums a thread in registers, no tap that a stride passes over, and long sums shared among blocks."""
    CG, found = w.shape[1], phases(dx.shape[2:], w.shape[2:], stride, pad, dilation)
    grids = [(-(-dx.shape[0] * rows.count * columns.count // TILE), -(-CG // TILE)) for rows, columns in found]
    depth = max(rows.taps * columns.taps for rows, columns in found) * (w.shape[0] // groups)
    partial = workspace(parts(sum(x * y for x, y in grids) * groups, depth), dx)
    for grid, (rows, columns) in zip(grids, found):
        _register_tiles[(*grid, groups * len(partial)), (THREADS,)](
            dout, w, tuple(rows), tuple(columns), groups, partial
        )
    add_up(partial, dx)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], integers(8), integers(8), int64, T[:, :, :, :, ::1]))
def _register_tiles(dout, w, rows, columns, groups, partial):
    """One phase (conv_phases.Axis); the terms k = (tap, f) of the sum, DEPTH at a time, those of this block's part."""
    weights = cuda.shared.array((DEPTH, WIDTH), dout.dtype)
    cells = cuda.shared.array((DEPTH, WIDTH), dout.dtype)
    sums = cuda.local.array((SHARE, SHARE), dout.dtype)
    left, right = cuda.local.array(SHARE, dout.dtype), cuda.local.array(SHARE, dout.dtype)
    first_y, height, step_y, tap_y, taps_y, every_y, cell_y, back_y = rows
    first_x, width, step_x, tap_x, taps_x, every_x, cell_x, back_x = columns
    count, N = partial.shape[:2]
    OH, OW = dout.shape[2:]
    FG, CG, zero = w.shape[0] // groups, w.shape[1], dout.dtype.type(0)
    group, part = cuda.blockIdx.z % groups, cuda.blockIdx.z // groups
    lane = cuda.threadIdx.x  # whose channel and pixel this thread brings
    c, pixel = cuda.blockIdx.y * TILE + lane, cuda.blockIdx.x * TILE + lane
    n, y, x = pixel // (height * width), cell_y + pixel // width % height, cell_x + pixel % width
    terms = FG * taps_y * taps_x
    steps = -(-terms // DEPTH)
    down, across = lane // SPAN, lane % SPAN
    used = cuda.blockIdx.y * TILE + down < CG and cuda.blockIdx.x * TILE + across < N * height * width
    clear(sums)
    for step in range(steps * part // count, steps * (part + 1) // count):
        for term in range(DEPTH):
            k = step * DEPTH + term
            f, a, b = k % FG, k // FG // taps_x, k // FG % taps_x
            oy, ox = y - back_y * a, x - back_x * b
            known, met = k < terms and c < CG, k < terms and n < N and 0 <= oy < OH and 0 <= ox < OW
            weights[term, lane] = w[group * FG + f, c, tap_y + every_y * a, tap_x + every_x * b] if known else zero
            cells[term, lane] = dout[n, group * FG + f, oy, ox] if met else zero
        cuda.syncthreads()
        if used:
            add_products(weights, cells, down, across, sums, left, right)
        cuda.syncthreads()
    for j in range(SHARE):
        pixel = cuda.blockIdx.x * TILE + across + SPAN * j
        n, y, x = pixel // (height * width), first_y + step_y * (pixel // width % height), pixel % width
        for i in range(SHARE):
            c = cuda.blockIdx.y * TILE + down + SPAN * i
            if n < N and c < CG:
                partial[part, n, group * CG + c, y, first_x + step_x * x] = sums[i, j]


# 4. Winograd -----------------------------------------------------------------------------------------------------


def _within_int(dout, w, stride, pad, dilation, groups, dx):
    return within_int(dout, dx) and channels_within_int(dout, dx)


def _winograd_can(dout, w, stride, pad, dilation, groups, dx):
    return winograd.can(w, stride, dilation, groups) and _within_int(dout, w, stride, pad, dilation, groups, dx)


def _winograd_pays(dout, w, stride, pad, dilation, groups, dx):
    return dx.shape[1] > FEW and winograd.pays(w.swapaxes(0, 1), dx.shape)


def _turned(pad):
    """Pixel y is read by the cells y + top - 2 .. y + top: the gradient correlates with the window turned around."""
    return 2 - pad[0], 2 - pad[2]


@BACKWARD_INPUT.numba("winograd", fits=_winograd_can, pays=_winograd_pays)
def by_winograd(dout, w, stride, pad, dilation, groups, dx):
    """4. 3x3 windows of stride 1 by Winograd's transforms: a quarter of the multiplications, and larger errors."""
    winograd.convolve(dout, w, None, _turned(pad), True, dx)


# 5. Few channels a group -----------------------------------------------------------------------------------------


def _few(dout, w, stride, pad, dilation, groups, dx):
    return conv_groups.pays(w, groups)


@BACKWARD_INPUT.numba("few_a_group", pays=_few)
def few_a_group(dout, w, stride, pad, dilation, groups, dx):
    """5. For groups of few channels, whose tiles are empty: from one cell that read a pixel straight to the next."""
    conv_groups.backward_input(dout, w, stride, pad, dilation, groups, dx)


# In CUDA C -------------------------------------------------------------------------------------------------------


@BACKWARD_INPUT.cuda_c("vectors", fits=_within_int)
def vectors(dout, w, stride, pad, dilation, groups, dx):
    """6. Rung 3 in CUDA C: 128 x 128 sums a block, 16 bytes a read, the next loads under way while it multiplies."""
    if w.shape[2:] == stride == (1, 1) and not any(pad):
        pixels_in_c(dout, w, groups, dx)
    else:
        phases_in_c(dout, w, stride, pad, dilation, groups, dx)


@BACKWARD_INPUT.cuda_c("winograd_vectors", fits=_winograd_can, pays=_winograd_pays)
def by_winograd_vectors(dout, w, stride, pad, dilation, groups, dx):
    """7. Rung 4 in CUDA C: products by its tiles, transforms that load and store 16 bytes at a time."""
    winograd.convolve_in_c(dout, w, None, _turned(pad), True, dx)


@BACKWARD_INPUT.cuda_c("few_a_group_vectors", fits=_within_int, pays=_few)
def few_a_group_vectors(dout, w, stride, pad, dilation, groups, dx):
    """8. Rung 5 in CUDA C: of depthwise 3x3 windows 16 bytes of four rows a thread, each row loaded once for three."""
    conv_groups.backward_input_in_c(dout, w, stride, pad, dilation, groups, dx)
