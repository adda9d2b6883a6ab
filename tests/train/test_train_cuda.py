"""The loop on a card's arrays: the processor's numbers, and resumed the same bits."""

import cuda_cases
import numpy as np
import pytest

from minicnn import Net, kernels
from minicnn.device import on_current
from minicnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU
from minicnn.meta import Meta
from minicnn.train.adversarial import Attack
from minicnn.train.evaluate import evaluate
from minicnn.train.fingerprint import fingerprint
from minicnn.train.finite import NotFiniteError
from minicnn.train.loader import Arrays, Loader
from minicnn.train.optimisers import SGD, Adam, AdamW, Momentum, Nesterov, RMSProp
from minicnn.train.schedules import Constant
from minicnn.train.trainer import Trainer


@pytest.fixture(autouse=True)
def cuda_is_there():
    with cuda_cases.by_name(), kernels.use("numpy"):
        yield


def data(count=8):
    rng = np.random.default_rng(2)
    return Arrays(rng.integers(0, 256, (count, 1, 4, 4)).astype(np.uint8), rng.integers(0, 3, count))


def small_net():
    meta = Meta("none", (1, 4, 4), "L", 1.0, (0.2,), (0.3,), "squash", 4, classes=("a", "b", "c"))
    nodes = [
        ("conv", Conv2d(1, 2, 3, pad=1, bias=False)),
        ("bn", BatchNorm2d(2)),
        ("relu", ReLU()),
        ("flat", Flatten()),
        ("drop", Dropout(0.2)),
        ("fc", Linear(32, 3)),
    ]
    return Net(nodes, meta=meta).init(0)


def trainer_of(net, optimiser, epochs=2, **options):
    loader = Loader(data(), 4, seed=1, meta=net.meta)
    return Trainer(net, loader, optimiser, Constant(0.01), epochs, progress=False, **options)


@pytest.mark.parametrize("rule", [SGD, Momentum, Nesterov, RMSProp, Adam, AdamW])
def test_a_card_trains_to_the_processors_numbers(rule):
    nets = small_net(), small_net().to("cuda")
    for net in nets:
        trainer_of(net, rule(), clip=0.5).run()
    ours, there = (net.state_dict() for net in nets)
    for key, array in ours.items():
        assert (array != small_net().state_dict()[key]).any(), key
        np.testing.assert_allclose(cuda_cases.to_host(there[key]), array, rtol=1e-4, atol=1e-5, err_msg=key)


def test_attacked_and_judged_there_too():
    found = []
    for net in (small_net(), small_net().to("cuda")):
        attack = Attack(eps=20, step=25)
        trainer = trainer_of(net, Momentum(), 1, attack=attack)
        trainer.run()
        found.append((trainer.history[0]["loss"], evaluate(net, Loader(data(), 4, meta=net.meta), attack).loss))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_resumed_it_ends_at_the_same_bits(tmp_path):
    whole = trainer_of(small_net().to("cuda"), Adam(), folder=tmp_path / "whole")
    whole.run()
    part = trainer_of(small_net().to("cuda"), Adam(), 1, folder=tmp_path / "part")
    part.run()
    rest = trainer_of(small_net().to("cuda"), Adam(), folder=tmp_path / "part")
    rest.run()
    assert rest.step == whole.step == part.step + 2
    assert fingerprint(rest.net) == fingerprint(whole.net) != fingerprint(part.net)


def test_nan_is_found_there():
    net = small_net().to("cuda")
    trainer = trainer_of(net, SGD())
    net.state_dict()["fc.w"][0] = np.nan
    with pytest.raises(NotFiniteError, match=r"fc\.w is not finite"):
        trainer.run()


def test_a_net_goes_to_the_current_backend_where_that_has_arrays_of_its_own():
    net = small_net()
    assert on_current(net) is net
    with kernels.use("cuda"):
        assert on_current(net).backend == "cuda"
