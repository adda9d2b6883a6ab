"""The matrix product, by the BLAS library that NumPy was built with."""

import numpy as np

from ..shapes import matmul_output


def matmul(a, b):
    matmul_output(a.shape, b.shape)
    return np.matmul(a, b)


def product(a, b, out):
    """out = a @ b: the one place through which convolutions multiply.

    a       (..., M, K); a transposed view costs no copy
    b       (..., K, N)
    out     (..., M, N)
    """
    np.matmul(a, b, out=out)
