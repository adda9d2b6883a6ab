"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications, for 3x3 windows of stride 1.

    out tile = A' [ sum over channels of (G w G') * (B' x B) ] A          * number by number

Every 4x4 tile of the output is read off a 6x6 tile of the input; each of the 36 numbers of a transformed tile is a
matrix product of its own, (F, C) times (C, tiles). F(2x2, 3x3) would round less, but it saves only 2.25 times the
multiplications, and its transformed tiles are 4 times as large as the image where these are 2.25 times: a card whose
memory brings a number in the time of 60 operations has no use for it. The price is accuracy: errors of 1e-5 of the
largest output in float32, against 1e-6; and a NaN or an infinity spoils all of its tiles.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: F(4x4, 3x3) in section 4.3.
"""

from numba import cuda, types

from ..halves import in_halves
from .device import empty
from .launch import covering, kernel
from .matmul import product, product_in_c
from .raw import Source
from .tiles import round_up

SOURCE = Source("winograd")

NUMBERS = 36  # of a transformed tile
# The transformed tiles and products of so many images at a time are kept as take so many bytes.
WORKSPACE = 2**29

# What a large card does a second, roughly, for the choice between this and a direct product: operations, bytes; and the
# seconds that three more launches take. Estimated, not measured.
OPERATIONS, BYTES, LAUNCHES = 40e12, 3e12, 8e-6
TILE = 64  # the products' smallest tile, of which a part may be empty


def can(w, stride, dilation, groups):
    """Whether it computes this convolution at all; so many channels as a grid has blocks in y."""
    return w.shape[2:] == (3, 3) and stride == dilation == (1, 1) and groups == 1 and max(w.shape[:2]) < 2**16


def pays(w, out_shape):
    """Whether the multiplications that it saves take longer than its transforms; float64 is for those who check."""
    (F, C), (N, _, OH, OW) = w.shape[:2], out_shape
    pixels, tiles = N * OH * OW, round_up(N * -(-OH // 4) * -(-OW // 4), TILE)
    direct = 18 * F * C * pixels / OPERATIONS
    moved = (F + C) * (pixels + 2 * NUMBERS * tiles) + (9 + 2 * NUMBERS) * F * C
    transformed = 2 * NUMBERS * round_up(F, TILE) * C * tiles / OPERATIONS + 4 * moved / BYTES + LAUNCHES
    return w.dtype == "float32" and transformed < direct


# The same steps by Numba and in CUDA C ---------------------------------------------------------------------------


def convolve(x, w, b, pad, turned, out):
    """out = b + x correlated with w, by Numba's kernels.

    x       (N, C, H, W)
    w       (F, C, 3, 3); turned: (C, F, 3, 3), each window turned around, as the gradient to the input reads it
    b       (F,) or None
    pad     (top, left); may be negative
    out     (N, F, OH, OW)
    """
    flat = w.reshape(-1)
    bias, biased = flat if b is None else b, b is not None

    def filters(u):
        _filters[covering(u[0].size, 128)](flat, turned, u)

    def tiles(x, sizes, v):
        _tiles[covering(v[0].size, 128)](x.reshape(-1), sizes, v)

    def pixels(m, sizes, out):
        _pixels[covering(m[0].size, 128)](m, bias, biased, sizes, out)

    _convolve(x, w, pad, turned, out, filters, tiles, product, pixels)


def convolve_in_c(x, w, b, pad, turned, out):
    """The same in CUDA C."""
    module = SOURCE(out.dtype)

    def filters(u):
        module.filters[covering(u[0].size, 128)](w, u, u[0].size, turned)

    def tiles(x, sizes, v):
        module.tiles[_by_channel(v)](x, v, *sizes, v.shape[2])

    def pixels(m, sizes, out):
        module.pixels[_by_channel(m)](m, b, out, *sizes[5:], out.shape[2], out.shape[3], *m.shape[1:])

    _convolve(x, w, pad, turned, out, filters, tiles, product_in_c, pixels)


def _by_channel(v):
    """(grid, block): a thread for each tile of a channel, and no division to tell them apart."""
    (across,), block = covering(v.shape[2], 128)
    return (across, v.shape[1]), block


def _convolve(x, w, pad, turned, out, filters, tiles, product, pixels):
    """The four steps, for so many images at a time as the workspace holds.

    u   (36, F, C)      the transformed filters; turned, (36, C, F), and the sum runs over their first dimension
    v   (36, C, tiles)  the transformed tiles, their number rounded up to whole packs of 16 bytes
    m   (36, F, tiles)  their products
    """
    (N, C), (F, OH, OW) = x.shape[:2], out.shape[1:]
    if not out.size:
        return
    down, across = -(-OH // 4), -(-OW // 4)
    u = empty((NUMBERS, *w.shape[:2]), out.dtype)
    filters(u)
    steps = (1, w.shape[1]) if turned else (w.shape[1], 1)
    held = WORKSPACE // (NUMBERS * (C + F) * down * across * out.itemsize)

    def run(x, out):
        # Half the batch takes half the workspace, too.
        portion = max(min(held, N) * len(x) // N, 1)
        for at in range(0, len(x), portion):
            images, to = x[at : at + portion], out[at : at + portion]
            P = round_up(len(images) * down * across, 4)
            v, m = empty((NUMBERS, C, P), out.dtype), empty((NUMBERS, F, P), out.dtype)
            sizes = (*images.shape[1:], pad[0], pad[1], len(images), down, across)
            tiles(images, sizes, v)
            product(u.reshape(-1), steps, v.reshape(-1), (P, 1), m, C)
            pixels(m, sizes, to)
            del v, m  # before the next ones are asked for

    in_halves(run, x, out)


# Numba's kernels -------------------------------------------------------------------------------------------------

SIZES = types.UniTuple(types.int64, 8)  # C, H, W, top, left, images, tiles down, tiles across


@kernel(lambda T: (T[::1], types.boolean, T[:, :, ::1]))
def _filters(w, turned, u):
    """u[:, f, c] = G w[f, c] G', w flat; a filter a thread."""
    number, (F, C) = u.dtype.type, u.shape[1:]
    at = cuda.grid(1)
    if at >= F * C:
        return
    tile = cuda.local.array((6, 6), u.dtype)
    for i in range(3):
        for j in range(3):
            k = i * 3 + j
            tile[i, j] = w[at * 9 + (8 - k if turned else k)]
    quarter, sixth, twelfth, least = number(1 / 4), number(1 / 6), number(1 / 12), number(1 / 24)
    for j in range(3):
        g0, g1, g2 = tile[0, j], tile[1, j], tile[2, j]
        even, odd = least * g0 + sixth * g2, twelfth * g1
        tile[0, j], tile[5, j] = quarter * g0, g2
        tile[1, j], tile[2, j] = -sixth * (g0 + g2 + g1), -sixth * (g0 + g2 - g1)
        tile[3, j], tile[4, j] = even + odd, even - odd
    for i in range(6):
        g0, g1, g2 = tile[i, 0], tile[i, 1], tile[i, 2]
        even, odd = least * g0 + sixth * g2, twelfth * g1
        tile[i, 0], tile[i, 5] = quarter * g0, g2
        tile[i, 1], tile[i, 2] = -sixth * (g0 + g2 + g1), -sixth * (g0 + g2 - g1)
        tile[i, 3], tile[i, 4] = even + odd, even - odd
    for i in range(6):
        for j in range(6):
            u[i * 6 + j, at // C, at % C] = tile[i, j]


@kernel(lambda T: (T[::1], SIZES, T[:, :, ::1]))
def _tiles(x, sizes, v):
    """v[:, c, p] = B' (tile p of channel c) B, x flat; a tile a thread. Tiles past the last image are zeros."""
    C, H, W, top, left, images, down, across = sizes
    at, P, number = cuda.grid(1), v.shape[2], v.dtype.type
    if at >= C * P:
        return
    c, p = at // P, at % P
    n, y, start = p // (down * across), p // across % down * 4 - top, p % across * 4 - left
    tile = cuda.local.array((6, 6), v.dtype)
    for i in range(6):
        for j in range(6):
            row, column = y + i, start + j
            inside = n < images and row >= 0 and row < H and column >= 0 and column < W
            tile[i, j] = x[((n * C + c) * H + row) * W + column] if inside else number(0)
    two, four, five = number(2), number(4), number(5)
    for j in range(6):
        d0, d1, d2, d3, d4, d5 = tile[0, j], tile[1, j], tile[2, j], tile[3, j], tile[4, j], tile[5, j]
        even, odd, near, far = d4 - four * d2, d3 - four * d1, d4 - d2, two * (d3 - d1)
        tile[0, j], tile[5, j] = four * d0 - five * d2 + d4, four * d1 - five * d3 + d5
        tile[1, j], tile[2, j], tile[3, j], tile[4, j] = even + odd, even - odd, near + far, near - far
    for i in range(6):
        d0, d1, d2, d3, d4, d5 = tile[i, 0], tile[i, 1], tile[i, 2], tile[i, 3], tile[i, 4], tile[i, 5]
        even, odd, near, far = d4 - four * d2, d3 - four * d1, d4 - d2, two * (d3 - d1)
        tile[i, 0], tile[i, 5] = four * d0 - five * d2 + d4, four * d1 - five * d3 + d5
        tile[i, 1], tile[i, 2], tile[i, 3], tile[i, 4] = even + odd, even - odd, near + far, near - far
    for i in range(6):
        for j in range(6):
            v[i * 6 + j, c, p] = tile[i, j]


@kernel(lambda T: (T[:, :, ::1], T[::1], types.boolean, SIZES, T[:, :, :, ::1]))
def _pixels(m, b, biased, sizes, out):
    """out's tile p of channel f = b[f] + A' m[:, f, p] A; a tile a thread."""
    images, down, across = sizes[5], sizes[6], sizes[7]
    at, F, P, number = cuda.grid(1), m.shape[1], m.shape[2], m.dtype.type
    f, p = at // P, at % P
    n, y, x = p // (down * across), p // across % down * 4, p % across * 4
    if f >= F or n >= images:
        return
    tile = cuda.local.array((6, 6), m.dtype)
    for i in range(6):
        for j in range(6):
            tile[i, j] = m[i * 6 + j, f, p]
    bias = b[f] if biased else number(0)
    two, four, eight = number(2), number(4), number(8)
    for j in range(6):
        m0, m1, m2, m3, m4, m5 = tile[0, j], tile[1, j], tile[2, j], tile[3, j], tile[4, j], tile[5, j]
        even, odd, wide, narrow = m1 + m2, m1 - m2, m3 + m4, m3 - m4
        tile[0, j], tile[1, j] = m0 + even + wide, odd + two * narrow
        tile[2, j], tile[3, j] = even + four * wide, odd + eight * narrow + m5
    for i in range(4):
        m0, m1, m2, m3, m4, m5 = tile[i, 0], tile[i, 1], tile[i, 2], tile[i, 3], tile[i, 4], tile[i, 5]
        even, odd, wide, narrow = m1 + m2, m1 - m2, m3 + m4, m3 - m4
        tile[i, 0], tile[i, 1] = m0 + even + wide, odd + two * narrow
        tile[i, 2], tile[i, 3] = even + four * wide, odd + eight * narrow + m5
    for i in range(4):
        for j in range(4):
            if y + i < out.shape[2] and x + j < out.shape[3]:
                out[n, f, y + i, x + j] = tile[i, j] + bias
