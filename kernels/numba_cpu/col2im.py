"""col2im: the adjoint of im2col, as a gather: every row of the image collects what was read from it."""

import numpy as np

from ..shapes import check_cols
from .jit import index, jit


def col2im(cols, x_shape, kernel, stride, pad, dilation):
    OH, OW = check_cols(cols, x_shape, kernel, stride, pad, dilation)
    N, C, _, _ = x_shape
    cols = np.ascontiguousarray(cols).reshape(N, C, *kernel, OH, OW)
    x = np.empty(x_shape, cols.dtype)
    for n in range(N):
        gather_columns(cols[n], stride, pad, dilation, x[n])
    return x


@jit
def gather_columns(cols, stride, pad, dilation, out):
    """One image from its columns, every cell written.

    cols    (C, KH, KW, OH, OW)
    out     (C, H, W)
    """
    (C, H, W), (_, KH, KW, OH, OW) = out.shape, cols.shape
    (SH, SW), (DH, DW), (top, _, left, right) = stride, dilation, pad
    row = np.empty(left + W + right, out.dtype)  # with its padding, which collects too and is thrown away
    for c in range(C):
        for y in range(H):
            row[:] = 0
            for i in range(KH):
                # im2col read y = oy*SH - top + i*DH
                oy, rest = divmod(y + top - i * DH, SH)
                if rest != 0 or oy < 0 or oy >= OH:
                    continue
                for j in range(KW):
                    if SW == 1:  # apart, so that it adds several at once
                        for ox in range(OW):
                            row[index(ox + j * DW)] += cols[c, i, j, index(oy), ox]
                    else:
                        for ox in range(OW):
                            row[index(ox * SW + j * DW)] += cols[c, i, j, index(oy), ox]
            for column in range(W):
                out[c, y, column] = row[index(column + left)]
