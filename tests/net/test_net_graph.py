"""The graph: what runs, what is wanted, and what is refused."""

import threading

import numpy as np
import pytest

from minicnn import Net, kernels
from minicnn.errors import MinicnnError, UnknownNameError
from minicnn.kernels.errors import DTypeError, OutOfMemoryError, ShapeError
from minicnn.layers import Conv2d, LogSoftmax, ReLU, Softmax
from minicnn.layers.base import Layer


class Double(Layer):
    """out = 2x; counts how often it runs."""

    def __init__(self):
        super().__init__()
        self.forwards = self.backwards = 0

    def forward(self, x):
        self.forwards += 1
        return 2 * x, None

    def backward_input(self, dout, cache):
        self.backwards += 1
        return 2 * dout

    def out_shape(self, shape):
        return shape


class Scale(Layer):
    """out = w * x with one number w; dw = sum(dout * x)."""

    param_shapes = {"w": (1,)}

    def __init__(self, w):
        super().__init__()
        self.params = {"w": np.array([w], np.float32)}
        self.param_gradients = 0

    def forward(self, x):
        return self.params["w"][0] * x, x

    def backward_input(self, dout, cache):
        return self.params["w"][0] * dout

    def backward_params(self, dout, cache):
        self.param_gradients += 1
        return {"w": np.array([(dout * cache).sum()], np.float32)}

    def out_shape(self, shape):
        return shape


class Sum(Layer):
    """out = x + y"""

    def forward(self, x, y):
        return x + y, None

    def backward_input(self, dout, cache):
        return dout, dout

    def out_shape(self, shape, _):
        return shape


ONES = np.ones((1, 2), np.float32)


def diamond():
    """data -> a (x3) -> b (x5), c (x7) -> sum: d sum / d data = 3 * (5 + 7) = 36."""
    return Net(
        [
            ("a", Scale(3)),
            ("b", Scale(5), "a"),
            ("c", Scale(7), "a"),
            ("sum", Sum(), ("b", "c")),
        ]
    )


def test_branches_add_up_where_they_join():
    net = diamond()
    out, tape = net.forward(ONES)
    assert out.tolist() == [[36, 36]]
    dx, grads = net.backward(np.array([[1, 10]], np.float32), tape)
    assert dx.tolist() == [[36, 360]]
    # d sum / d w_a = (5 + 7) * x, w_b: 3 * x, w_c: 3 * x, each times dout and summed
    assert {k: v.tolist() for k, v in grads.items()} == {"c.w": [33], "b.w": [33], "a.w": [132]}


def test_gradient_of_any_node_with_respect_to_any_other():
    net = diamond()
    _, tape = net.forward(ONES)
    assert net.backward(ONES, tape, wrt="a")[0].tolist() == [[12, 12]]
    assert net.backward(ONES, tape, start="b", wrt="a")[0].tolist() == [[5, 5]]
    assert net.backward(ONES, tape, start="b")[0].tolist() == [[15, 15]]
    assert net.backward(ONES, tape, wrt="sum")[0].tolist() == [[1, 1]]
    assert net.backward(ONES, tape, start="b", wrt="b")[0].tolist() == [[1, 1]]


def test_wrt_keeps_parameter_gradients_further_upstream():
    net = diamond()
    _, tape = net.forward(ONES)
    dx, grads = net.backward(ONES, tape, wrt="b")
    assert dx.tolist() == [[1, 1]]
    assert grads["a.w"].tolist() == [24]


def test_params_false_computes_no_parameter_gradient_and_stops_early():
    before, after = Double(), Double()
    scale = Scale(3)
    net = Net([("before", before), ("scale", scale), ("after", after)])
    _, tape = net.forward(ONES)
    dx, grads = net.backward(ONES, tape, wrt="scale", params=False)
    assert dx.tolist() == [[2, 2]] and grads == {}
    assert (scale.param_gradients, before.backwards, after.backwards) == (0, 0, 1)


def test_without_dx_the_first_layers_are_not_walked():
    before = Double()
    net = Net([("before", before), ("scale", Scale(3))])
    _, tape = net.forward(ONES)
    dx, grads = net.backward(ONES, tape, wrt=False)
    assert dx is None and grads["scale.w"].tolist() == [4]
    assert before.backwards == 0


def test_until_runs_only_what_the_node_depends_on():
    left, right = Double(), Double()
    net = Net([("left", left, "data"), ("right", right, "data"), ("sum", Sum(), ("left", "right"))])
    out, tape = net.forward(ONES, until="right")
    assert out.tolist() == [[2, 2]]
    assert [e.name for e in tape] == ["right"] and left.forwards == 0
    assert "left" not in tape and tape["right"].out is out and tape.out("data") is ONES
    with pytest.raises(UnknownNameError, match="left"):
        tape["left"]


def test_a_layer_used_twice_is_two_nodes_with_one_gradient():
    shared = Scale(3)
    net = Net([("first", shared), ("second", shared)])
    _, tape = net.forward(ONES)
    _, grads = net.backward(ONES, tape)
    # out = w^2 x, so d/dw = 2 w x, summed over two entries
    assert list(grads) == ["first.w"] and grads["first.w"].tolist() == [12]
    assert list(net.state_dict()) == ["first.w"]


def test_one_tape_is_not_changed_by_walking_it():
    net = Net([("conv", Conv2d(1, 2, 3)), ("relu", ReLU()), ("prob", Softmax())]).init(3)
    x = np.random.default_rng(0).standard_normal((2, 1, 5, 5), dtype=np.float32)
    out, tape = net.forward(x)
    first = net.backward(out, tape)
    net.backward(2 * out, tape, rules={ReLU: lambda dout, cache: dout})
    second = net.backward(out, tape)
    np.testing.assert_array_equal(first[0], second[0])
    for key in first[1]:
        np.testing.assert_array_equal(first[1][key], second[1][key])


def test_many_threads_share_one_net():
    net = Net([("conv", Conv2d(1, 2, 3)), ("relu", ReLU())]).init(3)
    images = np.random.default_rng(0).standard_normal((8, 1, 1, 9, 9), dtype=np.float32)
    expected = []
    for x in images:
        out, tape = net.forward(x)
        expected.append(net.backward(out, tape)[0])
    found = [None] * 8

    def work(i):
        for _ in range(20):
            out, tape = net.forward(images[i])
            found[i] = net.backward(out, tape)[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for a, b in zip(expected, found):
        np.testing.assert_array_equal(a, b)


def test_scores_are_the_node_before_the_softmax():
    assert Net([("fc", Double()), ("prob", Softmax())]).scores == "fc"
    assert Net([("fc", Double()), ("prob", LogSoftmax())]).scores == "fc"
    assert Net([("fc", Double()), ("tail", Double())]).scores == "tail"


def test_a_net_says_what_is_wrong_with_its_nodes():
    with pytest.raises(MinicnnError, match="two nodes are named 'a'"):
        Net([("a", Double()), ("a", Double())])
    with pytest.raises(MinicnnError, match="two nodes are named 'data'"):
        Net([("data", Double())])
    with pytest.raises(UnknownNameError, match="no node before 'c' named 'b'; there are data, a"):
        Net([("a", Double()), ("c", Double(), "b")])
    with pytest.raises(MinicnnError, match="colon"):
        Net([("a:1", Double())])
    with pytest.raises(MinicnnError, match="at least one"):
        Net([])


def test_errors_name_the_node_and_both_values():
    net = Net([("conv1", Conv2d(4, 8, 3)), ("relu1", ReLU())]).init(0)
    x = np.zeros((2, 3, 8, 8), np.float32)
    with pytest.raises(ShapeError) as e:
        net.forward(x)
    assert str(e.value) == "conv1: x has C=3, w expects 4 (x (2,3,8,8), w (8,4,3,3), groups 1)"
    with pytest.raises(DTypeError, match="data is float64, the net computes in float32"):
        net.forward(x.astype("float64"))
    with pytest.raises(DTypeError, match="data is list"):
        net.forward([[1.0]])
    with pytest.raises(UnknownNameError, match="did you mean relu1"):
        net.forward(x, until="relu")
    with pytest.raises(MinicnnError, match=r"conv1: Conv2d.* has no (w|b) yet: call init"):
        Net([("conv1", Conv2d(3, 8, 3))]).forward(x)


def test_backward_refuses_what_does_not_fit():
    net = diamond()
    _, tape = net.forward(ONES)
    with pytest.raises(ShapeError, match=r"sum: dout is \(1,3\), the output that it belongs to \(1,2\)"):
        net.backward(np.ones((1, 3), np.float32), tape)
    with pytest.raises(UnknownNameError, match="'c'"):
        net.backward(ONES, tape, start="b", wrt="c")
    with pytest.raises(ShapeError, match=r"b: crop's dx is \(1,1\), the output that it belongs to \(1,2\)"):

        def crop(dout, cache):
            return dout[:, :1]

        net.backward(ONES, tape, rules={"b": crop})
    with pytest.raises(ShapeError, match="sum: <lambda> returned 1 arrays for 2 inputs"):
        net.backward(ONES, tape, rules={"sum": lambda dout, cache: dout})


def test_to_pins_a_copy_to_a_backend():
    used = []

    class Spy(Double):
        def forward(self, x):
            used.append(kernels.name_of(kernels.current()))
            return super().forward(x)

    net = Net([("spy", Spy())])
    with kernels.use("numba"):
        net.forward(ONES)
        pinned = net.to("numpy")
        pinned.forward(ONES)
        net.forward(ONES)
    assert used == ["numba", "numpy", "numba"]


# Memory ----------------------------------------------------------------------------------------------------------


class Roomy(Double):
    """Has room for two images."""

    def forward(self, x):
        if len(x) > 2:
            raise MemoryError("no room for eight numbers")
        return super().forward(x)


def test_what_memory_does_not_hold_is_computed_in_halves_once():
    net = Net([("a", ReLU()), ("wide", Roomy())])
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(net(x), 2 * x)
    np.testing.assert_array_equal(net(x[:3]), 2 * x[:3])
    assert net["wide"].layer.forwards == 4
    with pytest.raises(OutOfMemoryError, match="wide: no room for eight numbers; a smaller batch needs less"):
        net(np.concatenate([x, x[:1]]))


def test_a_tape_is_of_the_whole_batch_or_none():
    net = Net([("wide", Roomy())])
    with pytest.raises(OutOfMemoryError, match="wide: no room"):
        net.forward(np.ones((3, 1), np.float32))
