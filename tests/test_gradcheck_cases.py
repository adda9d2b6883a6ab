"""gradcheck on what is right: every layer by name, nets, function pairs, and what it leaves as it was."""

import numpy as np
import pytest

import minicnn
from minicnn import gradcheck
from minicnn.errors import UnknownNameError
from minicnn.gradient_check import check_layer, layer_names
from minicnn.kernels.errors import DTypeError, MinicnnError, ShapeError
from minicnn.layers import Add, BatchNorm2d, Concat, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from minicnn.meta import Meta

LAYERS = (
    "conv2d linear relu leakyrelu sigmoid tanh maxpool2d avgpool2d globalavgpool lrn batchnorm2d dropout flatten "
    "concat add softmax softmaxcrossentropy hinge logistic squarederror convtranspose2d globalmaxpool prelu elu clip "
    "logsoftmax reshape transpose squeeze unsqueeze pad subtract multiply divide constant identity mean matmul"
)


def rows(report):
    return {row.name: row for row in report.rows}


# By name ---------------------------------------------------------------------------------------------------------


def test_every_layer_and_loss_has_a_name():
    assert set(layer_names()) >= set(LAYERS.split())


@pytest.mark.parametrize("name", layer_names())
def test_every_layer_passes_by_name(name, backend):
    for case, report in check_layer(name):
        assert report.ok and report.kinks == 0, f"{case}\n{report}"
        assert max(row.error for row in report.rows) < 1e-7


def test_names_are_written_as_one_likes_and_the_backend_is_chosen():
    cases = [case for case, _ in check_layer("Leaky_ReLU", backend="numpy")]
    assert cases == ["LeakyReLU(slope 0.01) on (3,5)", "LeakyReLU(slope 0.3) on (2,3,1,4)"]
    assert any("training" in case for case, _ in check_layer("batchnorm2d"))
    with pytest.raises(UnknownNameError, match="no layer 'conv3d'; did you mean conv2d"):
        check_layer("conv3d")


# Layers ----------------------------------------------------------------------------------------------------------


def test_the_report_is_a_table():
    report = gradcheck(Conv2d(2, 3, 3), (1, 2, 4, 5))
    assert [(row.name, row.checked, row.kinks) for row in report.rows] == [("dx", 40, 0), ("dw", 54, 0), ("db", 3, 0)]
    lines = str(report).splitlines()
    assert lines[0] == "Conv2d(2, 3, 3x3): ok (relative error <= 1e-06)"
    assert [line.split()[0] for line in lines[2:]] == ["dx", "dw", "db"]
    assert all(line.endswith("ok") for line in lines[2:])


def test_several_inputs_have_a_row_each():
    assert list(rows(gradcheck(Concat(), (2, 1, 2, 2), (2, 3, 2, 2)))) == ["dx0", "dx1"]


def test_the_layer_stays_as_it_was():
    layer = BatchNorm2d(2).init(0)
    params, buffers = dict(layer.params), dict(layer.buffers)
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    kept = x.copy()
    gradcheck(layer, x, train=True)
    assert np.array_equal(x, kept)
    for now, before in ((layer.params, params), (layer.buffers, buffers)):
        assert all(now[name] is a for name, a in before.items())
    assert layer.buffers["running_mean"].tolist() == [0, 0] and layer.buffers["running_var"].tolist() == [1, 1]
    fresh = Linear(3, 2)
    gradcheck(fresh, (1, 3))
    assert fresh.params == {}


def test_the_seed_decides():
    first, again, other = (str(gradcheck(Linear(3, 2), (2, 3), seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_dropout_draws_the_same_at_every_evaluation():
    report = gradcheck(Dropout(0.5), (6, 6), train=True)
    assert report.ok and report.kinks == 0


def test_a_large_array_is_checked_along_random_directions():
    report = gradcheck(Linear(60, 50), (2, 60))
    assert report.ok and rows(report)["dw"].where.startswith("direction") and rows(report)["dw"].checked == 4


def test_a_batch_of_none_has_nothing_to_check():
    report = gradcheck(ReLU(), (0, 3))
    assert report.ok and rows(report)["dx"].checked == 0


# Nets ------------------------------------------------------------------------------------------------------------


def small_net(meta=None):
    nodes = [("conv1", Conv2d(2, 3, 3, pad=1)), ("bn1", BatchNorm2d(3)), ("relu1", ReLU())]
    nodes += [("conv2", Conv2d(3, 3, 1)), ("sum", Add(), ("conv2", "conv1")), ("pool", MaxPool2d(2))]
    nodes += [("flat", Flatten()), ("drop", Dropout(0.3)), ("fc", Linear(12, 4))]
    return minicnn.Net(nodes, meta=meta)


@pytest.mark.parametrize("train", [False, True])
def test_a_net(train, backend):
    net = small_net()
    report = gradcheck(net, (2, 2, 4, 5), train=train)
    assert report.ok, report
    expected = ["dx", "conv1.w", "conv1.b", "bn1.w", "bn1.b", "conv2.w", "conv2.b", "fc.w", "fc.b"]
    assert list(rows(report)) == expected
    assert not net["conv1"].layer.params  # it was drawn on a copy


def test_a_frozen_net_that_knows_its_size():
    meta = Meta("none", (1, 3, 5), "L", 1.0, (0.0,), (1.0,), "squash", 5)
    net = minicnn.Net([("conv1", Conv2d(1, 2, 2)), ("bn1", BatchNorm2d(2))], meta=meta).init(0).freeze()
    before = {key: a.copy() for key, a in net.state_dict().items()}
    for train in (False, True):
        report = gradcheck(net, train=train)
        assert report.ok and rows(report)["dx"].checked == 15, report
    assert all(np.array_equal(a, before[key]) for key, a in net.state_dict().items())


# A student's own functions ---------------------------------------------------------------------------------------


def cube(x):
    return x**3, x


def cube_backward(dout, cache):
    return 3 * cache**2 * dout


def product(a, b):
    return (a * b).sum(), (a, b)


def product_backward(dout, cache):
    a, b = cache
    return dout * b, dout * a


def test_a_pair_of_functions():
    report = gradcheck((cube, cube_backward), np.array([1, -2, 3]))
    assert report.ok and report.title == "cube"
    assert report.rows[0].checked == 3


def test_a_pair_of_several_inputs_and_a_number_as_output():
    assert list(rows(gradcheck((product, product_backward), (2, 3), (2, 3)))) == ["dx0", "dx1"]
    assert gradcheck((product, product_backward), (2, 3), (2, 3)).ok


def test_the_bottom_of_a_parabola_is_no_kink():
    report = gradcheck((lambda x: (x**2, x), lambda dout, x: 2 * x * dout), np.zeros(3))
    assert report.ok and report.rows[0].checked == 3 and report.kinks == 0


# What cannot be checked ------------------------------------------------------------------------------------------


def shift_in_place(x):
    x += 1
    return x * 1, None


def cube_of_a_copy(x):
    return x**3, x**2


def cube_backward_in_place(dout, cache):
    cache *= 3 * dout
    return cache.copy()


def noisy(x, rng=np.random.default_rng(0)):  # noqa: B008  one generator for all calls is the mistake
    return x * rng.random(x.shape), None


def double_in_place(dout, cache):
    cache *= 2
    return dout


@pytest.mark.parametrize(
    ("what", "xs", "error", "says"),
    [
        ((shift_in_place, cube_backward), [(3,)], MinicnnError, "the forward changed x in place"),
        ((noisy, cube_backward), [(3,)], MinicnnError, "two different results for one x"),
        ((lambda x: (x, x), double_in_place), [(3,)], MinicnnError, "the backward changed x in place"),
        ((cube_of_a_copy, cube_backward_in_place), [(99,)], MinicnnError, "it must not change its cache"),
        ((lambda x: (x.astype("float32"), x), cube_backward), [(3,)], DTypeError, "out is float32"),
        ((cube, lambda dout, x: dout.sum(0)), [(3, 2)], ShapeError, r"backward's dx is \(2\), x itself \(3,2\)"),
        ((cube, lambda dout, x: None), [(3,)], ShapeError, "backward's dx is NoneType"),
        ((product, lambda dout, c: dout * c[1]), [(3,), (3,)], ShapeError, "returned 1 arrays for 2 inputs"),
        ((cube, cube_backward), [], MinicnnError, "needs x"),
        ((cube, cube_backward), [np.array(["one"])], DTypeError, "expected numbers"),
        (ReLU(), [], MinicnnError, r"gradcheck of ReLU\(\) needs x"),
        (small_net(), [], MinicnnError, "needs x, or its shape"),
        (cube, [(3,)], MinicnnError, "takes a layer, a net or a pair of functions"),
    ],
)
def test_what_cannot_be_checked(what, xs, error, says):
    with pytest.raises(error, match=says):
        gradcheck(what, *xs)


def test_a_backward_that_forgets_a_parameter():
    class Forgetful(Linear):
        def backward_params(self, dout, cache):
            return {"w": super().backward_params(dout, cache)["w"]}

    with pytest.raises(MinicnnError, match="backward gave no gradient for b"):
        gradcheck(Forgetful(3, 2), (2, 3))
