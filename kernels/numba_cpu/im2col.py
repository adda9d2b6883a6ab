"""im2col: every window of the image as a column."""

import numpy as np

from ..shapes import check_ndim, window_output
from .jit import jit


def im2col(x, kernel, stride, pad, dilation):
    check_ndim("x", x.shape, 4)
    (N, C, H, W), (KH, KW) = x.shape, kernel
    OH, OW = window_output((H, W), kernel, stride, pad, dilation)
    x = np.ascontiguousarray(x)
    cols = np.empty((N, C * KH * KW, OH * OW), x.dtype)
    for n in range(N):
        fill_columns(x[n], stride, pad, dilation, cols[n].reshape(C, KH, KW, OH, OW))
    return cols


@jit
def fill_columns(x, stride, pad, dilation, out):
    """The columns of one image, every cell written.

    x       (C, H, W)
    out     (C, KH, KW, OH, OW)
    """
    (C, H, W), (_, KH, KW, OH, OW) = x.shape, out.shape
    (SH, SW), (DH, DW), top, left = stride, dilation, pad[0], pad[2]
    for c in range(C):
        for i in range(KH):
            for j in range(KW):
                first, last = inside(j * DW - left, SW, W, OW)
                for oy in range(OH):
                    y = oy * SH - top + i * DH
                    row = out[c, i, j, oy]
                    if y < 0 or y >= H:
                        row[:] = 0
                        continue
                    row[:first] = 0
                    if SW == 1:  # apart, so that it becomes a plain copy
                        row[first:last] = x[c, y, first + j * DW - left : last + j * DW - left]
                    else:
                        for ox in range(first, last):
                            row[ox] = x[c, y, ox * SW + j * DW - left]
                    row[last:] = 0


@jit
def inside(start, step, size, count):
    """The range [first, last) of the o in [0, count) for which start + o*step is in [0, size)."""
    first = min(max(-(start // step), 0), count)
    last = min(max(-((start - size) // step), first), count)
    return first, last
