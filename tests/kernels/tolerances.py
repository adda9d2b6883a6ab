"""How far two kernels may differ: one table by (operation, dtype), and the comparison that reads it."""

import numpy as np

# The largest |got - expected| allowed, in units of the largest |expected| (at least 1). 0 means exact to the bit,
# the sign of zeros included.
TOLERANCES = {
    ("im2col", "float32"): 0,
    ("im2col", "float64"): 0,
    ("col2im", "float32"): 1e-6,
    ("col2im", "float64"): 2e-15,
    ("matmul", "float32"): 2e-6,
    ("matmul", "float64"): 4e-15,
    ("conv2d_forward", "float32"): 2e-6,
    ("conv2d_forward", "float64"): 4e-15,
    ("conv2d_backward_input", "float32"): 2e-6,
    ("conv2d_backward_input", "float64"): 4e-15,
    ("conv2d_backward_weight", "float32"): 4e-6,
    ("conv2d_backward_weight", "float64"): 8e-15,
    ("relu_forward", "float32"): 0,
    ("relu_forward", "float64"): 0,
    ("relu_backward", "float32"): 0,
    ("relu_backward", "float64"): 0,
    ("max_pool2d_forward", "float32"): 0,
    ("max_pool2d_forward", "float64"): 0,
    ("max_pool2d_backward", "float32"): 1e-6,
    ("max_pool2d_backward", "float64"): 2e-15,
    ("avg_pool2d_forward", "float32"): 1e-6,
    ("avg_pool2d_forward", "float64"): 2e-15,
    ("avg_pool2d_backward", "float32"): 1e-6,
    ("avg_pool2d_backward", "float64"): 2e-15,
    ("lrn_forward", "float32"): 2e-6,
    ("lrn_forward", "float64"): 4e-15,
    ("lrn_backward", "float32"): 4e-6,
    ("lrn_backward", "float64"): 8e-15,
    ("add", "float32"): 0,
    ("add", "float64"): 0,
    ("concat", "float32"): 0,
    ("concat", "float64"): 0,
    ("batch_norm_statistics", "float64"): 4e-15,
    ("batch_norm_forward", "float32"): 2e-6,
    ("batch_norm_forward", "float64"): 4e-15,
    ("batch_norm_backward_params", "float64"): 8e-15,
    ("batch_norm_backward_input", "float32"): 4e-6,
    ("batch_norm_backward_input", "float64"): 8e-15,
    ("softmax_forward", "float32"): 1e-6,
    ("softmax_forward", "float64"): 2e-15,
    ("softmax_backward", "float32"): 2e-6,
    ("softmax_backward", "float64"): 4e-15,
}


def assert_close(operation, got, expected, tolerance=None):
    """Both results of `operation`, arrays or tuples of arrays, agree in shape, dtype and, to the table, in value.

    tolerance   in place of the table's
    """
    if isinstance(expected, tuple):
        assert isinstance(got, tuple) and len(got) == len(expected)
        for g, e in zip(got, expected):
            assert_close(operation, g, e, tolerance)
        return
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    if expected.dtype == np.int32:  # an argmax is right or wrong
        np.testing.assert_array_equal(got, expected)
        return
    if tolerance is None:
        tolerance = TOLERANCES[operation, str(expected.dtype)]
    if tolerance == 0:
        np.testing.assert_array_equal(got, expected)
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])
        return
    largest = max(np.abs(expected).max(initial=0), 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * largest)
