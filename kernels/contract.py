"""What a backend is: these functions, with these names and signatures, and no other public functions.

Every array is C-ordered or convertible to it, float32 or float64, and belongs to the backend (`to_device`).
Kernels return new arrays and never write to their inputs. NaN propagates.

Geometry arrives normalised (see `shapes.py`):

    kernel    (KH, KW)
    stride    (SH, SW)
    pad       (top, bottom, left, right), all >= 0
    dilation  (DH, DW)

"Convolution" is cross-correlation. Where a window reaches past the input, the missing cells are padding:
zero for convolution and average pooling, -inf for max pooling.

This file holds no code: a test compares every backend's signatures with it by introspection, and
`reference.py` says in NumPy what each function computes.
"""

xp = None
"""The array module whose arrays the backend computes with: numpy or cupy."""


def to_device(x):
    """x, a NumPy array, as an array of the backend; the same array where the backend computes in host memory."""


def to_host(x):
    """x, an array of the backend, as a NumPy array."""


def im2col(x, kernel, stride, pad, dilation):
    """Every window of the image as a column.

        cols[n, (c*KH + i)*KW + j, oy*OW + ox] = x[n, c, oy*SH - top + i*DH, ox*SW - left + j*DW]

    x       (N, C, H, W)
    cols    (N, C*KH*KW, OH*OW)
    """


def col2im(cols, x_shape, kernel, stride, pad, dilation):
    """The adjoint of im2col: every column is added back to where its window was read. <im2col(x), y> = <x, col2im(y)>.

    cols    (N, C*KH*KW, OH*OW)
    x       (N, C, H, W) = x_shape
    """


def matmul(a, b):
    """out = a @ b.

    a       (M, K)
    b       (K, N)
    out     (M, N)
    """


def conv2d_forward(x, w, b, stride, pad, dilation, groups):
    """Convolution: every output channel reads the input channels of its group.

        out[n, f, oy, ox] = b[f] + sum over c, i, j of
                            w[f, c, i, j] * x[n, g*C/groups + c, oy*SH - top + i*DH, ox*SW - left + j*DW]

    where g = f // (F/groups).

    x       (N, C, H, W)
    w       (F, C/groups, KH, KW)
    b       (F,) or None
    out     (N, F, OH, OW)
    """


def conv2d_backward_input(dout, w, x_shape, stride, pad, dilation, groups):
    """dx, the adjoint of conv2d_forward in x.

    dout    (N, F, OH, OW)
    w       (F, C/groups, KH, KW)
    dx      (N, C, H, W) = x_shape
    """


def conv2d_backward_weight(dout, x, w_shape, stride, pad, dilation, groups):
    """dw, the adjoint of conv2d_forward in w.

    dout    (N, F, OH, OW)
    x       (N, C, H, W)
    dw      (F, C/groups, KH, KW) = w_shape
    """


def add(a, b):
    """out = a + b.

    a, b, out  any shape, the same
    """


def concat(xs):
    """The arrays one after the other along the channels: out[n, C0 + c] = x1[n, c] and so on.

    xs      a sequence of (N, C0, ...), (N, C1, ...), ... alike but for the channels, at least one
    out     (N, C0 + C1 + ..., ...), never one of xs
    """


def relu_forward(x):
    """out = x where x > 0, else 0; NaN stays NaN.

    x, out  any shape
    """


def relu_backward(dout, x):
    """dx = dout where x > 0, else 0; the gradient at 0 is 0.

    dout, x, dx  any shape, the same
    """


def max_pool2d_forward(x, kernel, stride, pad, dilation, ceil_mode):
    """out = max of x over the window; ties go to the first in row-major order; a NaN wins.

    x       (N, C, H, W); padding counts as -inf and is chosen only where a window holds nothing else
    out     (N, C, OH, OW)
    argmax  (N, C, OH, OW) int32, i*KW + j inside the window: the "switches"
    Returns (out, argmax).
    """


def max_pool2d_backward(dout, argmax, x_shape, kernel, stride, pad, dilation):
    """dx[n, c, y, x] = sum of dout over the windows whose argmax is (y, x).

    dout, argmax  (N, C, OH, OW)
    dx            (N, C, H, W) = x_shape
    """


def avg_pool2d_forward(x, kernel, stride, pad, ceil_mode, count_include_pad):
    """out = sum of x over the window / area.

    area is the number of the window's cells inside the input; with count_include_pad inside the input and its
    padding (cells that only ceil_mode adds never count).

    x       (N, C, H, W)
    out     (N, C, OH, OW)
    """


def avg_pool2d_backward(dout, x_shape, kernel, stride, pad, count_include_pad):
    """dx, the adjoint of avg_pool2d_forward.

    dout    (N, C, OH, OW)
    dx      (N, C, H, W) = x_shape
    """


def lrn_forward(x, size, alpha, beta, k):
    """Local response normalisation across channels.

        scale[n, c] = k + alpha/size * sum of x[n, c']^2 over c' in [c - size//2, c + (size-1)//2]
        out = x * scale^-beta

    x, out, scale  (N, C, H, W)
    Returns (out, scale).
    """


def lrn_backward(dout, x, scale, size, alpha, beta):
    """The true gradient of lrn_forward.

        dx[c'] = dout[c'] * scale[c']^-beta
                 - 2*alpha*beta/size * x[c'] * sum of (dout * x * scale^(-beta-1))[c] over the c that read c'

    dout, x, scale, dx  (N, C, H, W)
    """


def batch_norm_statistics(x):
    """The mean and the variance of every channel, over all M values of it that the batch holds.

        mean[c] = sum of x[:, c] / M,  var[c] = sum of (x[:, c] - mean[c])^2 / M

    x          (N, C, ...), M = x.size / C > 0
    mean, var  (C,) float64
    Returns (mean, var).
    """


def batch_norm_forward(x, mean, inverse_std, w, b):
    """out = (x - mean) * inverse_std * w + b, every channel with its own.

    x, out             (N, C, ...)
    mean, inverse_std  (C,) float64
    w, b               (C,)
    """


def batch_norm_backward_params(dout, x, mean, inverse_std):
    """dw[c] = sum of (dout * xhat)[:, c] and db[c] = sum of dout[:, c], with xhat = (x - mean) * inverse_std.

    dout, x            (N, C, ...)
    mean, inverse_std  (C,) float64
    dw, db             (C,) float64
    Returns (dw, db).
    """


def batch_norm_backward_input(dout, x, mean, inverse_std, w, sums):
    """dx of batch_norm_forward: of constant mean and inverse_std, or of the batch's own, which read x too.

        dx = w * inverse_std * dout                                 sums None
        dx = w * inverse_std * (dout - db / M - xhat * dw / M)      sums (dw, db)

    dout, x, dx        (N, C, ...), M = x.size / C
    mean, inverse_std  (C,) float64
    w                  (C,)
    sums               None, or what batch_norm_backward_params returned: mean and inverse_std are those of x
    """


def softmax_forward(x):
    """out[n, c] = exp(x[n, c] - m) / sum over c' of exp(x[n, c'] - m), m the largest x[n, c'].

    x, out  (N, C, ...), each position of its own
    """


def softmax_backward(dout, out):
    """dx[n, c] = out[n, c] * (dout[n, c] - sum over c' of (dout * out)[n, c']).

    dout, out, dx  (N, C, ...)
    """
