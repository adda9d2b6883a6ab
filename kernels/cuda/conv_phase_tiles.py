"""The input gradient of a convolution by products in CUDA C: windows of one pixel, and any other by a stride's phases.

First the weights are turned: the sum goes over the taps of a phase and, for each, over the filters, and in that order
they are laid, so that a tile reads them 16 bytes at a time.
"""

from .conv_phases import phases
from .device import empty
from .launch import covering
from .raw import Source
from .tiles import DEPTH, Cut, cut, in_parts, parts, round_up

SOURCE = Source("conv_backward_input")

# Of so many channels, those of a picture, a thread computes all, for FEW_PIXELS pixels: rows of tiles would be empty.
FEW, FEW_PIXELS, FEW_THREADS = 4, 4, 256
FEW_SHORTEST = 32  # terms of a part of a sum


def pixels_in_c(dout, w, groups, dx):
    """dx of 1x1 windows, one after the other: a plain product."""
    (N, F, H, W), CG = dout.shape, w.shape[1]
    how = cut(CG, N * H * W, F // groups, groups, dx.itemsize)
    launch = getattr(SOURCE(w.dtype), f"pixels_{how.size}")[how.grid, how.block]
    in_parts(how, lambda _, to: launch(dout, w, to, N, F // groups, CG, H * W, how.length), None, dx)


def phases_in_c(dout, w, stride, pad, dilation, groups, dx):
    """dx of any windows."""
    found, products = phases(dx.shape[2:], w.shape[2:], stride, pad, dilation), []
    for rows, columns in found:
        depth = rows.taps * columns.taps * _filters(w, groups)
        products.append((depth, _cut(w.shape[1], len(dx) * rows.count * columns.count, depth, groups, dx.itemsize)))
    longest = max(products)[1]

    def run(_, to):
        if not all(depth for depth, _ in products):
            to.fill(0)  # what no window reads
        for (depth, how), (rows, columns) in zip(products, found):
            if not depth:
                continue
            length = round_up(-(-depth // longest.parts), DEPTH)
            how = how._replace(grid=(*how.grid[:2], longest.parts), parts=longest.parts, length=length)
            _phase(dout, w, rows, columns, groups, how, dx.shape, to)

    in_parts(longest, run, None, dx)


def _filters(w, groups):
    return max(round_up(w.shape[0] // groups, DEPTH), DEPTH)


def _cut(rows, columns, depth, groups, itemsize):
    if rows > FEW:
        return cut(rows, columns, depth, groups, itemsize)
    blocks = -(-columns // (FEW_THREADS * FEW_PIXELS))
    count = parts(2 * blocks * groups, depth, FEW_SHORTEST)  # they are as large as blocks of large tiles
    return Cut("few", (blocks, groups, count), (FEW_THREADS,), count, round_up(-(-depth // count), DEPTH))


def _phase(dout, w, rows, columns, groups, how, shape, to):
    """One phase of dx, of that shape, into `to`; its parts if they are several."""
    FG, CG, KH, KW = w.shape[0] // groups, *w.shape[1:]
    filters, channels, source = _filters(w, groups), round_up(CG, FEW), SOURCE(w.dtype)
    weights = empty((groups, rows.taps * columns.taps, filters, channels), w.dtype)
    taps = (rows.tap, rows.every, rows.taps, columns.tap, columns.every, columns.taps)
    turn = source.turn_weights[covering(groups * filters * channels)]
    turn(w, weights, groups, FG, CG, KH, KW, filters, channels, *taps)
    axes = [(a.first, a.count, a.step, a.taps, a.cell, a.back) for a in (rows, columns)]
    launch = getattr(source, f"gradient_{how.size}")[how.grid, how.block]
    sizes = (shape[0], FG, CG, *shape[2:], *dout.shape[2:], filters, channels)
    launch(dout, weights, to, *sizes, *axes[0], *axes[1], how.length)
