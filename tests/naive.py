"""What the kernels mean, as plain loops over the definitions: the first link of the chain that all tests hang on.

Names and signatures are those of `kernels/contract.py`. Nothing here is fast or clever, and nothing is shared with
`kernels/`. Sums are Python floats, so they carry float64 whatever the arrays are.
"""

import math

import numpy as np


def starts(size, kernel, stride, before, after, dilation=1, ceil_mode=False):
    """Where the windows along one axis begin, in the image's own coordinates.

    A window is there if it ends inside the padded image; with ceil_mode it may also end up to stride - 1 cells later,
    but the last one must not begin past the image.
    """
    reach = (kernel - 1) * dilation + 1
    end = size + after + (stride - 1 if ceil_mode else 0)
    found = []
    start = -before
    while start + reach <= end:
        found.append(start)
        start += stride
    if ceil_mode and found and found[-1] >= size:
        found.pop()
    return found


def window_starts(hw, kernel, stride, pad, dilation=(1, 1), ceil_mode=False):
    """The rows and the columns at which windows begin."""
    top, bottom, left, right = pad
    rows = starts(hw[0], kernel[0], stride[0], top, bottom, dilation[0], ceil_mode)
    columns = starts(hw[1], kernel[1], stride[1], left, right, dilation[1], ceil_mode)
    return rows, columns


def indices(*sizes):
    """All index tuples, row-major."""
    return np.ndindex(*sizes)


def within(y, x, hw):
    return 0 <= y < hw[0] and 0 <= x < hw[1]


# Columns and convolution -------------------------------------------------------------------------


def im2col(x, kernel, stride, pad, dilation):
    N, C, H, W = x.shape
    rows, columns = window_starts((H, W), kernel, stride, pad, dilation)
    cols = np.zeros((N, C, *kernel, len(rows), len(columns)), x.dtype)
    for n, c, i, j, oy, ox in indices(*cols.shape):
        y, xx = rows[oy] + i * dilation[0], columns[ox] + j * dilation[1]
        if within(y, xx, (H, W)):
            cols[n, c, i, j, oy, ox] = x[n, c, y, xx]
    return cols.reshape(N, C * kernel[0] * kernel[1], len(rows) * len(columns))


def col2im(cols, x_shape, kernel, stride, pad, dilation):
    N, C, H, W = x_shape
    rows, columns = window_starts((H, W), kernel, stride, pad, dilation)
    cells = cols.reshape(N, C, *kernel, len(rows), len(columns))
    x = np.zeros(x_shape)
    for n, c, i, j, oy, ox in indices(*cells.shape):
        y, xx = rows[oy] + i * dilation[0], columns[ox] + j * dilation[1]
        if within(y, xx, (H, W)):
            x[n, c, y, xx] += cells[n, c, i, j, oy, ox]
    return x.astype(cols.dtype)


def matmul(a, b):
    out = np.zeros((a.shape[0], b.shape[1]))
    for m, n in indices(*out.shape):
        out[m, n] = sum(float(a[m, k]) * float(b[k, n]) for k in range(a.shape[1]))
    return out.astype(a.dtype)


def conv2d_products(x_shape, w_shape, stride, pad, dilation, groups):
    """Every multiplication of a convolution: (the out's index, the w's index, the x's index)."""
    (N, _, H, W), (F, CG, KH, KW) = x_shape, w_shape
    rows, columns = window_starts((H, W), (KH, KW), stride, pad, dilation)
    for n, f, oy, ox, c, i, j in indices(N, F, len(rows), len(columns), CG, KH, KW):
        first_channel = f // (F // groups) * CG
        y, xx = rows[oy] + i * dilation[0], columns[ox] + j * dilation[1]
        if within(y, xx, (H, W)):
            yield (n, f, oy, ox), (f, c, i, j), (n, first_channel + c, y, xx)


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    rows, columns = window_starts(x.shape[2:], w.shape[2:], stride, pad, dilation)
    out = np.zeros((x.shape[0], w.shape[0], len(rows), len(columns)))
    for at_out, at_w, at_x in conv2d_products(x.shape, w.shape, stride, pad, dilation, groups):
        out[at_out] += float(w[at_w]) * float(x[at_x])
    for f in range(w.shape[0]):
        out[:, f] += 0 if b is None else float(b[f])
    return out.astype(x.dtype)


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    dx = np.zeros(x_shape)
    for at_out, at_w, at_x in conv2d_products(x_shape, w.shape, stride, pad, dilation, groups):
        dx[at_x] += float(w[at_w]) * float(dout[at_out])
    return dx.astype(dout.dtype)


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    dw = np.zeros(w_shape)
    for at_out, at_w, at_x in conv2d_products(x.shape, w_shape, stride, pad, dilation, groups):
        dw[at_w] += float(x[at_x]) * float(dout[at_out])
    return dw.astype(dout.dtype)


# Several inputs ----------------------------------------------------------------------------------


def add(a, b):
    out = np.empty(a.shape, a.dtype)
    for at in indices(*a.shape):
        out[at] = a[at] + b[at]
    return out


def concat(xs):
    N, _, *rest = xs[0].shape
    out = np.empty((N, sum(x.shape[1] for x in xs), *rest), xs[0].dtype)
    c = 0
    for x in xs:
        for channel in range(x.shape[1]):
            for at in indices(N, *rest):
                out[(at[0], c, *at[1:])] = x[(at[0], channel, *at[1:])]
            c += 1
    return out


# ReLU --------------------------------------------------------------------------------------------


def relu_forward(x):
    out = np.empty_like(x)
    for at in indices(*x.shape):
        out[at] = x[at] if x[at] > 0 or math.isnan(x[at]) else 0.0
    return out


def relu_backward(dout, x):
    dx = np.zeros_like(dout)
    for at in indices(*x.shape):
        if x[at] > 0:
            dx[at] = dout[at]
    return dx


# Pooling -----------------------------------------------------------------------------------------


def real_cells(start_y, start_x, kernel, dilation, hw):
    """The window's cells inside the image, row-major: (number inside the window, row, column)."""
    cells = []
    for i, j in indices(*kernel):
        y, x = start_y + i * dilation[0], start_x + j * dilation[1]
        if within(y, x, hw):
            cells.append((i * kernel[1] + j, y, x))
    return cells


def first_largest(values):
    """The position of the first NaN, or else of the first of the largest."""
    for position, value in enumerate(values):
        if math.isnan(value):
            return position
    return values.index(max(values))


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    N, C, H, W = x.shape
    rows, columns = window_starts((H, W), kernel, stride, pad, dilation, ceil_mode)
    out = np.full((N, C, len(rows), len(columns)), -math.inf, x.dtype)
    argmax = np.zeros(out.shape, np.int32)
    for n, c, oy, ox in indices(*out.shape):
        cells = real_cells(rows[oy], columns[ox], kernel, dilation, (H, W))
        if cells:
            number, y, xx = cells[first_largest([float(x[n, c, y, xx]) for _, y, xx in cells])]
            out[n, c, oy, ox], argmax[n, c, oy, ox] = x[n, c, y, xx], number
    return out, argmax


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    dx = np.zeros(x_shape)
    for n, c, oy, ox in indices(*dout.shape):
        # A ceil_mode window begins where one more without ceil_mode would, so its place needs no count.
        start_y, start_x = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        for number, y, x in real_cells(start_y, start_x, kernel, dilation, x_shape[2:]):
            if number == argmax[n, c, oy, ox]:
                dx[n, c, y, x] += dout[n, c, oy, ox]
    return dx.astype(dout.dtype)


def avg_pool_area(start_y, start_x, kernel, pad, hw, count_include_pad):
    """By how much the sum of a window's real cells is divided."""
    top, bottom, left, right = pad
    area = 0
    for i, j in indices(*kernel):
        y, x = start_y + i, start_x + j
        in_image = within(y, x, hw)
        in_padded = -top <= y < hw[0] + bottom and -left <= x < hw[1] + right
        area += in_padded if count_include_pad else in_image
    return max(area, 1)


def avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad):
    N, C, H, W = x.shape
    rows, columns = window_starts((H, W), kernel, stride, pad, (1, 1), ceil_mode)
    out = np.zeros((N, C, len(rows), len(columns)), x.dtype)
    for n, c, oy, ox in indices(*out.shape):
        cells = real_cells(rows[oy], columns[ox], kernel, (1, 1), (H, W))
        area = avg_pool_area(rows[oy], columns[ox], kernel, pad, (H, W), count_include_pad)
        out[n, c, oy, ox] = sum(float(x[n, c, y, xx]) for _, y, xx in cells) / area
    return out


def avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad):
    dx = np.zeros(x_shape)
    for n, c, oy, ox in indices(*dout.shape):
        start_y, start_x = oy * stride[0] - pad[0], ox * stride[1] - pad[2]
        area = avg_pool_area(start_y, start_x, kernel, pad, x_shape[2:], count_include_pad)
        for _, y, x in real_cells(start_y, start_x, kernel, (1, 1), x_shape[2:]):
            dx[n, c, y, x] += float(dout[n, c, oy, ox]) / area
    return dx.astype(dout.dtype)


# Local response normalisation --------------------------------------------------------------------


def lrn_neighbours(c, size, channels):
    """The channels whose squares normalise channel c."""
    return [other for other in range(c - size // 2, c - size // 2 + size) if 0 <= other < channels]


def lrn_forward(x, size, alpha, beta, k):
    out, scale = np.zeros(x.shape), np.zeros(x.shape)
    for n, c, y, xx in indices(*x.shape):
        squares = sum(float(x[n, other, y, xx]) ** 2 for other in lrn_neighbours(c, size, x.shape[1]))
        scale[n, c, y, xx] = k + alpha / size * squares
        out[n, c, y, xx] = float(x[n, c, y, xx]) / scale[n, c, y, xx] ** beta
    return out.astype(x.dtype), scale.astype(x.dtype)


def lrn_backward(dout, x, scale, size, alpha, beta):
    """Entry by entry of the Jacobian: out[c] = x[c] * scale[c]^-beta, scale[c] = k + alpha/size * sum of squares.

    d out[c] / d x[c'] = [c = c'] * scale[c]^-beta
                         - beta * x[c] * scale[c]^(-beta-1) * alpha/size * 2 * x[c'] * [c' is a neighbour of c]
    """
    dx = np.zeros(x.shape)
    for n, c, y, xx in indices(*x.shape):
        s, value = float(scale[n, c, y, xx]), float(x[n, c, y, xx])
        d = float(dout[n, c, y, xx])
        dx[n, c, y, xx] += d * s**-beta
        for other in lrn_neighbours(c, size, x.shape[1]):
            slope = -beta * value * s ** (-beta - 1) * alpha / size * 2 * float(x[n, other, y, xx])
            dx[n, other, y, xx] += d * slope
    return dx.astype(dout.dtype)


# Batch normalisation -----------------------------------------------------------------------------


def channel_values(x, c):
    """All that the batch holds of channel c, as Python floats."""
    return [float(value) for value in x[:, c].ravel()]


def batch_norm_statistics(x):
    C = x.shape[1]
    mean, var = np.zeros(C), np.zeros(C)
    for c in range(C):
        values = channel_values(x, c)
        mean[c] = sum(values) / len(values)
        var[c] = sum((value - mean[c]) ** 2 for value in values) / len(values)
    return mean, var


def batch_norm_forward(x, mean, inverse_std, w, b):
    out = np.empty(x.shape, x.dtype)
    for at in indices(*x.shape):
        c = at[1]
        out[at] = (float(x[at]) - mean[c]) * inverse_std[c] * float(w[c]) + float(b[c])
    return out


def batch_norm_backward_params(dout, x, mean, inverse_std):
    dw, db = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for at in indices(*x.shape):
        c = at[1]
        dw[c] += float(dout[at]) * (float(x[at]) - mean[c]) * inverse_std[c]
        db[c] += float(dout[at])
    return dw, db


def batch_norm_backward_input(dout, x, mean, inverse_std, w, sums):
    dx = np.empty(x.shape, x.dtype)
    for at in indices(*x.shape):
        c, d = at[1], float(dout[at])
        if sums is not None:
            xhat, M = (float(x[at]) - mean[c]) * inverse_std[c], len(channel_values(x, c))
            d -= sums[1][c] / M + xhat * sums[0][c] / M
        dx[at] = d * inverse_std[c] * float(w[c])
    return dx


# Softmax -----------------------------------------------------------------------------------------


def positions(shape):
    """An index of x (N, C, ...) for every position: the classes are left open."""
    return [(n, slice(None), *rest) for n, *rest in indices(shape[0], *shape[2:])]


def softmax_forward(x):
    out = np.empty(x.shape, x.dtype)
    for at in positions(x.shape):
        scores = [float(score) for score in x[at]]
        powers = [math.exp(score - max(scores)) for score in scores]
        out[at] = [power / sum(powers) for power in powers]
    return out


def softmax_backward(dout, out):
    """Entry by entry of the Jacobian: d out[c] / d x[c'] = out[c] * ([c = c'] - out[c'])."""
    dx = np.zeros(out.shape)
    for at in positions(out.shape):
        probabilities, d = [float(p) for p in out[at]], [float(g) for g in dout[at]]
        for c, p in enumerate(probabilities):
            for other, q in enumerate(probabilities):
                dx[at][other] += d[c] * p * ((c == other) - q)
    return dx.astype(out.dtype)
