import numpy as np
import pytest

from minicnn.errors import MinicnnError
from minicnn.weights import keras


def counted(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_kernels():
    kernel = counted(2, 3, 4, 5)
    places = [(k, l, c, f) for k in range(2) for l in range(3) for c in range(4) for f in range(5)]
    w, transposed, depthwise = keras.conv2d(kernel), keras.conv_transpose2d(kernel), keras.depthwise_conv2d(kernel)
    assert (w.shape, transposed.shape, depthwise.shape) == ((5, 4, 2, 3), (5, 4, 2, 3), (20, 1, 2, 3))
    for k, l, c, f in places:
        assert w[f, c, k, l] == transposed[f, c, k, l] == depthwise[c * 5 + f, 0, k, l] == kernel[k, l, c, f]


def test_a_dense_layer_behind_a_flattened_image():
    H, W, C, F = 2, 3, 4, 5
    kernel, bias = counted(H * W * C, F), counted(H * W * C)
    w, vector = keras.linear(kernel, (H, W, C)), keras.channels_outermost(bias, (H, W, C))
    assert w.shape == (F, H * W * C)
    for y in range(H):
        for x in range(W):
            for c in range(C):
                ours, theirs = (c * H + y) * W + x, (y * W + x) * C + c
                assert (w[:, ours] == kernel[theirs]).all() and vector[ours] == bias[theirs]
    assert (keras.linear(kernel) == kernel.T).all()


def test_batch_norm_and_slopes():
    mean, variance = counted(3), counted(3) + 1
    got = keras.batch_norm2d(None, None, mean, variance)
    assert [got[name].tolist() for name in ("w", "b", "running_mean", "running_var")] == [
        [1, 1, 1], [0, 0, 0], [0, 1, 2], [1, 2, 3]
    ]  # fmt: skip
    got = keras.batch_norm2d(mean + 5, mean + 7, mean, variance)
    assert got["w"].tolist() == [5, 6, 7] and got["b"].tolist() == [7, 8, 9]
    alpha = counted(2, 3, 4)
    assert all(keras.prelu(alpha)[c, y, x] == alpha[y, x, c] for y in range(2) for x in range(3) for c in range(4))
    assert (keras.prelu(mean) == mean).all()


def test_what_is_returned_is_new_and_in_c_order():
    made = [
        keras.conv2d(counted(1, 1, 2, 2)),
        keras.depthwise_conv2d(counted(1, 1, 2, 1)),
        keras.linear(counted(4, 1)),
        keras.linear(counted(4, 2), (2, 1, 2)),
        keras.prelu(counted(1, 1, 3)),
        keras.prelu(mean := counted(3)),
        keras.channels_outermost(mean, (3, 1, 1)),
        *keras.batch_norm2d(mean, mean, mean, mean).values(),
    ]
    for array in made:
        assert array.flags.c_contiguous and array.flags.writeable and not np.shares_memory(array, mean)
        assert array.dtype == np.float32


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: keras.conv2d(counted(3, 3)), r"kernel has 2 dimensions, expected 4 \(kernel \(3,3\)\)"),
        (lambda: keras.linear(counted(5)), "kernel has 1 dimensions, expected 2"),
        (lambda: keras.linear(counted(6, 2), (2, 2, 2)), r"\(6,2\) belongs to no flattened image \(2,2,2\)"),
        (lambda: keras.channels_outermost(counted(6), (2, 2, 2)), "belongs to no flattened image"),
        (
            lambda: keras.batch_norm2d(None, None, counted(2, 2), counted(2)),
            "running_mean has 2 dimensions, expected 1",
        ),
        (lambda: keras.prelu(counted(2, 2)), "alpha has 2 dimensions, expected 3"),
    ],
)
def test_other_shapes_are_refused(call, said):
    with pytest.raises(MinicnnError, match=said):
        call()
