"""Sum of several inputs."""

from typing import NamedTuple

from ..kernels.shapes import check_dout, check_float, check_same
from .base import Layer


class AddCache(NamedTuple):
    count: int  # of the inputs
    shape: tuple


def add_forward(*xs):
    """out = x0 + x1 + ..., from left to right.

    xs, out  any shape, all the same (nothing is broadcast), float32 or float64
    """
    check_float(**{f"x{i}": x for i, x in enumerate(xs)})
    out = xs[0]
    for i, x in enumerate(xs[1:], 1):
        check_same(f"x{i}", x.shape, "x0", out.shape)
        out = out + x
    return out, AddCache(len(xs), out.shape)


def add_backward(dout, cache):
    """(dout, dout, ...): out = x0 + x1 + ... reads every input once, with weight 1.

    dout, dxs  the inputs' shape
    """
    check_dout(dout, cache.shape)
    return (dout,) * cache.count


class Add(Layer):
    """Sum of several inputs of one shape; see `add_forward`."""

    def forward(self, *xs):
        return add_forward(*xs)

    backward_input = staticmethod(add_backward)

    def out_shape(self, *shapes):
        for i, shape in enumerate(shapes):
            check_same(f"x{i}", shape, "x0", shapes[0])
        return shapes[0]


CASES = [(Add(), (2, 3, 1, 4), (2, 3, 1, 4)), (Add(), (2, 3), (2, 3), (2, 3))]
