"""The compiled CPU backend. Signatures and shapes stand in `contract.py`, what is right in `reference.py`.

conv.py              which algorithm a convolution takes, in one table
direct.py            any convolution:            taps.py, correlate.py, pointwise.py, weight_gradient.py
winograd.py          3x3, with a quarter of the multiplications: winograd_tiles.py, winograd_weights.py
matmul.py            the matrix product
product.py, tiles.py what all of these come to: two micro-kernels in vector instructions, machine.py their shape
relu.py max_pool.py avg_pool.py lrn.py im2col.py col2im.py
threads.py jit.py    who computes, and how it is compiled and kept
"""

try:
    import numba  # noqa: F401
except ImportError as e:
    raise ImportError(f"it needs Numba (pip install numba): {e}") from e

from ..reference import to_device, to_host, xp
from .avg_pool import avg_pool2d_backward, avg_pool2d_forward
from .col2im import col2im
from .conv import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from .im2col import im2col
from .lrn import lrn_backward, lrn_forward
from .matmul import matmul
from .max_pool import max_pool2d_backward, max_pool2d_forward
from .relu import relu_backward, relu_forward

__all__ = [
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "col2im",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_forward",
    "im2col",
    "lrn_backward",
    "lrn_forward",
    "matmul",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "relu_backward",
    "relu_forward",
    "to_device",
    "to_host",
    "xp",
]
