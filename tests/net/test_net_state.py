"""Parameters: drawn, saved, loaded, converted, frozen."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import MinicnnError
from minicnn.kernels.errors import ShapeError
from minicnn.layers import Conv2d, ReLU


def small():
    return Net([("conv1", Conv2d(3, 4, 3)), ("relu1", ReLU()), ("conv2", Conv2d(4, 2, 1, bias=False))])


def test_init_is_he_normal_and_repeatable():
    wide = Net([("conv", Conv2d(64, 256, 3))]).init(7)
    w = wide.state_dict()["conv.w"]
    # 147,456 draws of N(0, 2 / 576): the standard deviation is known to 0.2 %
    assert abs(w.mean()) < 1e-3 and abs(w.std() / np.sqrt(2 / 576) - 1) < 0.01
    assert not wide.state_dict()["conv.b"].any()
    np.testing.assert_array_equal(w, Net([("conv", Conv2d(64, 256, 3))]).init(7).state_dict()["conv.w"])
    assert (w != Net([("conv", Conv2d(64, 256, 3))]).init(8).state_dict()["conv.w"]).any()


def test_two_layers_draw_different_weights():
    net = Net([("a", Conv2d(2, 2, 1)), ("b", Conv2d(2, 2, 1))]).init(0)
    assert (net.state_dict()["a.w"] != net.state_dict()["b.w"]).all()


def test_state_dict_round_trip_copies():
    one, two = small().init(1), small()
    state = one.state_dict()
    assert list(state) == ["conv1.w", "conv1.b", "conv2.w"]
    assert two.load_state_dict(state) == ([], [])
    state["conv1.w"][:] = 0
    assert two.state_dict()["conv1.w"].any()


def test_arrays_are_kept_where_no_copy_is_asked_for_and_they_need_no_conversion():
    state = small().init(1).state_dict()
    state["conv2.w"] = np.asfortranarray(state["conv2.w"].repeat(2, axis=1)[:, ::2]).astype(np.float64)
    net = small()
    net.load_state_dict(state, copy=False)
    got = net.state_dict()
    assert got["conv1.w"] is state["conv1.w"] and got["conv1.b"] is state["conv1.b"]
    assert got["conv2.w"].flags.c_contiguous and got["conv2.w"].dtype == np.float32
    np.testing.assert_array_equal(got["conv2.w"], state["conv2.w"])


def test_strict_names_what_is_missing_and_unexpected():
    state = small().init(1).state_dict()
    state["conv9.w"] = state.pop("conv1.b")
    with pytest.raises(MinicnnError, match=r"missing conv1\.b; unexpected conv9\.w"):
        small().load_state_dict(state)
    net = small().init(2)
    before = net.state_dict()["conv1.b"].copy()
    assert net.load_state_dict(state, strict=False) == (["conv1.b"], ["conv9.w"])
    np.testing.assert_array_equal(net.state_dict()["conv1.b"], before)
    np.testing.assert_array_equal(net.state_dict()["conv1.w"], state["conv1.w"])


def test_a_wrong_shape_leaves_the_net_as_it_was():
    net = small().init(1)
    before = {k: v.copy() for k, v in net.state_dict().items()}
    state = {**small().init(2).state_dict(), "conv2.w": np.zeros((2, 5, 1, 1), np.float32)}
    with pytest.raises(ShapeError, match=r"conv2\.w: the file has \(2,5,1,1\), the net \(2,4,1,1\)"):
        net.load_state_dict(state, strict=False)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_astype_is_a_copy_that_computes_in_the_other_dtype():
    net = small().init(1)
    double = net.astype("float64")
    assert net.dtype == "float32" and double.dtype == "float64"
    x = np.ones((1, 3, 4, 4))
    out, tape = double.forward(x)
    dx, grads = double.backward(out, tape)
    assert {out.dtype.name, dx.dtype.name, *(g.dtype.name for g in grads.values())} == {"float64"}
    assert net.state_dict()["conv1.w"].dtype == "float32"
    with pytest.raises(MinicnnError, match="float16"):
        net.astype("float16")


def test_loading_converts_to_the_nets_dtype():
    net = small().init(0).astype("float64")
    net.load_state_dict(small().init(1).state_dict())
    assert net.state_dict()["conv1.w"].dtype == "float64"


def test_frozen_parameters_cannot_be_written():
    net = small().init(1).freeze()
    assert net.frozen and net.astype("float64").frozen
    for state in (net.state_dict(), net.astype("float64").state_dict()):
        with pytest.raises(ValueError, match="read-only"):
            state["conv1.w"][0] = 1
    out, tape = net.forward(np.ones((1, 3, 4, 4), np.float32))
    net.backward(out, tape)
    with pytest.raises(MinicnnError, match="frozen"):
        net.load_state_dict(small().init(2).state_dict())
