"""Sizes: windows as the kernels want them, output sizes, and the errors where they do not fit."""

from numbers import Integral

import numpy as np

from .errors import DTypeError, ShapeError

_FLOATS = {np.dtype("float32"), np.dtype("float64")}


def pair(value, name):
    """(vertical, horizontal) from an int or a pair of ints, all >= 1."""
    values = (value, value) if isinstance(value, Integral) else tuple(value)
    if len(values) != 2 or not all(isinstance(v, Integral) and v >= 1 for v in values):
        raise ShapeError(f"{name} must be a positive int or a pair of them, not {value!r}")
    return tuple(int(v) for v in values)


def pad4(value):
    """(top, bottom, left, right) from an int, (vertical, horizontal), or all four; all >= 0."""
    values = (value,) * 4 if isinstance(value, Integral) else tuple(value)
    if len(values) == 2:
        values = (values[0], values[0], values[1], values[1])
    if len(values) != 4 or not all(isinstance(v, Integral) and v >= 0 for v in values):
        raise ShapeError(f"pad must be an int >= 0, a pair, or (top, bottom, left, right), not {value!r}")
    return tuple(int(v) for v in values)


def conv_output(size, kernel, stride, before, after, dilation=1, ceil_mode=False):
    """How many windows fit along one axis; may be < 1, which the caller refuses.

        floor((size + before + after - reach) / stride) + 1,  reach = (kernel - 1)*dilation + 1

    With ceil_mode the division rounds up, and a last window that would start past the input and its left
    padding is dropped (Caffe's rule).
    """
    free = size + before + after - ((kernel - 1) * dilation + 1)
    if not ceil_mode:
        return free // stride + 1
    out = -(-free // stride) + 1
    return out - 1 if (out - 1) * stride >= size + before else out


def window_output(hw, kernel, stride, pad, dilation=(1, 1), ceil_mode=False):
    """(OH, OW) of a window of size `kernel` sliding over an image of size hw = (H, W).

    Raises ShapeError if OH < 1 or OW < 1.
    """
    out = tuple(
        conv_output(hw[a], kernel[a], stride[a], pad[2 * a], pad[2 * a + 1], dilation[a], ceil_mode) for a in (0, 1)
    )
    for axis, size in zip("HW", out):
        if size < 1:
            raise ShapeError(
                f"O{axis}={size}: a window {kernel[0]}x{kernel[1]} does not fit an image {hw[0]}x{hw[1]} "
                f"(stride {stride}, pad {pad}, dilation {dilation})"
            )
    return out


def _window_counts(hw, kernel, stride, pad, dilation, ceil_mode):
    return tuple(
        conv_output(hw[a], kernel[a], stride[a], pad[2 * a], pad[2 * a + 1], dilation[a], ceil_mode) for a in (0, 1)
    )


def conv2d_output(x_shape, w_shape, stride, pad, dilation, groups):
    """(N, F, OH, OW) of a convolution; raises ShapeError where x and w do not fit."""
    check_ndim("x", x_shape, 4)
    check_ndim("w", w_shape, 4)
    N, C, H, W = x_shape
    F, CG, KH, KW = w_shape
    if C != CG * groups:
        raise ShapeError(
            f"x has C={C}, w expects {CG * groups} (x {show(x_shape)}, w {show(w_shape)}, groups {groups})"
        )
    if F % groups:
        raise ShapeError(f"F={F} is no multiple of groups={groups} (w {show(w_shape)})")
    return (N, F, *window_output((H, W), (KH, KW), stride, pad, dilation))


def matmul_output(a_shape, b_shape):
    """(M, N) of the product of a (M, K) and b (K, N); raises ShapeError where they do not fit."""
    if len(a_shape) != 2 or len(b_shape) != 2 or a_shape[1] != b_shape[0]:
        raise ShapeError(f"a {show(a_shape)} and b {show(b_shape)} are no (M, K) and (K, N)")
    return (a_shape[0], b_shape[1])


def check_dout(dout, out_shape, **others):
    """Raises unless dout has the shape of what forward returned (ShapeError) and the others' dtype (DTypeError)."""
    check_same("dout", dout.shape, "the forward's out", out_shape)
    check_float(dout=dout, **others)


def check_pooled(dout, x_shape, kernel, stride, pad, dilation=(1, 1)):
    """Raises ShapeError unless dout has the shape that pooling x gives, with ceil_mode or without."""
    check_ndim("x", x_shape, 4)
    shapes = [
        (*x_shape[:2], *_window_counts(x_shape[2:], kernel, stride, pad, dilation, ceil_mode))
        for ceil_mode in (False, True)
    ]
    if tuple(dout.shape) not in shapes:
        raise ShapeError(
            f"dout {show(dout.shape)} is no pooling of x {show(x_shape)}: expected {show(shapes[0])}, "
            f"or {show(shapes[1])} with ceil_mode"
        )
    check_float(dout=dout)


def check_cols(cols, x_shape, kernel, stride, pad, dilation):
    """(OH, OW); raises ShapeError unless cols has the shape that im2col gives for x."""
    check_ndim("x", x_shape, 4)
    OH, OW = window_output(x_shape[2:], kernel, stride, pad, dilation)
    N, C = x_shape[:2]
    check_same("cols", cols.shape, "the columns of x", (N, C * kernel[0] * kernel[1], OH * OW))
    return OH, OW


def concat_output(shapes):
    """(N, C0 + C1 + ..., ...); raises ShapeError where the shapes differ elsewhere than in the channels."""
    first = shapes[0]
    for i, shape in enumerate(shapes):
        check_channels(f"x{i}", shape)
        if shape[:1] + shape[2:] != first[:1] + first[2:]:
            raise ShapeError(f"x{i} {show(shape)} and x0 {show(first)} must be alike but for the channels")
    return (first[0], sum(shape[1] for shape in shapes), *first[2:])


def check_channels(name, shape, **vectors):
    """Raises ShapeError unless `shape` is (N, C, ...) and the vectors, None passed over, hold one number a channel."""
    if len(shape) < 2:
        raise ShapeError(f"{name} has no channels: its dimensions are (N, C, ...) ({name} {show(shape)})")
    for other, vector in vectors.items():
        if vector is not None and vector.shape != (shape[1],):
            raise ShapeError(f"{name} has C={shape[1]}, {other} is {show(vector.shape)} ({name} {show(shape)})")


def check_values(x_shape):
    """Raises ShapeError where x (N, C, ...) holds no number: nothing has no mean."""
    check_channels("x", x_shape)
    if 0 in x_shape:
        raise ShapeError(f"x holds no number and has no mean (x {show(x_shape)})")


def check_ndim(name, shape, ndim):
    """Raises ShapeError unless `shape` has `ndim` dimensions."""
    if len(shape) != ndim:
        dims = {4: "(N, C, H, W)", 2: "(N, D)"}.get(ndim, f"{ndim} dimensions")
        raise ShapeError(f"{name} has {len(shape)} dimensions, expected {dims} ({name} {show(shape)})")


def check_same(name_a, a_shape, name_b, b_shape):
    """Raises ShapeError unless two shapes agree."""
    if tuple(a_shape) != tuple(b_shape):
        raise ShapeError(f"{name_a} {show(a_shape)} and {name_b} {show(b_shape)} must have the same shape")


def check_float(**arrays):
    """Raises DTypeError unless all named arrays share one dtype, float32 or float64; None is passed over."""
    arrays = {name: a for name, a in arrays.items() if a is not None}
    dtypes = {getattr(a, "dtype", None) for a in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= _FLOATS:
        what = ", ".join(f"{name} is {getattr(a, 'dtype', type(a).__name__)}" for name, a in arrays.items())
        raise DTypeError(f"{what}; expected one of float32 or float64 for all (see astype)")


def show(shape):
    """A shape as the errors write it: (2,3,8,8)."""
    return "(" + ",".join(map(str, shape)) + ")"
