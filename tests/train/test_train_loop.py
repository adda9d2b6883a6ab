"""The loop: it learns, it stops and goes on to the same bits, and it says where NaN came from."""

import math
import resource
import signal

import numpy as np
import pytest

import minicnn
from minicnn import Net, kernels
from minicnn.errors import MinicnnError, OutputError, UnknownNameError, UsageError
from minicnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from minicnn.meta import Meta
from minicnn.train import checkpoints
from minicnn.train.adversarial import Attack
from minicnn.train.evaluate import evaluate
from minicnn.train.fingerprint import fingerprint
from minicnn.train.finite import NotFiniteError
from minicnn.train.loader import Arrays, Loader
from minicnn.train.optimisers import SGD, Adam, Momentum
from minicnn.train.schedules import Constant, Cosine, Plateau
from minicnn.train.trainer import BEST, LAST, Trainer

TIMES = ("seconds", "images_per_s", "loader_share")


@pytest.fixture(autouse=True)
def numpy_backend(ctrl_c):
    with kernels.use("numpy"):
        yield


def _bars(count=96, seed=0):
    """Class k is a bright column 2k + 1 in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 120, (count, 1, 8, 8)).astype(np.uint8)
    for image, k in zip(images, labels):
        image[0, :, 2 * k + 1] = 200
    return Arrays(images, labels)


def _net(seed=0):
    meta = Meta("none", (1, 8, 8), "L", 1.0, (0.2,), (0.3,), "squash", 8, classes=("a", "b", "c"))
    nodes = [
        ("conv", Conv2d(1, 4, 3, pad=1, bias=False)),
        ("bn", BatchNorm2d(4)),
        ("relu", ReLU()),
        ("pool", MaxPool2d(2)),
        ("flat", Flatten()),
        ("drop", Dropout(0.2)),
        ("fc", Linear(64, 3)),
    ]
    return Net(nodes, meta=meta).init(seed)


def _trainer(folder=None, epochs=3, seed=5, optimiser=None, schedule=None, net=None, **options):
    net = net or _net()
    loader = Loader(_bars(), 16, seed, meta=net.meta)
    validation = Loader(_bars(30, seed=9), 8, meta=net.meta, shuffle=False)
    optimiser = optimiser or Momentum(decay=1e-3)
    schedule = schedule or Cosine(0.05, epochs * len(loader))
    return Trainer(net, loader, optimiser, schedule, epochs, validation, folder=folder, progress=False, **options)


def _stable(history):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in history]


def test_it_learns(tmp_path):
    trainer = _trainer(tmp_path, epochs=5)
    history = trainer.run()
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5] and history[-1]["step"] == 30
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["validation_accuracy"] > 0.9
    fresh = evaluate(minicnn.load(tmp_path / BEST), Loader(_bars(60, seed=3), 7, meta=_net().meta))
    assert fresh.count == 60 and fresh.accuracy > 0.85


def test_a_step_is_the_rule_by_hand():
    """One step of plain SGD on a linear net: w - rate * mean over n of (p - [label]) x."""
    net = Net([("flat", Flatten()), ("fc", Linear(4, 2))]).init(1).astype("float64")
    w, x, labels = net.state_dict()["fc.w"].copy(), np.arange(8.0).reshape(2, 1, 2, 2), np.array([0, 1])
    trainer = Trainer(net, Loader(_bars(), 16), SGD(), Constant(0.1), 1)
    loss, right = trainer.train_step(x, labels)
    scores = x.reshape(2, 4) @ w.T
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log(p[[0, 1], labels]).mean(), rel=1e-12)
    assert right == int((p.argmax(axis=1) == labels).sum())
    p[[0, 1], labels] -= 1
    np.testing.assert_allclose(net.state_dict()["fc.w"], w - 0.1 * p.T @ x.reshape(2, 4) / 2, rtol=1e-12)


@pytest.mark.parametrize("stop", [1, 5, 6, 7, 11, 17])
@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_resumed_it_ends_at_the_same_bits(tmp_path, stop, rule):
    """Stopped after any step, inside an epoch or at its end, under dropout, attack and a schedule with a memory."""

    def make(folder):
        optimiser = Momentum(decay=1e-3) if rule == "momentum" else Adam()
        plateau = Plateau(0.02, patience=0)
        attack = Attack(eps=20, step=25)
        return _trainer(folder, optimiser=optimiser, schedule=plateau, attack=attack, save_every=1)

    whole = make(tmp_path / "whole")
    whole.run()
    part = make(tmp_path / "part")
    step = part.train_step

    def interrupted(x, labels):
        if part.step == stop:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C in the middle of a step, which is done nevertheless
        return step(x, labels)

    part.train_step = interrupted
    with pytest.raises(KeyboardInterrupt):
        part.run()
    assert part.step == stop + 1 and (tmp_path / "part" / LAST).is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = make(tmp_path / "part")
    again.run()
    assert fingerprint(again.net) == fingerprint(whole.net) == whole.history[-1]["weights"]
    assert _stable(again.history) == _stable(whole.history)
    best = [minicnn.load(tmp_path / name / BEST) for name in ("whole", "part")]
    assert fingerprint(best[0]) == fingerprint(best[1])


def test_killed_between_checkpoints_it_ends_at_the_same_bits(tmp_path):
    """Lost is what came after the last checkpoint; an error stands for kill -9: nothing is written on the way."""
    whole = _trainer(tmp_path / "whole")
    whole.run()
    part = _trainer(tmp_path / "part", save_every=4)
    step = part.train_step

    def killed(x, labels):
        if part.step == 9:
            raise RuntimeError
        return step(x, labels)

    part.train_step = killed
    with pytest.raises(RuntimeError):
        part.run()
    again = _trainer(tmp_path / "part", save_every=4)
    assert again.resume() and again.step == 8
    again.run()
    assert fingerprint(again.net) == fingerprint(whole.net)


def test_ctrl_c_twice_does_not_wait(tmp_path):
    trainer = _trainer(tmp_path)

    def hanging(x, labels):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    trainer.train_step = hanging
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert not (tmp_path / LAST).exists()


def test_where_ctrl_c_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer = _trainer(epochs=1)
    step = trainer.train_step

    def pressed(x, labels):
        signal.raise_signal(signal.SIGINT)
        return step(x, labels)

    trainer.train_step = pressed
    assert len(trainer.run()) == 1 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_the_same_seed_gives_the_same_net_and_another_does_not():
    prints = [_trainer(seed=seed, epochs=1).run()[-1]["weights"] for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]


def test_a_run_that_is_done_stays_as_it_is(tmp_path):
    _trainer(tmp_path).run()
    before = (tmp_path / LAST).read_bytes()
    history = _trainer(tmp_path).run()
    assert len(history) == 3 and (tmp_path / LAST).read_bytes() == before


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    _trainer(tmp_path, identity={"recipe": 1, "threads": 2}).run()
    with pytest.raises(UsageError, match="holds another run: threads is 2 there, 3 here"):
        _trainer(tmp_path, identity={"recipe": 1, "threads": 3}).run()
    with pytest.raises(UsageError, match="a position with seed 5 cannot be restored: here seed is 6"):
        _trainer(tmp_path, seed=6, identity={"recipe": 1, "threads": 2}).run()


def test_early_stop_after_patience(tmp_path):
    history = _trainer(tmp_path, epochs=30, schedule=Constant(0.0), patience=2).run()
    assert len(history) == 4  # the first is the best; three without a better one
    with pytest.raises(UsageError, match="patience"):
        Trainer(_net(), Loader(_bars(), 16), SGD(), Constant(0.1), 1, patience=1)


def test_a_plateau_hears_the_validation_error():
    """AlexNet's recipe: a rate that is too small for anything to improve is divided by ten, again and again."""
    schedule = Plateau(1e-9, patience=1)
    history = _trainer(epochs=5, schedule=schedule).run()
    assert [row["rate"] for row in history] == pytest.approx([1e-9, 1e-9, 1e-9, 1e-10, 1e-10], rel=1e-6)
    assert schedule.best == pytest.approx(1 - history[0]["validation_accuracy"])


def test_the_best_net_is_kept_and_not_the_last(tmp_path):
    trainer = _trainer(tmp_path, epochs=2, schedule=Constant(0.05))
    step = trainer.train_step

    def spoiled(x, labels):
        result = step(x, labels)
        if trainer.step == 12:
            trainer.net.state_dict()["fc.w"][:] = 0
        return result

    trainer.train_step = spoiled
    history = trainer.run()
    assert history[1]["validation_accuracy"] < history[0]["validation_accuracy"]
    assert fingerprint(minicnn.load(tmp_path / BEST)) == history[0]["weights"]


def test_clipping_limits_the_step():
    long, short = _trainer(schedule=Constant(1.0), optimiser=SGD()), _trainer(schedule=Constant(1.0), optimiser=SGD())
    short.clip = 0.01
    before = {key: a.copy() for key, a in long.net.state_dict().items()}
    x, labels = next(iter(long.loader))
    for trainer in (long, short):
        trainer.train_step(x, labels)
    moved = [
        math.sqrt(
            sum(((t.net.state_dict()[k] - before[k]) ** 2).sum() for k in ("conv.w", "bn.w", "bn.b", "fc.w", "fc.b"))
        )
        for t in (long, short)
    ]
    assert moved[0] > 0.05 and moved[1] == pytest.approx(0.01, rel=1e-4)


# Frozen nodes ------------------------------------------------------------------------------------------------------


def test_frozen_nodes_stay_and_the_others_move():
    trainer = _trainer(epochs=1, frozen=("conv", "bn"), optimiser=Momentum(decay=0.1))
    before = {key: a.copy() for key, a in trainer.net.state_dict().items()}
    trainer.run()
    for key, array in trainer.net.state_dict().items():
        assert np.array_equal(array, before[key]) == key.startswith(("conv.", "bn.")), key


def test_frozen_nodes_are_not_even_walked_to(monkeypatch):
    trainer = _trainer(frozen=("conv", "bn"))
    called = []
    monkeypatch.setattr(Conv2d, "backward_params", lambda *a: called.append(1))
    monkeypatch.setattr(MaxPool2d, "backward_input", lambda *a: called.append(1))
    trainer.train_step(*next(iter(trainer.loader)))
    assert not called


def test_a_frozen_name_that_is_no_node():
    with pytest.raises(UnknownNameError, match="node that matches 'cone'"):
        _trainer(frozen=("cone",))


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_nan_names_the_node_where_it_was_first():
    trainer = _trainer()
    x, labels = next(iter(trainer.loader))
    trainer.net.state_dict()["conv.w"][:] = 3e38
    before = {key: a.copy() for key, a in trainer.net.state_dict().items()}
    with (
        np.errstate(all="ignore"),
        pytest.raises(NotFiniteError, match=r"step 0: .*first in the output of conv \(Conv2d\)"),
    ):
        trainer.train_step(x, labels)
    for key in ("conv.w", "fc.w", "fc.b"):
        np.testing.assert_array_equal(trainer.net.state_dict()[key], before[key])


def test_nan_in_a_weight_and_in_an_image_are_named():
    trainer = _trainer()
    x, labels = next(iter(trainer.loader))
    bad = x.copy()
    bad[3, 0, 1, 1] = np.nan
    with pytest.raises(NotFiniteError, match="the images data are not finite"):
        trainer.train_step(bad, labels)
    trainer.net.state_dict()["fc.b"][1] = np.inf
    with np.errstate(all="ignore"), pytest.raises(NotFiniteError, match=r"fc\.b is not finite"):
        trainer.train_step(x, labels)


def test_nan_on_the_way_back_is_named(monkeypatch):
    trainer = _trainer()
    monkeypatch.setattr(
        MaxPool2d, "backward_input", lambda self, dout, cache: np.full((16, 4, 8, 8), np.nan, np.float32)
    )
    with pytest.raises(NotFiniteError, match=r"on the way back, in the gradient of bn\."):
        trainer.train_step(*next(iter(trainer.loader)))


def test_a_frozen_net_is_refused():
    with pytest.raises(MinicnnError, match=r"read-only|frozen"):
        _trainer(net=_net().freeze()).run()
    _trainer(net=_net().freeze().thaw(), epochs=1).run()


@pytest.mark.parametrize("failure", ["full disk", "no memory"])
def test_a_failed_save_leaves_the_old_checkpoint(tmp_path, monkeypatch, failure):
    trainer = _trainer(tmp_path, epochs=1)
    trainer.run()
    before, files = (tmp_path / LAST).read_bytes(), sorted(tmp_path.iterdir())
    trainer.train_step(*next(iter(trainer.loader)))
    if failure == "no memory":

        def fail(*args):
            raise MemoryError

        monkeypatch.setattr(checkpoints, "to_bytes", fail)
        with pytest.raises(MemoryError):
            trainer.checkpoint()
    else:
        # The system refuses to let a file grow beyond a limit, as it refuses on a full disk.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
            with pytest.raises(OutputError, match=f"cannot write .*{LAST}"):
                trainer.checkpoint()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, old)
    assert (tmp_path / LAST).read_bytes() == before and sorted(tmp_path.iterdir()) == files
    assert _trainer(tmp_path, epochs=1).resume()


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, b"{}", None])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    from minicnn.errors import FormatError

    _trainer(tmp_path, epochs=1).run()
    data = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(data[: len(data) // 2] if damage is None else damage)
    with pytest.raises(FormatError, match="is no checkpoint of a training run"):
        _trainer(tmp_path, epochs=1).run()


def test_the_curves(tmp_path):
    from PIL import Image

    history = _trainer(tmp_path).run()
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,step,rate,loss,accuracy,validation_loss") and len(lines) == 4
    assert lines[3].split(",")[0] == "3" and lines[3].endswith(history[2]["weights"])
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > 600 and len(image.getcolors(100_000)) > 10
