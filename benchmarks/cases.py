"""The named shapes on which the ladder is checked and timed, and the odd little ones that tests share.

A case makes its arguments, knows the right result, how far a rung may be from it, and how much work it is.
"""

from dataclasses import dataclass

import numpy as np

from ..kernels import reference

_ONE = (1, 1)


def _random(*shapes):
    """One float32 array a shape, the same in every run."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)


def _error(found, exact):
    """The largest |found - exact|, as a part of the largest |exact|; NaN where a number is missing."""
    return float(np.abs(found - exact).max() / np.abs(exact).max())


@dataclass(frozen=True)
class Gemm:
    """a (M, K) times b (K, N)."""

    M: int
    K: int
    N: int
    limit = 1e-5

    def __str__(self):
        return f"{self.M}x{self.K} by {self.K}x{self.N}"

    def arguments(self):
        return _random((self.M, self.K), (self.K, self.N))

    def error(self, found):
        a, b = (m.astype(np.float64) for m in self.arguments())
        return _error(found, reference.matmul(a, b))

    @property
    def flop(self):
        """Multiplications and additions."""
        return 2 * self.M * self.K * self.N

    @property
    def bytes(self):
        """What must be read and written at least once."""
        return 4 * (self.M * self.K + self.K * self.N + self.M * self.N)


@dataclass(frozen=True)
class Conv:
    """x (N, C, H, W) with w (F, C, K, K), stride 1, the padding alike on all sides."""

    N: int
    C: int
    H: int
    W: int
    F: int
    K: int
    pad: int
    limit = 5e-5  # Winograd's

    def __str__(self):
        return f"{self.N}x{self.C}x{self.H}x{self.W} to {self.F}, {self.K}x{self.K}"

    def arguments(self):
        x, w = _random((self.N, self.C, self.H, self.W), (self.F, self.C, self.K, self.K))
        return x, w, (self.pad,) * 4

    def error(self, found):
        x, w, pad = self.arguments()
        x, w = x.astype(np.float64), w.astype(np.float64)
        return _error(found, reference.conv2d_forward(x, w, None, _ONE, pad, _ONE, 1))

    @property
    def pixels(self):
        """Of the output: N * OH * OW."""
        shrink = 2 * self.pad - self.K + 1
        return self.N * (self.H + shrink) * (self.W + shrink)

    @property
    def flop(self):
        """Multiplications and additions as in the definition, those with the padding included."""
        return 2 * self.pixels * self.F * self.C * self.K**2

    @property
    def bytes(self):
        """What must be read and written at least once."""
        return 4 * (self.N * self.C * self.H * self.W + self.F * self.C * self.K**2 + self.pixels * self.F)


@dataclass(frozen=True)
class Pool:
    """The largest of K x K cells of x (N, C, H, W), without padding."""

    N: int
    C: int
    H: int
    W: int
    K: int
    stride: int
    limit = 0

    def __str__(self):
        return f"{self.N}x{self.C}x{self.H}x{self.W}, {self.K}x{self.K} stride {self.stride}"

    def arguments(self):
        return *_random((self.N, self.C, self.H, self.W)), (self.K,) * 2, (self.stride,) * 2, (0, 0, 0, 0)

    def error(self, found):
        """found: (out, argmax); argmax None where it is counted in another way. A wrong argmax is infinitely wrong."""
        out, argmax = reference.max_pool2d_forward(*self.arguments(), _ONE, False)
        if found[1] is not None and not np.array_equal(found[1], argmax):
            return float("inf")
        return _error(found[0], out)

    @property
    def outputs(self):
        return self.N * self.C * ((self.H - self.K) // self.stride + 1) * ((self.W - self.K) // self.stride + 1)

    @property
    def flop(self):
        """Comparisons: one a cell of each window."""
        return self.outputs * self.K**2

    @property
    def bytes(self):
        """What must be read and written at least once: x, and out and argmax."""
        return 4 * (self.N * self.C * self.H * self.W + 2 * self.outputs)


# For the ladder: what Python's own loops can do in a moment, and what all others do.
LADDER = {
    "gemm": (Gemm(40, 40, 40), Gemm(768, 768, 768)),
    "conv": (Conv(1, 4, 12, 12, 4, 3, 1), Conv(1, 64, 56, 56, 64, 3, 1)),
    "pool": (Pool(1, 4, 28, 28, 3, 2), Pool(32, 64, 112, 112, 3, 2)),
}
# For tests: one of each size, sizes that no block and no vector divides, windows larger than the stride and smaller.
SMALL = {
    "gemm": (Gemm(1, 1, 1), Gemm(7, 5, 3), Gemm(3, 131, 67), Gemm(9, 6, 515)),
    "conv": (
        Conv(1, 1, 3, 3, 1, 3, 0),
        Conv(2, 3, 7, 5, 5, 3, 1),
        Conv(1, 17, 6, 9, 3, 3, 2),
        Conv(1, 2, 5, 6, 3, 2, 1),
    ),
    "pool": (Pool(1, 1, 1, 1, 1, 1), Pool(2, 3, 7, 9, 3, 2), Pool(1, 5, 8, 5, 2, 3), Pool(3, 1, 6, 6, 3, 1)),
}
