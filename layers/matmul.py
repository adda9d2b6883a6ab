"""Product of two inputs as matrices."""

from math import prod
from typing import Any, NamedTuple

from ..kernels import current
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_dout, check_float, show
from .base import Layer
from .broadcast import broadcast_output, sum_to


class MatMulCache(NamedTuple):
    x0: Any
    x1: Any


def matmul_forward(x0, x1):
    """out[..., i, j] = sum over k of x0[..., i, k] * x1[..., k, j].

    What stands before the last two axes is broadcast. A vector is one row as x0 and one column as x1, and the out
    lacks the axis that it lacks.

    x0      (..., M, K) or (K,), float32 or float64
    x1      (..., K, P) or (K,)
    out     (..., M, P)
    Raises ShapeError where they do not fit.
    """
    check_float(x0=x0, x1=x1)
    out_shape = _output(x0.shape, x1.shape)
    a, b = (x.reshape(shape) for x, shape in zip((x0, x1), _matrices(x0.shape, x1.shape)))
    return _product(a, b).reshape(out_shape), MatMulCache(x0, x1)


def matmul_backward(dout, cache):
    """(dx0, dx1) = (dout x1', x0' dout): out = x0 x1. Each is summed over the places where its input was broadcast to.

    dout    the shape of out
    dxs     the inputs' shapes
    """
    x0, x1 = cache
    check_dout(dout, _output(x0.shape, x1.shape), x0=x0)
    a, b = (x.reshape(shape) for x, shape in zip(cache, _matrices(x0.shape, x1.shape)))
    dout = dout.reshape(*broadcast_output(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    da = sum_to(_product(dout, b.swapaxes(-1, -2)), a.shape)
    if b.ndim == 2:  # one product sums over all that stands before
        db = current().matmul(_rows(a).T, _rows(dout))
    else:
        db = sum_to(_product(a.swapaxes(-1, -2), dout), b.shape)
    return da.reshape(x0.shape), db.reshape(x1.shape)


def _product(a, b):
    """a @ b of two arrays with two axes at least."""
    xp, matmul = current().xp, current().matmul
    if b.ndim == 2:
        return matmul(_rows(a), b).reshape(*a.shape[:-1], b.shape[-1])
    batch = broadcast_output(a.shape[:-2], b.shape[:-2])
    pairs = (xp.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(prod(batch), *x.shape[-2:]) for x in (a, b))
    out = xp.empty((prod(batch), a.shape[-2], b.shape[-1]), a.dtype)
    for i, (p, q) in enumerate(zip(*pairs)):
        out[i] = matmul(p, q)
    return out.reshape(*batch, *out.shape[1:])


def _rows(x):
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


def _matrices(shape0, shape1):
    """The shapes with two axes at least."""
    return (1, *shape0) if len(shape0) == 1 else shape0, (*shape1, 1) if len(shape1) == 1 else shape1


def _output(shape0, shape1):
    both = f"(x0 {show(shape0)}, x1 {show(shape1)})"
    if not shape0 or not shape1:
        raise ShapeError(f"a single number is no matrix {both}")
    a, b = _matrices(shape0, shape1)
    if a[-1] != b[-2]:
        raise ShapeError(f"x0 has K={a[-1]}, x1 expects {b[-2]} {both}")
    try:
        batch = broadcast_output(a[:-2], b[:-2])
    except ShapeError as error:
        raise ShapeError(f"before the matrices {error} {both}") from None
    M, P = a[-2:-1] if len(shape0) > 1 else (), b[-1:] if len(shape1) > 1 else ()
    return (*batch, *M, *P)


class MatMul(Layer):
    """Product of two inputs as matrices, by NumPy's rules; see `matmul_forward`."""

    def forward(self, x0, x1):
        return matmul_forward(x0, x1)

    backward_input = staticmethod(matmul_backward)

    def out_shape(self, shape0, shape1):
        return _output(shape0, shape1)

    def macs(self, shape0, shape1):
        return prod(_output(shape0, shape1)) * shape0[-1]


CASES = [(MatMul(), (2, 3, 4), (4, 2)), (MatMul(), (2, 3, 4), (2, 4, 1)), (MatMul(), (2, 3, 1, 4), (1, 4, 3))]
