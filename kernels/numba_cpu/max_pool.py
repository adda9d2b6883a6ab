"""Max pooling: every output is the first of the largest real cells of its window."""

import numpy as np

from ..shapes import check_ndim, check_pooled, check_same, window_output
from .jit import index, jit
from .window import inside


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    check_ndim("x", x.shape, 4)
    N, C, H, W = x.shape
    OH, OW = window_output((H, W), kernel, stride, pad, dilation, ceil_mode)
    planes = np.ascontiguousarray(x).reshape(N * C, H, W)
    out = np.empty((N * C, OH, OW), x.dtype)
    argmax = np.empty((N * C, OH, OW), np.int32)
    _forward(planes, kernel, stride, pad, dilation, argmax, out)
    return out.reshape(N, C, OH, OW), argmax.reshape(N, C, OH, OW)


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    check_pooled(dout, x_shape, kernel, stride, pad, dilation)
    check_same("argmax", argmax.shape, "dout", dout.shape)
    N, C, H, W = x_shape
    planes = np.ascontiguousarray(dout).reshape(N * C, *dout.shape[2:])
    argmax = np.ascontiguousarray(argmax, np.int32).reshape(planes.shape)
    dx = np.zeros((N * C, H, W), dout.dtype)
    _backward(planes, argmax, kernel, stride, pad, dilation, dx)
    return dx.reshape(x_shape)


@jit
def _forward(x, kernel, stride, pad, dilation, argmax, out):
    """x (P, H, W), one plane an image and channel; argmax and out (P, OH, OW)."""
    (P, H, W), (_, OH, OW), (KH, KW) = x.shape, out.shape, kernel
    (SH, SW), (DH, DW), top, left = stride, dilation, pad[0], pad[2]
    for p in range(P):
        for oy in range(OH):
            best, arg = out[p, oy], argmax[p, oy]
            best[:] = -np.inf
            arg[:] = -1
            for i in range(KH):
                y = oy * SH - top + i * DH
                if y < 0 or y >= H:
                    continue
                # All windows of the row look at their cell (i, j) together: a loop that is vectorised.
                for j in range(KW):
                    shift, cell = j * DW - left, np.int32(i * KW + j)
                    first, last = inside(shift, SW, W, OW)
                    for ox in range(first, last):
                        value, old = x[p, index(y), index(ox * SW + shift)], best[index(ox)]
                        # The first of equals stays; the first NaN wins, with which no comparison is true.
                        wins = (value > old) | ((value != value) & (old == old)) | (arg[index(ox)] < 0)
                        best[index(ox)] = value if wins else old
                        arg[index(ox)] = cell if wins else arg[index(ox)]
            for ox in range(OW):
                arg[ox] = max(arg[ox], 0)  # a window of nothing but padding


@jit
def _backward(dout, argmax, kernel, stride, pad, dilation, out):
    """dout, argmax (P, OH, OW); out (P, H, W), zero at first. Each plane is summed by one loop, so no sum races."""
    (P, H, W), (_, OH, OW), KW = out.shape, dout.shape, kernel[1]
    (SH, SW), (DH, DW), top, left = stride, dilation, pad[0], pad[2]
    for p in range(P):
        for oy in range(OH):
            for ox in range(OW):
                i, j = divmod(argmax[p, oy, ox], KW)
                y, x = oy * SH - top + i * DH, ox * SW - left + j * DW
                if 0 <= y < H and 0 <= x < W:  # else the window was all padding
                    out[p, y, x] += dout[p, oy, ox]
