"""Convolutions whose groups have few channels, depthwise ones above all, and their gradients.

What a tile brings to shared memory is used by all of its rows, filters of one group. With one filter a group there is
one row: of 64 x 64 numbers a block would compute 64. But then no sum is long either, and no number is used often. A
depthwise 3x3 convolution has 18 operations for 8 bytes, far below the roof's ridge: memory is all that counts, and each
thread owns numbers of the result, as in the definition.

Howard et al., "MobileNets", arXiv:1704.04861, section 3.1; arrays and formulas as in the operations' own files.
"""

from numba import cuda, int64, types

from .launch import covering, kernel
from .raw import Source
from .reduce import THREADS, one_block_each
from .split import add_up, workspace
from .tiles import SQUARE, Cut, in_parts, parts
from .window import FOUR, PAIR, by_image, first_reader, jumps, numbers

SOURCE = Source("conv_groups")
ROWS = 4  # that a thread of depthwise_rows computes
SHORTEST = 32  # numbers of a part of a weight's sum, for a thread; for a block a part has THREADS and more

SIZES = types.UniTuple(int64, 14)  # window.numbers


def pays(w, groups):
    """Whether tiles of filters w (F, CG, KH, KW) would be next to empty either way."""
    return groups > 1 and max(len(w) // groups, w.shape[1]) < SQUARE


# In Python -------------------------------------------------------------------------------------------------------


def forward(x, w, b, stride, pad, dilation, groups, out):
    sizes = numbers(x.shape, w.shape[2:], stride, pad, dilation, out.shape[2:])
    geometry = by_image(out[:1].size, len(out))
    _forward[geometry](x, w, w.reshape(-1) if b is None else b, b is not None, sizes, len(w) // groups, out)


def backward_input(dout, w, stride, pad, dilation, groups, dx):
    geometry = by_image(dx[:1].size, len(dx))
    _backward_input[geometry](dout, w, stride, pad, dilation, *jumps(stride, dilation), len(w) // groups, dx)


def backward_weight(dout, x, stride, pad, dilation, groups, dw):
    sizes = numbers(x.shape, dw.shape[2:], stride, pad, dilation, dout.shape[2:])
    (blocks,), block = covering(dw.size)
    partial = workspace(parts(blocks, dout.size // dout.shape[1], SHORTEST), dw)
    _backward_weight[(blocks, len(partial)), block](dout, x, sizes, len(dw) // groups, partial)
    add_up(partial, dw)


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], T[::1], types.boolean, SIZES, int64, T[:, :, :, ::1]))
def _forward(x, w, b, biased, sizes, FG, out):
    _, CG, KH, KW = w.shape
    N, F, OH, OW = out.shape
    H, W, SH, SW, DH, DW = sizes[2], sizes[3], sizes[6], sizes[7], sizes[8], sizes[9]
    at, zero = cuda.grid(1), out.dtype.type(0)
    if at >= F * OH * OW:
        return
    f, oy, ox = at // (OH * OW), at // OW % OH, at % OW
    top, left, first = oy * SH - sizes[10], ox * SW - sizes[11], f // FG * CG
    for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
        total = b[f] if biased else zero
        for c in range(CG):
            for i in range(KH):
                y = top + i * DH
                for j in range(KW):
                    column = left + j * DW
                    inside = 0 <= y < H and 0 <= column < W
                    # Padding is multiplied, too: an infinite weight makes NaN of it.
                    total += w[f, c, i, j] * (x[n, first + c, y, column] if inside else zero)
        out[n, f, oy, ox] = total


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], PAIR, FOUR, PAIR, PAIR, PAIR, int64, T[:, :, :, ::1]))
def _backward_input(dout, w, stride, pad, dilation, jump, back, FG, dx):
    N, C, H, W = dx.shape
    _, CG, KH, KW = w.shape
    OH, OW = dout.shape[2:]
    at = cuda.grid(1)
    if at >= C * H * W:
        return
    channel, y, x = at // (H * W), at // W % H, at % W
    first, c = channel // CG * FG, channel % CG
    first_i, first_oy = first_reader(y + pad[0], KH, stride[0], dilation[0], jump[0])
    first_j, first_ox = first_reader(x + pad[2], KW, stride[1], dilation[1], jump[1])
    for n in range(cuda.blockIdx.y, N, cuda.gridDim.y):
        total = dx.dtype.type(0)
        for f in range(first, first + FG):
            oy = first_oy
            for i in range(first_i, KH, jump[0]):
                ox = first_ox
                for j in range(first_j, KW, jump[1]):
                    if 0 <= oy < OH and 0 <= ox < OW:
                        total += w[f, c, i, j] * dout[n, f, oy, ox]
                    ox -= back[1]
                oy -= back[0]
        dx[n, channel, y, x] = total


@kernel(lambda T: (T[:, :, :, ::1], T[:, :, :, ::1], SIZES, int64, T[:, :, :, :, ::1]))
def _backward_weight(dout, x, sizes, FG, partial):
    """blockIdx.y is the part of the output's cells."""
    count, F, CG, KH, KW = partial.shape
    N, _, OH, OW = dout.shape
    H, W, SH, SW = sizes[2], sizes[3], sizes[6], sizes[7]
    at, part, total = cuda.grid(1), cuda.blockIdx.y, partial.dtype.type(0)
    if at >= F * CG * KH * KW:
        return
    f, c, i, j = at // (CG * KH * KW), at // (KH * KW) % CG, at // KW % KH, at % KW
    channel, cells = f // FG * CG + c, N * OH * OW
    for k in range(cells * part // count, cells * (part + 1) // count):
        n, oy, ox = k // (OH * OW), k // OW % OH, k % OW
        y, column = oy * SH - sizes[10] + i * sizes[8], ox * SW - sizes[11] + j * sizes[9]
        if 0 <= y < H and 0 <= column < W:
            total += dout[n, f, oy, ox] * x[n, channel, y, column]
    partial[part, f, c, i, j] = total


# In CUDA C -------------------------------------------------------------------------------------------------------


def forward_in_c(x, w, b, stride, pad, dilation, groups, out):
    F, CG = w.shape[:2]
    if _by_rows(x, w, stride, pad, dilation, out):
        _rows(x, w, b, pad[0], False, out)
        return
    sizes = numbers(x.shape, w.shape[2:], stride, pad, dilation, out.shape[2:])
    SOURCE(out.dtype).groups_forward[by_image(out[:1].size, len(out))](x, w, b, *sizes, F // groups, CG, out)


def backward_input_in_c(dout, w, stride, pad, dilation, groups, dx):
    F, CG = w.shape[:2]
    # Pixel y is read by the cells y + top - 2 .. y + top: the gradient correlates with the window turned around.
    turned = tuple(2 - p for p in pad)
    if _by_rows(dout, w, stride, turned, dilation, dx):
        _rows(dout, w, None, turned[0], True, dx)
        return
    sizes = numbers(dx.shape, w.shape[2:], stride, pad, dilation, dout.shape[2:])
    launch = SOURCE(dx.dtype).groups_backward_input[by_image(dx[:1].size, len(dx))]
    launch(dout, w, *sizes, *jumps(stride, dilation)[0], F // groups, CG, dx)


def backward_weight_in_c(dout, x, stride, pad, dilation, groups, dw):
    F, CG, KH, KW = dw.shape
    sizes = numbers(x.shape, (KH, KW), stride, pad, dilation, dout.shape[2:])
    taps = 1 if (KH, KW) == (3, 3) else KH * KW
    cells = dout.size // F
    count = parts(F * CG * taps, cells, THREADS)
    (blocks,), block = one_block_each(F * CG, -(-cells // count))
    how = Cut("groups", (blocks, taps, count), block, count, -(-cells // count))
    launch = SOURCE(dw.dtype).groups_backward_weight[how.grid, how.block]
    in_parts(how, lambda _, to: launch(dout, x, *sizes, F // groups, CG, how.length, to), None, dw)


def _by_rows(x, w, stride, pad, dilation, out):
    """Whether depthwise_rows takes it: one channel to one, 3x3 windows of stride 1, rows whose packs are whole."""
    plain = w.shape[1:] == (1, 3, 3) and x.shape[1] == out.shape[1] and stride == dilation == (1, 1)
    return plain and pad[2:] == (1, 1) and x.shape[3] * x.itemsize % 16 == 0


def _rows(x, w, b, top, turned, out):
    """x to out (N, C, OH, W), with `top` rows of padding above, which may be negative."""
    (N, C, H, W), OH = x.shape, out.shape[2]
    geometry = by_image(C * -(-OH // ROWS) * (W * x.itemsize // 16), N)
    SOURCE(out.dtype).depthwise_rows[geometry](x, w, b, N, C, H, W, top, OH, turned, out)
