"""Winograd's transforms F(4x4, 3x3), a vector of tiles at a time, in registers from the first load to the store.

    input       B' d B    6x6 cells      -> 36 numbers
    filter      G g G'    3x3 taps       -> 36 numbers
    product     A' m A    36 numbers     -> 4x4 pixels

and, for the gradient of the filters, the adjoints of the last two:

    gradient    A d A'    4x4 pixels     -> 36 numbers
    sum         G' u G    36 numbers     -> 3x3 taps

    B' = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
          [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    G  = [[1/4, 0, 0], [-1/6, -1/6, -1/6], [-1/6, 1/6, -1/6], [1/24, 1/12, 1/6], [1/24, -1/12, 1/6], [0, 0, 1]]
    A' = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]

Lavin & Gray, CVPR 2016, section 4.3. Each matrix is applied to the columns, then to the rows.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .tiles import Emitter, pointer

_INT, _I32 = ir.IntType(64), ir.IntType(32)


def _input(e, d):
    """B' d"""
    even, odd = e.scale_add(-4, d[2], d[4]), e.scale_add(-4, d[1], d[3])
    far, near = e.sub(d[4], d[2]), e.scale(2, e.sub(d[3], d[1]))
    first, last = (e.scale_add(4, d[k], e.scale_add(-5, d[k + 2], d[k + 4])) for k in (0, 1))
    return [first, e.add(even, odd), e.sub(even, odd), e.add(far, near), e.sub(far, near), last]


def _filter(e, g):
    """G g"""
    even, odd = e.scale(-1 / 6, e.add(g[0], g[2])), e.scale(-1 / 6, g[1])
    wide, narrow = e.scale_add(1 / 24, g[0], e.scale(1 / 6, g[2])), e.scale(1 / 12, g[1])
    return [
        e.scale(1 / 4, g[0]), e.add(even, odd), e.sub(even, odd), e.add(wide, narrow), e.sub(wide, narrow), g[2]
    ]  # fmt: skip


def _product(e, m):
    """A' m"""
    plus, minus, plus2, minus2 = e.add(m[1], m[2]), e.sub(m[1], m[2]), e.add(m[3], m[4]), e.sub(m[3], m[4])
    return [
        e.add(m[0], e.add(plus, plus2)),
        e.scale_add(2, minus2, minus),
        e.scale_add(4, plus2, plus),
        e.add(e.scale_add(8, minus2, minus), m[5]),
    ]


def _gradient(e, d):
    """A d"""
    even, odd = e.add(d[0], d[2]), e.add(d[1], d[3])
    wide, narrow = e.scale_add(4, d[2], d[0]), e.scale(2, e.scale_add(4, d[3], d[1]))
    return [d[0], e.add(even, odd), e.sub(even, odd), e.add(wide, narrow), e.sub(wide, narrow), d[3]]


def _sum(e, u):
    """G' u"""
    plus, minus, plus2, minus2 = e.add(u[1], u[2]), e.sub(u[2], u[1]), e.add(u[3], u[4]), e.sub(u[3], u[4])
    return [
        e.scale_add(1 / 4, u[0], e.scale_add(-1 / 6, plus, e.scale(1 / 24, plus2))),
        e.scale_add(1 / 6, minus, e.scale(1 / 12, minus2)),
        e.scale_add(1 / 6, e.sub(plus2, plus), u[5]),
    ]


def _both_ways(e, apply, tile):
    """L t L' of a square of vectors, apply(e, t) = L t."""
    columns = [apply(e, column) for column in zip(*tile)]
    return [apply(e, row) for row in zip(*columns)]


@intrinsic
def transform_input(typingctx, lines, size, across, q, v, at, step):
    """v[at + (6i + j)*step + l] = number (i, j) of the tile whose cells begin at place q + l of the lines, l < lanes.

    lines  flat; line (i % 4)*4 + j % 4 has the cells (i, j) of all tiles, size apart; the next four rows begin `across`
           further on, the next four columns 1
    """

    def emit(context, builder, signature, args):
        _, size, across, q, _, at, step = args
        e = Emitter(context, builder, types.float32)
        lines, v = e.at(pointer(context, builder, signature, args, 0), q), pointer(context, builder, signature, args, 4)
        below = [lines, e.at(lines, across)]
        tile = [
            [e.load(e.at(below[i // 4], builder.mul(size, _INT(i % 4 * 4 + j % 4)), _INT(j // 4))) for j in range(6)]
            for i in range(6)
        ]
        _store(e, _both_ways(e, _input, tile), e.at(v, at), step)
        return context.get_dummy_value()

    n = types.intp
    return types.void(lines, n, n, n, v, n, n), emit


def _filter_transform(turn):
    @intrinsic
    def transform(typingctx, g, u, at, step):
        def emit(context, builder, signature, args):
            e = Emitter(context, builder, types.float32)
            g, u = (pointer(context, builder, signature, args, k) for k in (0, 1))
            taps = _apart(e, [e.load(e.at(g, _INT(k * e.lanes))) for k in range(9)])
            taps = taps[::-1] if turn else taps
            _store(e, _both_ways(e, _filter, [taps[3 * i : 3 * i + 3] for i in range(3)]), e.at(u, args[2]), args[3])
            return context.get_dummy_value()

        return types.void(g, u, types.intp, types.intp), emit

    return transform


# u[at + (6i + j)*step + l] = number (i, j) of the filter g[9l : 9l + 9], or of that filter turned around; l < lanes.
transform_filters, transform_turned_filters = _filter_transform(False), _filter_transform(True)


@intrinsic
def transform_products(typingctx, m, at, step, bias, lines, size, q):
    """lines[(4i + j)*size + q + l] = bias + pixel (i, j) of the tile m[at + (6i + j)*step + l], l < lanes."""

    def emit(context, builder, signature, args):
        _, at, step, bias, _, size, q = args
        e = Emitter(context, builder, types.float32)
        m = e.at(pointer(context, builder, signature, args, 0), at)
        lines = e.at(pointer(context, builder, signature, args, 4), q)
        tile = [[e.load(e.at(m, builder.mul(step, _INT(6 * i + j)))) for j in range(6)] for i in range(6)]
        bias = e.everywhere(bias)
        pixels = [[e.add(pixel, bias) for pixel in row] for row in _both_ways(e, _product, tile)]
        _store(e, pixels, lines, size)
        return context.get_dummy_value()

    n = types.intp
    return types.void(m, n, n, types.float32, lines, n, n), emit


@intrinsic
def transform_gradients(typingctx, lines, size, q, z, at, step):
    """z[at + (6i + j)*step + l] = number (i, j) of the 4x4 pixels at place q + l of the lines, l < lanes.

    lines  flat; line 4i + j has the pixels (i, j) of all tiles, size apart
    """

    def emit(context, builder, signature, args):
        _, size, q, _, at, step = args
        e = Emitter(context, builder, types.float32)
        lines, z = e.at(pointer(context, builder, signature, args, 0), q), pointer(context, builder, signature, args, 3)
        tile = [[e.load(e.at(lines, builder.mul(size, _INT(4 * i + j)))) for j in range(4)] for i in range(4)]
        _store(e, _both_ways(e, _gradient, tile), e.at(z, at), step)
        return context.get_dummy_value()

    n = types.intp
    return types.void(lines, n, n, z, n, n), emit


@intrinsic
def transform_sums(typingctx, u, at, step, taps):
    """taps[(3i + j)*lanes + l] = tap (i, j) of the filter u[at + (6i + j)*step + l], l < lanes."""

    def emit(context, builder, signature, args):
        _, at, step, _ = args
        e = Emitter(context, builder, types.float32)
        u, taps = e.at(pointer(context, builder, signature, args, 0), at), pointer(context, builder, signature, args, 3)
        tile = [[e.load(e.at(u, builder.mul(step, _INT(6 * i + j)))) for j in range(6)] for i in range(6)]
        _store(e, _both_ways(e, _sum, tile), taps, _INT(e.lanes))
        return context.get_dummy_value()

    n = types.intp
    return types.void(u, n, n, taps), emit


def _store(e, rows, address, step):
    for k, vector in enumerate(vector for row in rows for vector in row):
        e.store(vector, e.at(address, e.builder.mul(step, _INT(k))))


def _apart(e, vectors):
    """The K vectors that have every K-th number of K loaded ones: out[k][l] = flat[K*l + k]."""
    K, found = len(vectors), []
    for k in range(K):
        place = [K * lane + k for lane in range(e.lanes)]
        out = vectors[0]
        for n in range(1, K):
            # What is taken so far stays; vector n brings its own.
            mask = [
                e.lanes + p % e.lanes if p // e.lanes == n else (p if n == 1 else lane) for lane, p in enumerate(place)
            ]
            mask = [p if p < 2 * e.lanes else 0 for p in mask]  # of vectors still to come
            out = e.builder.shuffle_vector(out, vectors[n], ir.Constant(ir.VectorType(_I32, e.lanes), mask))
        found.append(out)
    return found
