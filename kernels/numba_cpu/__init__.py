"""The compiled CPU backend. Signatures and shapes stand in `contract.py`, what is right in `reference.py`.

conv.py              which algorithm a convolution takes, in one table
direct.py            any convolution:            taps.py, correlate.py, pointwise.py, weight_gradient.py
winograd.py          3x3, with a quarter of the multiplications: winograd_tiles.py, winograd_weights.py
matmul.py            the matrix product
product.py, tiles.py what all of these come to: two micro-kernels in vector instructions, machine.py their shape
relu.py max_pool.py avg_pool.py lrn.py batch_norm.py softmax.py add.py concat.py im2col.py col2im.py
rows.py              arrays whose images lie apart
threads.py jit.py    who computes, and how it is compiled and kept
"""

try:
    import numba  # noqa: F401
except ImportError as e:
    raise ImportError(f"it needs Numba (pip install numba): {e}") from e

from ..reference import to_device, to_host, xp
from .add import add
from .avg_pool import avg_pool2d_backward, avg_pool2d_forward
from .batch_norm import (
    batch_norm_backward_input,
    batch_norm_backward_params,
    batch_norm_forward,
    batch_norm_statistics,
)
from .col2im import col2im
from .concat import concat
from .conv import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from .im2col import im2col
from .lrn import lrn_backward, lrn_forward
from .matmul import matmul
from .max_pool import max_pool2d_backward, max_pool2d_forward
from .relu import relu_backward, relu_forward
from .softmax import softmax_backward, softmax_forward

__all__ = [
    "add",
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "batch_norm_backward_input",
    "batch_norm_backward_params",
    "batch_norm_forward",
    "batch_norm_statistics",
    "col2im",
    "concat",
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
    "softmax_backward",
    "softmax_forward",
    "to_device",
    "to_host",
    "xp",
]
