"""im2col: every window of the image as a column."""

import numpy as np

from ..shapes import check_ndim, window_output
from .jit import index, jit


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
    (SH, SW), (DH, DW), (top, bottom, left, right) = stride, dilation, pad
    # One padded channel, which stays in the processor's cache: all windows are then read without a question.
    padded = np.zeros((top + H + bottom, left + W + right), x.dtype)
    for c in range(C):
        for y in range(H):
            for column in range(W):
                padded[index(y + top), index(column + left)] = x[c, y, column]
        for i in range(KH):
            for j in range(KW):
                for oy in range(OH):
                    y = index(oy * SH + i * DH)
                    if SW == 1:  # apart, so that it becomes a plain copy
                        for ox in range(OW):
                            out[c, i, j, oy, ox] = padded[y, index(ox + j * DW)]
                    else:
                        for ox in range(OW):
                            out[c, i, j, oy, ox] = padded[y, index(ox * SW + j * DW)]
