"""Optimisers: two steps by hand, fifty against PyTorch's, and what they refuse."""

import math
import tracemalloc

import numpy as np
import pytest

from minicnn import Net
from minicnn.errors import MinicnnError, UnknownNameError
from minicnn.kernels.errors import DTypeError, ShapeError
from minicnn.layers import BatchNorm2d, Conv2d, Flatten, Linear, PReLU
from minicnn.train import optimiser as optimiser_module
from minicnn.train.clipping import clip_by_norm, clip_by_value
from minicnn.train.optimiser import biases_and_norms
from minicnn.train.optimisers import SGD, Adam, AdamW, Momentum, Nesterov, RMSProp

ALL = [SGD, Momentum, Nesterov, RMSProp, Adam, AdamW]

# w = 1, dw = 2 and then -1, rate 0.1, decay 0.5 (so that g is 2.5 at first):
#
#   SGD       1 - 0.1*2.5 = 0.75;  g = -1 + 0.375 = -0.625;  0.75 + 0.0625 = 0.8125
#   Momentum  (0.9) v = -0.25, w = 0.75;  v = -0.225 + 0.0625 = -0.1625, w = 0.5875
#   Nesterov  v = -0.25, w = 1 - 0.225 - 0.25 = 0.525;  g = -1 + 0.2625 = -0.7375
#             v = -0.225 + 0.07375 = -0.15125, w = 0.525 - 0.136125 + 0.07375 = 0.462625
#   RMSProp   (0.75) s = 0.25*6.25 = 1.5625, root 1.25, w = 1 - 0.25/1.25 = 0.8;  g = -1 + 0.4 = -0.6
#             s = 0.75*1.5625 + 0.25*0.36 = 1.261875, w = 0.8 + 0.06/sqrt(1.261875)
#   Adam      (0.5, 0.75) m = 1.25, s = 1.5625; corrected 2.5 and 6.25, w = 1 - 0.1*2.5/2.5 = 0.9;  g = -0.55
#             m = 0.625 - 0.275 = 0.35, by 1 - 0.25: 0.35/0.75
#             s = 1.171875 + 0.075625 = 1.2475, by 1 - 0.5625: 1.2475/0.4375
#   AdamW     decay first: 0.95; m = 1, s = 1; corrected 2 and 4, w = 0.95 - 0.1 = 0.85
#             0.85*0.95 = 0.8075; m = 0.5 - 0.5 = 0, so nothing more
BY_HAND = [
    (SGD(decay=0.5), 0.75, 0.8125),
    (Momentum(0.9, decay=0.5), 0.75, 0.5875),
    (Nesterov(0.9, decay=0.5), 0.525, 0.462625),
    (RMSProp(0.75, eps=1e-300, decay=0.5), 0.8, 0.8 + 0.06 / math.sqrt(1.261875)),
    (Adam(0.5, 0.75, eps=1e-300, decay=0.5), 0.9, 0.9 - 0.1 * (0.35 / 0.75) / math.sqrt(1.2475 / 0.4375)),
    (AdamW(0.5, 0.75, eps=1e-300, decay=0.5), 0.85, 0.8075),
]


@pytest.mark.parametrize("optimiser, first, second", BY_HAND, ids=lambda v: type(v).__name__)
def test_two_steps_by_hand(optimiser, first, second):
    params = {"fc.w": np.ones((2, 1))}
    for dw, expected in ((2.0, first), (-1.0, second)):
        optimiser.step(params, {"fc.w": np.full((2, 1), dw)}, 0.1)
        np.testing.assert_allclose(params["fc.w"], np.full((2, 1), expected), rtol=1e-14)


@pytest.mark.parametrize(
    "optimiser, first",
    [
        (RMSProp(0.75, eps=0.5), 1 - 0.1 * 2 / (1 + 0.5)),  # sqrt(0.25 * 4) = 1
        (Adam(0.5, 0.75, eps=0.5), 1 - 0.1 * 2 / (2 + 0.5)),
        (AdamW(0.5, 0.75, eps=0.5, decay=0), 1 - 0.1 * 2 / (2 + 0.5)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_eps_stands_outside_the_corrected_root(optimiser, first):
    params = {"w": np.ones(1)}
    optimiser.step(params, {"w": np.full(1, 2.0)}, 0.1)
    np.testing.assert_allclose(params["w"], [first], rtol=1e-14)


def test_defaults_are_those_that_the_docstrings_name():
    assert (Momentum().momentum, Momentum().decay) == (Nesterov().momentum, Nesterov().decay) == (0.9, 5e-4)
    assert (RMSProp().rho, RMSProp().eps, RMSProp().decay) == (0.9, 1e-8, 0)
    adam, adam_w = Adam(), AdamW()
    assert (adam.beta1, adam.beta2, adam.eps, adam.decay) == (0.9, 0.999, 1e-8, 0)
    assert (adam_w.beta1, adam_w.beta2, adam_w.eps, adam_w.decay) == (0.9, 0.999, 1e-8, 0.01)
    assert SGD().decay == 0


# The rate stands inside the velocity, as in AlexNet's formula, so a drop of the rate does not slow what already moves.
def test_velocity_outlives_a_drop_of_the_rate():
    params, optimiser = {"w": np.zeros(1)}, Momentum(0.5, decay=0)
    optimiser.step(params, {"w": np.full(1, -1.0)}, 1.0)  # v = 1, w = 1
    optimiser.step(params, {"w": np.full(1, -1.0)}, 0.125)  # v = 0.5 + 0.125
    assert params["w"].item() == 1.625
    params, optimiser = {"w": np.zeros(1)}, Nesterov(0.5, decay=0)
    optimiser.step(params, {"w": np.full(1, -1.0)}, 1.0)  # v = 1, w = 0.5 + 1
    optimiser.step(params, {"w": np.full(1, -1.0)}, 0.125)  # v = 0.625, w = 1.5 + 0.3125 + 0.125
    assert params["w"].item() == 1.9375


# Against PyTorch ---------------------------------------------------------------------------------------------------

SHAPES = {"conv1.w": (4, 3, 3, 3), "conv1.b": (4,), "fc.w": (5, 700), "scale": ()}
# Ours, and the name and arguments of PyTorch's.
TWINS = [
    (SGD(), "SGD", {}),
    (SGD(decay=0.05), "SGD", {"weight_decay": 0.05}),
    (Momentum(decay=0), "SGD", {"momentum": 0.9}),
    (Momentum(0.8, decay=0.05), "SGD", {"momentum": 0.8, "weight_decay": 0.05}),
    (Nesterov(decay=0), "SGD", {"momentum": 0.9, "nesterov": True}),
    (Nesterov(0.8, decay=0.05), "SGD", {"momentum": 0.8, "weight_decay": 0.05, "nesterov": True}),
    (RMSProp(), "RMSprop", {"alpha": 0.9}),
    (RMSProp(0.99, 1e-3, decay=0.05), "RMSprop", {"alpha": 0.99, "eps": 1e-3, "weight_decay": 0.05}),
    (Adam(), "Adam", {}),
    (Adam(0.8, 0.99, 1e-3, decay=0.05), "Adam", {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.05}),
    (AdamW(), "AdamW", {}),
    (AdamW(0.8, 0.99, 1e-3, decay=0.3), "AdamW", {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.3}),
    (AdamW(decay=0), "AdamW", {"weight_decay": 0}),
]


def _drawn(rng, dtype):
    return {key: np.asarray(rng.standard_normal(shape), dtype) for key, shape in SHAPES.items()}


@pytest.mark.oracle
@pytest.mark.parametrize("dtype, tol", [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("ours, theirs, arguments", TWINS, ids=lambda v: type(v).__name__)
def test_fifty_steps_are_pytorchs(ours, theirs, arguments, dtype, tol, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(optimiser_module, "_BLOCK", 6000)  # several blocks, the last one a part: 5 rows of 700
    ours = type(ours)(**_arguments(ours))
    rng = np.random.default_rng(0)
    params = _drawn(rng, dtype)
    tensors = {key: torch.nn.Parameter(torch.tensor(w)) for key, w in params.items()}
    twin = getattr(torch.optim, theirs)(tensors.values(), lr=0.01, **arguments)
    for _ in range(50):
        grads = _drawn(rng, dtype)
        before = {key: dw.copy() for key, dw in grads.items()}
        ours.step(params, grads, 0.01)
        for key, dw in grads.items():
            np.testing.assert_array_equal(dw, before[key])  # the decay is no part of them
            tensors[key].grad = torch.tensor(dw)
        twin.step()
    for key, w in params.items():
        assert w.dtype == dtype
        np.testing.assert_allclose(w, tensors[key].detach().numpy(), rtol=tol, atol=tol)


def _arguments(optimiser):
    """The constructor's arguments of an optimiser, which has them under their names."""
    names = ("momentum", "rho", "beta1", "beta2", "eps", "decay", "undecayed", "factors")
    return {name: getattr(optimiser, name) for name in names if hasattr(optimiser, name)}


@pytest.mark.oracle
@pytest.mark.parametrize("cls", [Momentum, AdamW])
def test_groups_are_pytorchs(cls):
    """A tenth of the rate for the first layer, twice for biases, no decay on them, as PyTorch's parameter groups."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    params = _drawn(rng, "float64")
    tensors = {key: torch.nn.Parameter(torch.tensor(w)) for key, w in params.items()}
    rates = {"conv1.w": 0.001, "conv1.b": 0.002, "fc.w": 0.01, "scale": 0.01}
    decays = {"conv1.w": 0.05, "conv1.b": 0, "fc.w": 0.05, "scale": 0}
    groups = [{"params": [tensors[key]], "lr": rates[key], "weight_decay": decays[key]} for key in SHAPES]
    twin = torch.optim.SGD(groups, momentum=0.9) if cls is Momentum else torch.optim.AdamW(groups)
    ours = cls(decay=0.05, undecayed=biases_and_norms, factors={"conv1.": 0.1, lambda key, w: key.endswith(".b"): 2})
    for _ in range(20):
        grads = _drawn(rng, "float64")
        ours.step(params, grads, 0.01)
        for key, dw in grads.items():
            tensors[key].grad = torch.tensor(dw)
        twin.step()
    for key, w in params.items():
        np.testing.assert_allclose(w, tensors[key].detach().numpy(), rtol=1e-12, atol=1e-12)


# Which parameters move ---------------------------------------------------------------------------------------------


def _small_net():
    return Net(
        [
            ("conv1", Conv2d(2, 3, 3)),
            ("bn1", BatchNorm2d(3)),
            ("relu1", PReLU((3, 1, 1))),
            ("flat", Flatten()),
            ("fc", Linear(12, 2)),
        ]
    ).init(seed=0)


@pytest.mark.parametrize("cls", ALL)
def test_a_net_moves_and_its_buffers_stay(cls):
    net = _small_net()
    rng = np.random.default_rng(0)
    state = net.state_dict()
    before = {key: a.copy() for key, a in state.items()}
    out, tape = net.forward(rng.standard_normal((2, 2, 4, 4), dtype=np.float32))
    _, grads = net.backward(np.ones_like(out), tape)
    cls().step(state, grads, 0.01)
    for key, a in net.state_dict().items():
        assert a is state[key]
        assert (a != before[key]).any() != key.startswith("bn1.running"), key


def test_no_decay_where_none_is_wanted():
    net = _small_net()
    state = net.state_dict()
    for a in state.values():
        a[...] = 1
    grads = {key: np.zeros_like(a) for key, a in state.items() if "running" not in key}
    SGD(decay=0.5, undecayed=(biases_and_norms, "fc.")).step(state, grads, 1)
    assert {key for key, a in state.items() if (a != 1).any()} == {"conv1.w"}
    SGD(decay=0.5, undecayed="fc.").step(state, grads, 1)
    assert {key for key, a in state.items() if (a != 1).any()} == grads.keys() - {"fc.w", "fc.b"}


def test_keys_are_chosen_by_how_they_begin():
    params = {key: np.ones(1) for key in ("fc8.w", "fc80.w", "aux/fc8.w")}
    grads = {key: np.ones(1) for key in params}
    SGD(factors={"fc8.": 0.5}).step(params, grads, 0.5)
    assert [w.item() for w in params.values()] == [0.75, 0.5, 0.5]
    SGD(factors={"fc8": 0}).step(params, grads, 0.5)
    assert [w.item() for w in params.values()] == [0.75, 0.5, 0]


def test_factor_0_leaves_a_parameter_even_a_read_only_one():
    params = {"a.w": np.ones(2), "b.w": np.ones(2)}
    params["a.w"].flags.writeable = False
    optimiser = Adam(decay=0.5, factors={"a.": 0})
    optimiser.step(params, {key: np.ones(2) for key in params}, 0.1)
    assert (params["a.w"] == 1).all() and (params["b.w"] != 1).all()
    assert optimiser.state.keys() == {"b.w"}


def test_a_parameter_without_gradient_stays_and_begins_later():
    """Its own first gradient is corrected as a first one, however many the others have had."""
    params, optimiser = {"a": np.zeros(1), "b": np.zeros(1)}, Adam()
    for _ in range(3):
        optimiser.step(params, {"a": np.ones(1)}, 0.1)
    assert params["b"] == 0
    optimiser.step(params, {"b": np.full(1, 7.0)}, 0.1)
    np.testing.assert_allclose(params["b"], -0.1, rtol=1e-8)


@pytest.mark.parametrize(
    "w", [np.zeros((30, 40)).T, np.zeros((3, 4), order="F"), np.zeros((5, 9))[:, ::2], np.array(0.0)]
)
def test_any_layout_moves_in_place(w, monkeypatch):
    monkeypatch.setattr(optimiser_module, "_BLOCK", 64)
    Momentum().step({"w": w}, {"w": np.ones(w.shape)}, 0.5)
    assert (w == -0.5).all()


def test_empty_parameters_are_no_error():
    Adam().step({"w": np.zeros((0, 3)), "b": np.zeros((3, 0))}, {"w": np.zeros((0, 3)), "b": np.zeros((3, 0))}, 0.1)


@pytest.mark.parametrize("cls", ALL)
def test_a_step_takes_little_memory(cls):
    params, grads = {"w": np.ones((500, 4000), np.float32)}, {"w": np.ones((500, 4000), np.float32)}
    optimiser = cls(decay=0.1)
    optimiser.step(params, grads, 0.1)
    tracemalloc.start()
    optimiser.step(params, grads, 0.1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < params["w"].nbytes / 8


# State -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ALL)
def test_a_restored_optimiser_goes_on_bit_for_bit(cls):
    rng = np.random.default_rng(0)
    params, grads = _drawn(rng, "float32"), [_drawn(rng, "float32") for _ in range(6)]
    first = cls(decay=0.01)
    for dw in grads[:3]:
        first.step(params, dw, 0.01)
    saved = {name: a.copy() if hasattr(a, "copy") else a for name, a in first.state_dict().items()}
    others = {key: w.copy() for key, w in params.items()}
    second = cls(decay=0.01)
    second.load_state_dict(saved)
    for dw in grads[3:]:
        first.step(params, dw, 0.01)
        second.step(others, dw, 0.01)
    for key, w in params.items():
        np.testing.assert_array_equal(w, others[key])
    assert first.state_dict().keys() == second.state_dict().keys() == saved.keys()
    for name, a in second.state_dict().items():
        assert name.startswith("steps:") or not np.shares_memory(a, saved[name])


def test_state_is_flat_and_says_what_it_is():
    optimiser = Adam()
    optimiser.step({"conv1.w": np.zeros(2)}, {"conv1.w": np.ones(2)}, 0.1)
    state = optimiser.state_dict()
    assert state.keys() == {"mean:conv1.w", "square:conv1.w", "steps:conv1.w"} and state["steps:conv1.w"] == 1
    np.testing.assert_allclose(state["mean:conv1.w"], [0.1, 0.1])
    assert Adam().state_dict() == {}


@pytest.mark.parametrize(
    "state, said",
    [
        ({"velocity:w": np.zeros(2), "steps:w": 1}, "Adam keeps steps, mean, square .* the state has velocity, steps"),
        ({"mean:w": np.zeros(2), "steps:w": 1}, "the state has mean, steps for 'w'"),
        ({"nonsense": 3}, "the state has nonsense"),
        ({"mean:w": np.zeros(2), "square:w": np.zeros(2), "steps:w": 0}, "steps:w must be an int >= 1, not 0"),
        ({"mean:w": np.zeros(2), "square:w": np.zeros(2), "steps:w": 1.5}, "not 1.5"),
        ({"mean:w": np.zeros(2, int), "square:w": np.zeros(2), "steps:w": 1}, "mean:w is int64"),
        ({"mean:w": [0.0], "square:w": np.zeros(2), "steps:w": 1}, "mean:w is list"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(state, said):
    optimiser = Adam()
    optimiser.step({"w": np.zeros(2)}, {"w": np.ones(2)}, 0.1)
    before = optimiser.state_dict()
    with pytest.raises(MinicnnError, match=said):
        optimiser.load_state_dict(state)
    assert optimiser.state_dict() == {name: before[name] for name in before}


def test_a_state_of_other_shapes_is_refused_by_the_step():
    optimiser = Momentum()
    optimiser.load_state_dict({"velocity:w": np.zeros(3), "steps:w": np.array(4)})
    with pytest.raises(ShapeError, match=r"w: the velocity kept for it is \(3\) float64, the parameter \(2\) float64"):
        optimiser.step({"w": np.zeros(2)}, {"w": np.zeros(2)}, 0.1)
    with pytest.raises(ShapeError, match=r"\(3\) float64, the parameter \(3\) float32"):
        optimiser.step({"w": np.zeros(3, "f")}, {"w": np.zeros(3, "f")}, 0.1)


# Errors ------------------------------------------------------------------------------------------------------------


def _read_only(shape):
    a = np.ones(shape)
    a.flags.writeable = False
    return a


@pytest.mark.parametrize(
    "bad, dw, error, said",
    [
        (_read_only(2), np.ones(2), MinicnnError, "b.w is read-only: a frozen net .*load_state_dict"),
        (np.ones(2), np.ones(3), ShapeError, r"b.w: the gradient \(3\) and the parameter \(2\)"),
        (np.ones(2), np.ones(2, "f"), DTypeError, "parameter is float64, gradient is float32"),
        (np.ones(2, int), np.ones(2, int), DTypeError, "int64"),
        (None, np.ones(2), UnknownNameError, "no parameter for the gradient 'b.w'; did you mean a.w"),
    ],
)
def test_errors_change_nothing(bad, dw, error, said):
    params = {"a.w": np.ones(2), "b.w": bad}
    if bad is None:
        del params["b.w"]
    optimiser = Momentum()
    with pytest.raises(error, match=said):
        optimiser.step(params, {"a.w": np.ones(2), "b.w": dw}, 0.1)
    assert (params["a.w"] == 1).all() and optimiser.state == {}


def test_a_frozen_net_is_not_trained():
    net = _small_net().freeze()
    state = net.state_dict()
    with pytest.raises(MinicnnError, match=r"conv1\.w is read-only"):
        SGD().step(state, {"conv1.w": np.zeros_like(state["conv1.w"])}, 0.1)


@pytest.mark.parametrize("choice", [{"undecayed": "fc9."}, {"factors": {"fc9.": 0.1}}])
def test_a_choice_that_chooses_nothing_is_an_error(choice):
    with pytest.raises(UnknownNameError, match=r"begins with 'fc9\.'; did you mean fc8\.w"):
        SGD(**choice).step({"fc8.w": np.ones(2)}, {"fc8.w": np.ones(2)}, 0.1)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf, "0.1", None])
def test_a_rate_is_a_number(rate):
    with pytest.raises(MinicnnError, match="rate must be a number >= 0"):
        SGD().step({}, {}, rate)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: SGD(decay=-1), "decay must be a number >= 0, not -1"),
        (lambda: SGD(undecayed=(3,)), "a predicate, not 3"),
        (lambda: SGD(undecayed=None), "a predicate, not None"),
        (lambda: SGD(factors={3: 1}), "a predicate, not 3"),
        (lambda: SGD(factors={"fc": -1}), r"factors\['fc'\] must be a number >= 0, not -1"),
        (lambda: Momentum(1), r"momentum must be a number in \[0, 1\), not 1"),
        (lambda: RMSProp(rho=-0.1), "rho must be"),
        (lambda: RMSProp(eps=0), "eps must be a number above 0, not 0"),
        (lambda: Adam(beta1=1), "beta1 must be"),
        (lambda: Adam(beta2=math.nan), "beta2 must be"),
        (lambda: AdamW(eps=-1), "eps must be"),
    ],
)
def test_wrong_settings_are_refused(make, said):
    with pytest.raises(MinicnnError, match=said):
        make()


# Clipping ----------------------------------------------------------------------------------------------------------


def test_norm_by_hand():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]], np.float32)}
    assert clip_by_norm(grads, 5) == 5  # not longer than that
    assert grads["a"].tolist() == [3, 0] and grads["b"].tolist() == [[4]]
    assert clip_by_norm(grads, 2.5) == 5
    assert grads["a"].tolist() == [1.5, 0] and grads["b"].tolist() == [[2]] and grads["b"].dtype == np.float32


def test_norm_of_large_float32_is_summed_in_float64():
    grads = {"a": np.full(200_000, 1e30, np.float32)}  # squares overflow float32
    np.testing.assert_allclose(clip_by_norm(grads, 1), 1e30 * 200_000**0.5, rtol=1e-6)
    np.testing.assert_allclose(grads["a"], 200_000**-0.5, rtol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_no_number_is_told_and_mends_nothing(bad):
    grads = {"a": np.array([1.0, bad])}
    np.testing.assert_equal(clip_by_norm(grads, 1), bad)
    np.testing.assert_equal(grads["a"], [1.0, bad])


def test_values_by_hand():
    grads = {"a": np.array([-3.0, 0.5, 2.0, math.nan]), "b": np.array(9.0)}
    clip_by_value(grads, 1)
    np.testing.assert_equal(grads["a"], [-1, 0.5, 1, math.nan])
    assert grads["b"] == 1


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
def test_clipping_refuses(clip):
    for most in (0, -1, math.nan, "1"):
        with pytest.raises(MinicnnError, match="most must be a number above 0"):
            clip({}, most)
    with pytest.raises(MinicnnError, match="w: the gradient is read-only"):
        clip({"w": _read_only(2)}, 1)


@pytest.mark.oracle
@pytest.mark.parametrize("most", [0.5, 30.0, 1000.0])
def test_clipping_is_pytorchs(most):
    torch = pytest.importorskip("torch")
    grads = _drawn(np.random.default_rng(0), "float64")
    for a in grads.values():
        a *= 10
    tensors = [torch.nn.Parameter(torch.zeros(a.shape, dtype=torch.float64)) for a in grads.values()]
    by_value = {key: a.copy() for key, a in grads.items()}

    def given():
        for tensor, a in zip(tensors, by_value.values()):
            tensor.grad = torch.tensor(a)

    given()
    norm = torch.nn.utils.clip_grad_norm_(tensors, most)
    np.testing.assert_allclose(clip_by_norm(grads, most), norm.item(), rtol=1e-12)
    for tensor, a in zip(tensors, grads.values()):
        np.testing.assert_allclose(a, tensor.grad.numpy(), rtol=1e-8)  # it divides by norm + 1e-6
    given()
    torch.nn.utils.clip_grad_value_(tensors, most)
    clip_by_value(by_value, most)
    for tensor, a in zip(tensors, by_value.values()):
        np.testing.assert_array_equal(a, tensor.grad.numpy())
