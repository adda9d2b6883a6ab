"""What the tests of a card's convolutions have in common: arguments of random numbers, and the comparison."""

import cuda_cases
import numpy as np
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.shapes import conv2d_output

FORWARD, INPUT, WEIGHT = "conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"
ONE, NO_PAD, SAME = (1, 1), (0, 0, 0, 0), (1, 1, 1, 1)


def arguments(operation, x_shape, w_shape, stride, pad, dilation, groups, dtype="float32", biased=True):
    """The operation's arguments, of random numbers."""
    rng = np.random.default_rng(0)
    out_shape = conv2d_output(x_shape, w_shape, stride, pad, dilation, groups)
    x, w, dout, b = (rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape, out_shape, w_shape[:1]))
    first = {FORWARD: (x, w, b if biased else None), INPUT: (dout, w, x_shape), WEIGHT: (dout, x, w_shape)}
    return *first[operation], stride, pad, dilation, groups


def check(operation, rung, *args):
    """The rung's answer, which is the reference's."""
    got = cuda_cases.call(operation, *args, rung=rung)
    assert_close(operation, got, getattr(reference, operation)(*args), cuda_cases.LOOSER.get((operation, rung)))
    return got
