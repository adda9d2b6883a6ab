"""The forward pass of a convolution.

    out[n, f, oy, ox] = b[f] + sum over c, i, j of w[f, c, i, j] * x[n, g*CG + c, y, x]
    where g = f // FG, y = oy*SH - top + i*DH, x = ox*SW - left + j*DW

x       (N, C, H, W)
w       (F, CG, KH, KW)         CG = C // groups, FG = F // groups
b       (F,) or None
out     (N, F, OH, OW)

2*N*F*CG*KH*KW*OH*OW operations. It is the product of the filters (F, CG*KH*KW) and a matrix whose columns are the
windows of the whole batch. That matrix is KH*KW times as large as x and never lies in memory: what a tile needs of it
is read off the images ("implicit GEMM": Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014).
"""

from numba import cuda, types

from ..shapes import check_float, conv2d_output
from . import conv_groups, winograd
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .tiles import DEPTH, LINE, SHARE, SPAN, SQUARE, THREADS, TILE, WIDTH, add_products, bring, clear, cut, in_parts
from .window import channels_within_int, numbers, within_int

FORWARD = Ladder("conv2d_forward")
SOURCE = Source("conv_forward")

SIZES = types.UniTuple(types.int64, 14)  # window.numbers
FAR = -(2**40)  # a row of no image


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    out_shape = conv2d_output(x.shape, w.shape, stride, pad, dilation, groups)
    check_float(x=x, w=w, b=b)
    x, w, b = contiguous(x), contiguous(w), None if b is None else contiguous(b)
    out = empty(out_shape, x.dtype)
    FORWARD(x, w, b, stride, pad, dilation, groups, out)
    return out


def _share_in_tiles(x, w, b, stride, pad, dilation, groups, out):
    """Tiles hold filters of one group, and with a few of them would be empty."""
    return groups == 1 or len(w) >= SQUARE * groups


def _empty_tiles(*args):
    return not _share_in_tiles(*args)


def _within_int(x, w, b, stride, pad, dilation, groups, out):
    return within_int(x, out) and channels_within_int(out)


def _winograd_can(x, w, b, stride, pad, dilation, groups, out):
    return winograd.can(w, stride, dilation, groups) and _within_int(x, w, b, stride, pad, dilation, groups, out)


def _winograd_pays(x, w, b, stride, pad, dilation, groups, out):
    return winograd.pays(w, out.shape)


# In Python -------------------------------------------------------------------------------------------------------


@FORWARD.numba("naive")
def naive(x, w, b, stride, pad, dilation, groups, out):
    """1. One thread a number of the output: each reads its window and its filter, 8 bytes for 2 operations."""
    _naive[covering(out.size)](*_arguments(x, w, b, stride, pad, dilation, out), groups, out)


@FORWARD.numba("tiled", pays=_share_in_tiles)
def tiled(x, w, b, stride, pad, dilation, groups, out):
    """2. 8 filters by 8 windows a block: what it brings to shared memory is read 8 times."""
    grid = (-(-_columns(out) // SQUARE), -(-len(w) // groups // SQUARE), groups)
    _tiled[grid, (SQUARE, SQUARE)](*_arguments(x, w, b, stride, pad, dilation, out), out)


@FORWARD.numba("implicit_gemm", pays=_share_in_tiles)
def implicit_gemm(x, w, b, stride, pad, dilation, groups, out):
    """3. 64 filters by 64 windows a block, 8 x 8 of them in a thread's registers; a block divides once for all."""
    grid = (-(-_columns(out) // TILE), -(-len(w) // groups // TILE), groups)
    _implicit_gemm[grid, (THREADS,)](*_arguments(x, w, b, stride, pad, dilation, out), len(w), out.reshape(-1))


@FORWARD.numba("winograd", fits=_winograd_can, pays=_winograd_pays)
def by_winograd(x, w, b, stride, pad, dilation, groups, out):
    """4. 3x3 windows of stride 1 by Winograd's transforms: a quarter of the multiplications, and larger errors."""
    winograd.convolve(x, w, b, (pad[0], pad[2]), False, out)


@FORWARD.numba("few_a_group", pays=_empty_tiles)
def few_a_group(x, w, b, stride, pad, dilation, groups, out):
    """5. For groups of few filters, whose tiles are empty: rung 1, the divisions once for several images."""
    conv_groups.forward(x, w, b, stride, pad, dilation, groups, out)


def _arguments(x, w, b, stride, pad, dilation, out):
    """What the kernels are given: flat arrays, and b with a flag in place of None."""
    sizes = numbers(x.shape, w.shape[2:], stride, pad, dilation, out.shape[2:])
    flat = w.reshape(-1)
    return x.reshape(-1), flat, flat if b is None else b, b is not None, sizes


def _columns(out):
    return out.shape[0] * out.shape[2] * out.shape[3]


def _example(T):
    return T[::1], T[::1], T[::1], types.boolean, SIZES


@cuda.jit(device=True, inline="always")
def window_of(column, sizes):
    """(n, y, x): the image and the first pixel of a column's window."""
    top, left, OH, OW = sizes[10], sizes[11], sizes[12], sizes[13]
    row = column // OW
    return row // OH, row % OH * sizes[6] - top, column % OW * sizes[7] - left


@cuda.jit(device=True, inline="always")
def tap_of(k, sizes):
    """(c, down, across): the channel of a window's number k, and where it is from the window's first pixel."""
    KH, KW = sizes[4], sizes[5]
    return k // (KH * KW), k // KW % KH * sizes[8], k % KW * sizes[9]


@kernel(lambda T: (*_example(T), types.int64, T[:, :, :, ::1]))
def _naive(x, w, b, biased, sizes, groups, out):
    at = cuda.grid(1)
    if at >= out.size:
        return
    C, H, W, KH, KW = sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    F, OH, OW = out.shape[1], out.shape[2], out.shape[3]
    CG, f, place = C // groups, at // (OH * OW) % F, at % (OH * OW)
    n, y, left = window_of(at // (OH * OW * F) * (OH * OW) + place, sizes)
    first = n * C + f // (F // groups) * CG
    zero = out.dtype.type(0)
    total = b[f] if biased else zero
    for c in range(CG):
        for i in range(KH):
            row = y + i * sizes[8]
            for j in range(KW):
                column = left + j * sizes[9]
                inside = row >= 0 and row < H and column >= 0 and column < W
                # Padding is multiplied, too: an infinite weight makes NaN of it.
                pixel = x[((first + c) * H + row) * W + column] if inside else zero
                total += w[((f * CG + c) * KH + i) * KW + j] * pixel
    out[n, f, place // OW, place % OW] = total


@kernel(lambda T: (*_example(T), T[:, :, :, ::1]))
def _tiled(x, w, b, biased, sizes, out):
    filters = cuda.shared.array((SQUARE, LINE), out.dtype)
    pixels = cuda.shared.array((SQUARE, LINE), out.dtype)
    tx, ty, group, groups = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z, cuda.gridDim.z
    N, C, H, W = sizes[0], sizes[1], sizes[2], sizes[3]
    OW, size = out.shape[3], out.shape[2] * out.shape[3]
    FG, CG = out.shape[1] // groups, C // groups
    K = CG * sizes[4] * sizes[5]
    column, f = cuda.blockIdx.x * SQUARE + tx, cuda.blockIdx.y * SQUARE + ty
    n, y, left = window_of(column, sizes)
    total = zero = out.dtype.type(0)
    for k0 in range(0, K, SQUARE):
        filters[ty, tx] = w[(group * FG + f) * K + k0 + tx] if f < FG and k0 + tx < K else zero
        c, down, across = tap_of(k0 + ty, sizes)
        down, across = y + down, left + across
        inside = n < N and c < CG and down >= 0 and down < H and across >= 0 and across < W
        pixels[ty, tx] = x[((n * C + group * CG + c) * H + down) * W + across] if inside else zero
        cuda.syncthreads()
        for k in range(SQUARE):
            total += filters[ty, k] * pixels[k, tx]
        cuda.syncthreads()
    if f < FG and n < N:
        f += group * FG
        out[n, f, column % size // OW, column % OW] = total + (b[f] if biased else zero)


@kernel(lambda T: (*_example(T), types.int64, T[::1]))
def _implicit_gemm(x, w, b, biased, sizes, F, out):
    filters = cuda.shared.array((DEPTH, WIDTH), out.dtype)
    pixels = cuda.shared.array((DEPTH, WIDTH), out.dtype)
    taps = cuda.shared.array((DEPTH, 3), types.int64)  # rows down and columns across from a window's start, offset
    sums = cuda.local.array((SHARE, SHARE), out.dtype)
    row = cuda.local.array(SHARE, out.dtype)
    line = cuda.local.array(SHARE, out.dtype)
    place = cuda.local.array(SHARE, types.int64)
    t, group, groups = cuda.threadIdx.x, cuda.blockIdx.z, cuda.gridDim.z
    N, C, H, W, size = sizes[0], sizes[1], sizes[2], sizes[3], sizes[12] * sizes[13]
    FG, CG = F // groups, C // groups
    K = CG * sizes[4] * sizes[5]
    across, top = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE
    zero = out.dtype.type(0)
    # Each thread brings the pixels of one column.
    n, y, left = window_of(across + t, sizes)
    start = ((n * C + group * CG) * H + y) * W + left
    if n >= N:
        y = FAR
    used = top + t // SPAN < FG and across + t % SPAN < N * size
    clear(sums)
    for k0 in range(0, K, DEPTH):
        if t < DEPTH:
            c, down, right = tap_of(k0 + t, sizes)
            taps[t, 0] = down if c < CG else FAR
            taps[t, 1] = right
            taps[t, 2] = (c * H + down) * W + right
        bring(filters, w, group * FG * K, (K, 1), top, FG, k0, K, t)
        cuda.syncthreads()
        for k in range(DEPTH):
            down, right = y + taps[k, 0], left + taps[k, 1]
            inside = down >= 0 and down < H and right >= 0 and right < W
            pixels[k, t] = x[start + taps[k, 2]] if inside else zero
        cuda.syncthreads()
        if used:
            add_products(filters, pixels, t // SPAN, t % SPAN, sums, row, line)
        cuda.syncthreads()
    # Only a loop that is short enough to be unrolled leaves the sums in registers.
    for j in range(SHARE):
        column = across + t % SPAN + j * SPAN
        place[j] = (column // size * F + group * FG) * size + column % size if column < N * size else -1
    for i in range(SHARE):
        f = top + t // SPAN + i * SPAN
        if f < FG:
            bias = b[group * FG + f] if biased else zero
            for j in range(SHARE):
                if place[j] >= 0:
                    out[place[j] + f * size] = sums[i, j] + bias


# In CUDA C -------------------------------------------------------------------------------------------------------


@FORWARD.cuda_c("implicit_gemm_vectors", fits=_within_int, pays=_share_in_tiles)
def implicit_gemm_vectors(x, w, b, stride, pad, dilation, groups, out):
    """6. Rung 3 in CUDA C: 128 x 128 a block, the next part under way; 1x1 windows are the images as they lie."""
    (N, _, H, W), (F, CG, KH, KW) = x.shape, w.shape
    if (KH, KW) == stride == (1, 1) and not any(pad):
        kind, sizes, lines = "pixels", (N, H * W), (CG, H * W)
    else:
        kind, lines = "conv", (CG * KH * KW,)
        sizes = numbers(x.shape, (KH, KW), stride, pad, dilation, out.shape[2:])
    packed = all(line * out.itemsize % 16 == 0 for line in lines)
    how = cut(F // groups, _columns(out), CG * KH * KW, groups, out.itemsize, packed)
    launch = getattr(SOURCE(out.dtype), f"{kind}_{how.size}")[how.grid, how.block]
    in_parts(how, lambda b, to: launch(x, w, b, to, *sizes, F // groups, CG, how.length), b, out)


@FORWARD.cuda_c("winograd_vectors", fits=_winograd_can, pays=_winograd_pays)
def by_winograd_vectors(x, w, b, stride, pad, dilation, groups, out):
    """7. Rung 4 in CUDA C: products by its tiles, transforms that load and store 16 bytes at a time."""
    winograd.convolve_in_c(x, w, b, (pad[0], pad[2]), False, out)


@FORWARD.cuda_c("few_a_group_vectors", fits=_within_int, pays=_empty_tiles)
def few_a_group_vectors(x, w, b, stride, pad, dilation, groups, out):
    """8. Rung 5 in CUDA C: of depthwise 3x3 windows 16 bytes of four rows a thread, each row loaded once for three."""
    conv_groups.forward_in_c(x, w, b, stride, pad, dilation, groups, out)
