"""The shapes on which the rungs of a card are checked and timed: one case for each operation of the contract.

They are those of VGG16's and ResNet-50's middle at batch 32, large enough to fill a card. What is right the reference
says, in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..kernels import reference


class Size(NamedTuple):
    """How large the cases are.

    product     the rows and columns of the matrices, and the rows of softmax
    batch, channels, side   of the images (batch, channels, side, side); pooled ones are twice as large, half as many
    classes     of softmax
    """

    product: int
    batch: int
    channels: int
    side: int
    classes: int


FULL = Size(product=4096, batch=32, channels=128, side=56, classes=1000)

_ONE, _PAD, _NO_PAD = (1, 1), (1, 1, 1, 1), (0, 0, 0, 0)
_WINDOW = (3, 3), (2, 2), _NO_PAD  # of the pools
_LRN = 5, 1e-4, 0.75  # size, alpha, beta
# The largest error allowed, as a part of the largest output. 0: copies and choices; 5e-5: Winograd's.
_EXACT, _ROUNDED, _WINOGRAD = 0, 1e-5, 5e-5


@dataclass(frozen=True)
class Case:
    """One call of an operation.

    operation   the contract's function
    shape       in words
    make        () -> its arguments, NumPy arrays among them, the same in every run
    flop        multiplications, additions, comparisons, powers and exponentials of the definition
    limit       how far a rung may be off, as a part of the largest output
    """

    operation: str
    shape: str
    make: Callable[[], tuple]
    flop: int
    limit: float

    def __str__(self):
        return self.shape

    @cached_property
    def arguments(self):
        return self.make()

    @cached_property
    def expected(self):
        """What the reference answers, as a tuple."""
        return _tuple(getattr(reference, self.operation)(*mapped(_double, self.arguments)))

    @cached_property
    def bytes(self):
        """What must be read and written at least once."""
        return sum(a.nbytes for a in _arrays(self.arguments)) + sum(4 * a.size for a in self.expected)

    def error(self, found):
        """The largest |found - expected| as a part of the largest |expected|; a wrong switch is infinitely wrong."""
        return float(np.max([_error(f, e) for f, e in zip(_tuple(found), self.expected, strict=True)]))


def cases(size):
    """{operation: its Case}, for every operation that has a ladder; each made anew, with the arrays that it holds."""
    found = [_product(size), *_convolutions(size), *_columns(size), *_pools(size), *_lrn(size), *_batch_norm(size)]
    return {case.operation: case for case in [*found, *_softmax(size), *_each_number(size)]}


def mapped(function, value):
    """The value with function(array) in place of every array in its tuples and lists."""
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(function, v) for v in value)
    return function(value) if isinstance(value, np.ndarray) else value


# The cases -------------------------------------------------------------------------------------------------------


def _product(size):
    n = size.product
    return Case("matmul", f"{n}x{n} by {n}x{n}", lambda: _random((n, n), (n, n)), 2 * n**3, _ROUNDED)


def _convolutions(size):
    """3x3 windows of stride 1, as many filters as channels: every rung takes them, Winograd's too."""
    x, w = _images(size), (size.channels, size.channels, 3, 3)
    shape = f"{_words(x)} to {size.channels}, 3x3"
    flop, geometry = 2 * _count(x) * size.channels * 9, (_ONE, _PAD, _ONE, 1)
    return [
        Case("conv2d_forward", shape, lambda: (*_random(x, w), None, *geometry), flop, _WINOGRAD),
        Case("conv2d_backward_input", shape, lambda: (*_random(x, w), x, *geometry), flop, _WINOGRAD),
        Case("conv2d_backward_weight", shape, lambda: (*_random(x, x), w, *geometry), flop, _WINOGRAD),
    ]


def _columns(size):
    x = (size.batch, size.channels // 2, size.side, size.side)
    cols, geometry = (x[0], 9 * x[1], x[2] * x[3]), ((3, 3), _ONE, _PAD, _ONE)
    shape = f"{_words(x)}, 3x3"
    return [
        Case("im2col", shape, lambda: (*_random(x), *geometry), 0, _EXACT),
        Case("col2im", shape, lambda: (*_random(cols), x, *geometry), _count(cols), _ROUNDED),
    ]


def _pools(size):
    x = (size.batch, size.channels // 2, 2 * size.side, 2 * size.side)
    out = (*x[:2], *[(2 * size.side - 3) // 2 + 1] * 2)
    shape, cells = f"{_words(x)}, 3x3 stride 2", 9 * _count(out)

    def switches():
        images, dout = _random(x, out)
        argmax = reference.max_pool2d_forward(images, *_WINDOW, _ONE, False)[1]
        return dout, argmax, x, *_WINDOW, _ONE

    return [
        Case("max_pool2d_forward", shape, lambda: (*_random(x), *_WINDOW, _ONE, False), cells, _EXACT),
        Case("max_pool2d_backward", shape, switches, _count(out), _ROUNDED),
        Case("avg_pool2d_forward", shape, lambda: (*_random(x), *_WINDOW, False, True), cells, _ROUNDED),
        Case("avg_pool2d_backward", shape, lambda: (*_random(out), x, *_WINDOW, True), cells, _ROUNDED),
    ]


def _lrn(size):
    x = (size.batch, size.channels // 2, size.side, size.side)
    shape, window = f"{_words(x)}, {_LRN[0]} channels", _LRN[0]

    def backward():
        dout, images = _random(x, x)
        return dout, images, reference.lrn_forward(images, *_LRN, 1.0)[1].astype(np.float32), *_LRN

    return [
        Case("lrn_forward", shape, lambda: (*_random(x), *_LRN, 1.0), (2 * window + 3) * _count(x), _ROUNDED),
        Case("lrn_backward", shape, backward, (3 * window + 6) * _count(x), _ROUNDED),
    ]


def _batch_norm(size):
    x, C = _images(size), size.channels
    numbers = _count(x)

    def constants():
        mean, inverse_std, w, b = _random(*[(C,)] * 4)
        return mean.astype(np.float64), 1 + abs(inverse_std.astype(np.float64)), w, b

    def backward_input():
        dout, images = _random(x, x)
        mean, inverse_std, w, _ = constants()
        return dout, images, mean, inverse_std, w, reference.batch_norm_backward_params(dout, images, mean, inverse_std)

    return [
        Case("batch_norm_statistics", _words(x), lambda: _random(x), 4 * numbers, _ROUNDED),
        Case("batch_norm_forward", _words(x), lambda: (*_random(x), *constants()), 4 * numbers, _ROUNDED),
        Case(
            "batch_norm_backward_params", _words(x), lambda: (*_random(x, x), *constants()[:2]), 5 * numbers, _ROUNDED
        ),
        Case("batch_norm_backward_input", _words(x), backward_input, 8 * numbers, _ROUNDED),
    ]


def _softmax(size):
    x = (size.product, size.classes)

    def backward():
        dout, scores = _random(x, x)
        return dout, reference.softmax_forward(scores)

    return [
        Case("softmax_forward", _words(x), lambda: _random(x), 5 * _count(x), _ROUNDED),
        Case("softmax_backward", _words(x), backward, 4 * _count(x), _ROUNDED),
    ]


def _each_number(size):
    x = _images(size)
    branches = [(size.batch, C, size.side, size.side) for C in (size.channels, *[size.channels // 2] * 2)]
    together = f"{size.batch}x({', '.join(str(branch[1]) for branch in branches)})x{size.side}x{size.side}"
    return [
        Case("relu_forward", _words(x), lambda: _random(x), _count(x), _EXACT),
        Case("relu_backward", _words(x), lambda: _random(x, x), _count(x), _EXACT),
        Case("add", _words(x), lambda: _random(x, x), _count(x), _ROUNDED),
        Case("concat", together, lambda: (list(_random(*branches)),), 0, _EXACT),
    ]


def _images(size):
    return size.batch, size.channels, size.side, size.side


# Arrays ----------------------------------------------------------------------------------------------------------


def _random(*shapes):
    """One float32 array a shape, the same in every run."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)


def _words(shape):
    return "x".join(map(str, shape))


def _count(shape):
    return int(np.prod(shape, dtype=np.int64))


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)


def _arrays(value):
    """Every array in it."""
    if isinstance(value, (tuple, list)):
        return [a for v in value for a in _arrays(v)]
    return [value] if isinstance(value, np.ndarray) else []


def _double(array):
    return array.astype(np.float64) if array.dtype == np.float32 else array


def _error(found, expected):
    if expected.dtype == np.int32:
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())
