"""What every kernel does with its arguments: it never writes to them, and it refuses what does not fit, by name."""

import numpy as np
import pytest

from minicnn.kernels.errors import DTypeError, ShapeError

ONE = (1, 1)
NO_PAD = (0, 0, 0, 0)


def calls(dtype=np.float64):
    """(name, arguments) of one plain call of every kernel."""
    ones = lambda *shape: np.ones(shape, dtype)  # noqa: E731
    x, w, b = ones(2, 2, 4, 5), ones(4, 1, 3, 2), ones(4)
    conv, point = (ONE, NO_PAD, ONE, 2), ones(4, 1, 1, 1)
    pool = ((2, 2), (2, 2), NO_PAD)
    argmax = np.zeros((2, 2, 2, 2), np.int32)
    return [
        ("im2col", (x, (3, 2), ONE, NO_PAD, ONE)),
        ("col2im", (ones(2, 12, 8), x.shape, (3, 2), ONE, NO_PAD, ONE)),
        ("matmul", (ones(2, 3), ones(3, 4))),
        ("conv2d_forward", (x, w, b, *conv)),
        ("conv2d_forward", (x, point, b, *conv)),
        ("conv2d_backward_input", (ones(2, 4, 2, 4), w, x.shape, *conv)),
        ("conv2d_backward_input", (ones(2, 4, 4, 5), point, x.shape, *conv)),
        ("conv2d_backward_weight", (ones(2, 4, 2, 4), x, w.shape, *conv)),
        ("relu_forward", (x,)),
        ("relu_backward", (ones(*x.shape), x)),
        ("max_pool2d_forward", (x, *pool, ONE, False)),
        ("max_pool2d_backward", (ones(2, 2, 2, 2), argmax, x.shape, *pool, ONE)),
        ("avg_pool2d_forward", (x, *pool, False, True)),
        ("avg_pool2d_backward", (ones(2, 2, 2, 2), x.shape, *pool, True)),
        ("lrn_forward", (x, 3, 1.0, 0.75, 1.0)),
        ("lrn_backward", (ones(*x.shape), x, ones(*x.shape), 3, 1.0, 0.75)),
        ("add", (x, ones(*x.shape))),
        ("concat", ([x],)),
        ("concat", ([x, ones(2, 1, 4, 5)],)),
        ("batch_norm_statistics", (x,)),
        ("batch_norm_forward", (x, np.ones(2), np.ones(2), ones(2), ones(2))),
        ("batch_norm_backward_params", (ones(*x.shape), x, np.ones(2), np.ones(2))),
        ("batch_norm_backward_input", (ones(*x.shape), x, np.ones(2), np.ones(2), ones(2), None)),
        ("batch_norm_backward_input", (ones(*x.shape), x, np.ones(2), np.ones(2), ones(2), (np.ones(2), np.ones(2)))),
        ("softmax_forward", (x,)),
        ("softmax_backward", (ones(*x.shape), x)),
    ]


every_call = pytest.mark.parametrize(("name", "args"), calls(), ids=lambda v: v if isinstance(v, str) else "")


@every_call
def test_inputs_may_be_read_only_and_outputs_are_new(backend, name, args):
    arrays = [a for a in (*args, *(args[0] if name == "concat" else ())) if isinstance(a, np.ndarray)]
    for a in arrays:
        a.flags.writeable = False
    outs = getattr(backend, name)(*args)
    for out in outs if isinstance(outs, tuple) else (outs,):
        assert out.flags.writeable
        assert not any(np.shares_memory(out, a) for a in arrays)


backward_calls = [call for call in calls() if "backward" in call[0]]


@pytest.mark.parametrize(("name", "args"), backward_calls, ids=lambda v: v if isinstance(v, str) else "")
def test_backward_refuses_a_dout_that_does_not_fit(backend, name, args):
    dout, *others = args
    with pytest.raises(ShapeError, match="dout"):
        getattr(backend, name)(np.concatenate([dout, dout], axis=-1), *others)


@pytest.mark.parametrize(("name", "args"), backward_calls, ids=lambda v: v if isinstance(v, str) else "")
def test_backward_refuses_a_dout_of_another_dtype(backend, name, args):
    dout, *others = args
    with pytest.raises(DTypeError, match="dout is float16"):
        getattr(backend, name)(dout.astype(np.float16), *others)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("matmul", (np.ones((2, 3)), np.ones((4, 2))), r"a \(2,3\) and b \(4,2\)"),
        ("im2col", (np.ones((1, 1, 2, 2)), (3, 3), ONE, NO_PAD, ONE), "3x3 does not fit an image 2x2"),
        ("im2col", (np.ones((2, 2)), ONE, ONE, NO_PAD, ONE), "x has 2 dimensions"),
        ("col2im", (np.ones((1, 4, 3)), (1, 1, 3, 3), (2, 2), ONE, NO_PAD, ONE), r"cols \(1,4,3\).*\(1,4,4\)"),
        ("max_pool2d_forward", (np.ones((1, 1, 1, 1)), (2, 2), ONE, NO_PAD, ONE, False), "2x2 does not fit"),
        ("avg_pool2d_forward", (np.ones((1, 2, 2)), ONE, ONE, NO_PAD, False, True), "x has 3 dimensions"),
        ("lrn_forward", (np.ones((2, 2)), 5, 1.0, 0.75, 1.0), "x has 2 dimensions"),
        ("add", (np.ones((2, 3)), np.ones((1, 3))), r"a \(2,3\) and b \(1,3\)"),
        ("concat", ([np.ones((2, 3, 4)), np.ones((2, 3, 5))],), r"x1 \(2,3,5\) and x0 \(2,3,4\)"),
        ("concat", ([np.ones(2), np.ones(2)],), "x0 has no channels"),
        ("batch_norm_statistics", (np.ones((0, 3, 2)),), r"no number.*\(0,3,2\)"),
        ("batch_norm_statistics", (np.ones(3),), "x has no channels"),
        ("batch_norm_forward", (np.ones((2, 3)), *[np.ones(3)] * 3, np.ones(2)), r"x has C=3, b is \(2\)"),
        ("batch_norm_backward_params", (*[np.ones((2, 3))] * 2, np.ones(3), np.ones(1)), "inverse_std"),
        ("batch_norm_backward_input", (*[np.ones((2, 3))] * 2, *[np.ones(3)] * 3, (np.ones(3), np.ones(6))), "db is"),
        ("softmax_forward", (np.ones(3),), "x has no channels"),
        ("softmax_backward", (np.ones(3), np.ones(3)), "out has no channels"),
        (
            "conv2d_forward",
            (np.ones((2, 3, 8, 8)), np.ones((8, 4, 3, 3)), None, ONE, NO_PAD, ONE, 1),
            r"x has C=3, w expects 4 \(x \(2,3,8,8\), w \(8,4,3,3\), groups 1\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(backend, name, args, message):
    with pytest.raises(ShapeError, match=message):
        getattr(backend, name)(*args)


def test_max_pool_backward_refuses_switches_of_another_shape(backend):
    with pytest.raises(ShapeError, match=r"argmax \(1,1,1,1\) and dout \(1,1,2,2\)"):
        backend.max_pool2d_backward(
            np.ones((1, 1, 2, 2)), np.zeros((1, 1, 1, 1), np.int32), (1, 1, 4, 4), (2, 2), (2, 2), NO_PAD, ONE
        )


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("add", (np.ones((2, 3)), np.ones((2, 3), "float32")), "a is float64, b is float32"),
        ("concat", ([np.ones((2, 3)), np.ones((2, 3), "float32")],), "x0 is float64, x1 is float32"),
        ("batch_norm_forward", (np.ones((2, 3)), *[np.ones(3)] * 2, *[np.ones(3, "float32")] * 2), "w is float32"),
    ],
)
def test_dtypes_that_differ_are_named(backend, name, args, message):
    with pytest.raises(DTypeError, match=message):
        getattr(backend, name)(*args)
