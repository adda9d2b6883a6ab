"""Patches: against one picture after the other, by any executor, in any order, stopped and resumed."""

import pickle
import random
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from minicnn import Net, kernels
from minicnn.errors import FormatError, MinicnnError, UsageError
from minicnn.layers import Concat, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from minicnn.meta import Meta
from minicnn.vis import patches
from minicnn.vis.image import preprocess
from minicnn.vis.inputs import Pictures
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.scanning import scan

COUNT = 23


def _net(seed=0, **meta):
    nodes = [
        ("conv1", Conv2d(3, 6, 3)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2, stride=2)),
        ("one", Conv2d(6, 2, 1), "pool1"),
        ("three", Conv2d(6, 3, 3, pad=1), "pool1"),
        ("both", Concat(), ("one", "three")),
        ("conv2", Conv2d(5, 4, 2)),
        ("relu2", ReLU()),
        ("flat", Flatten()),
        ("fc", Linear(4 * 6 * 7, 3)),
    ]
    classes = ("cat", "dog", "tench, Tinca tinca")
    meta = Meta("none", (3, 16, 18), "BGR", 2.0, (0.9, 1.0, 1.1), (0.5, 0.6, 0.7), "crop", 18, classes, **meta)
    return Net(nodes, meta=meta).init(seed)


@pytest.fixture(autouse=True)
def _numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture
def folder(tmp_path):
    """23 pictures of many sizes, some of them in a zip: smooth ones, so that cropping and resizing matter."""
    rng, folder = np.random.default_rng(1), tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    for k in range(COUNT):
        pixels = rng.integers(0, 256, (5, 6, 3), np.uint8)
        size = (int(rng.integers(12, 60)), int(rng.integers(12, 60)))
        image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        image.save(folder / ("deep/er" if k % 3 else "deep") / f"{k:02}.png")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for k in range(3):
            archive.write(folder / "deep" / f"{3 * k:02}.png", f"x/{k}.png")
    return [folder, tmp_path / "more.zip"]


def _one_by_one(net, layer, pictures, top):
    """The twin: a list of (value, number, (y, x)) a channel, by plain loops over one picture after the other."""
    found = {}
    for number in range(len(pictures)):
        out = net(preprocess(pictures[number], net.meta), until=layer)[0]
        for c, values in enumerate(out):
            best = None
            for at in np.ndindex(*values.shape):
                if best is None or values[at] > best[0]:
                    best = float(values[at]), at
            found.setdefault(c, []).append((best[0], number, best[1] or (0, 0)))
    return [sorted(found[c], key=lambda one: (-one[0], one[1]))[:top] for c in sorted(found)]


@pytest.mark.parametrize("layer", ["conv1", "relu1", "both", "conv2", "fc"])
def test_the_strongest_are_those_of_one_by_one(folder, layer):
    net, pictures = _net(), Pictures(folder)
    result = patches(net, pictures, layer, top=4, batch=5)
    expected = _one_by_one(net, layer, pictures, 4)
    assert result.layer == layer and result.channels.tolist() == list(range(len(expected)))
    assert result.pictures.tolist() == [[number for _, number, _ in row] for row in expected]
    assert result.positions.tolist() == [[list(at) for *_, at in row] for row in expected]
    np.testing.assert_allclose(result.values, [[value for value, *_ in row] for row in expected], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.again, result.values, rtol=1e-3, atol=1e-5)
    assert result.names == [[pictures.names[n] for n in row] for row in result.pictures]
    assert result.skipped == {} and result.source is pictures
    assert len({tuple(row) for row in result.pictures.tolist()}) > 1


def test_the_zips_copies_are_ties_for_the_first(folder):
    # pictures 23, 24, 25 are 0, 3, 6 again
    result = patches(_net(), Pictures(folder), "conv1", top=26, batch=26)
    numbers = result.pictures.tolist()
    twice = {name[-6:]: n for n, name in enumerate(Pictures(folder).names)}
    for row in numbers:
        for first, second in ((twice["00.png"], 23), (twice["03.png"], 24), (twice["06.png"], 25)):
            assert row.index(second) == row.index(first) + 1


def test_chosen_channels_and_single_ones(folder):
    net = _net()
    whole = patches(net, folder, "conv1", top=3)
    some = patches(net, folder, "conv1", top=3, channels="5,0-2,1")
    assert some.channels.tolist() == [5, 0, 1, 2]
    np.testing.assert_array_equal(some.pictures, whole.pictures[[5, 0, 1, 2]])
    np.testing.assert_array_equal(patches(net, folder, "conv1:4", top=3).pictures, whole.pictures[[4]])
    tench = patches(net, folder, "Tinca tinca", top=2)
    assert tench.layer == "fc" and tench.channels.tolist() == [2]
    assert tench.boxes.tolist() == [[[0, 0, 16, 18]] * 2]


def test_fewer_pictures_than_asked_for(folder):
    result = patches(_net(), Pictures(folder)[:3], "conv1:0", top=9, batch=2)
    assert sorted(result.pictures[0].tolist()) == [0, 1, 2] and result.values.shape == (1, 3)


def test_what_a_python_user_has():
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, (20, 30, 3), np.uint8) for _ in range(4)]
    result = patches(_net(), images, "conv2", top=2)
    assert result.pictures.shape == (4, 2) and set(result.names[0]) <= set("0123")


# Who does the work --------------------------------------------------------------------------------------------------


class _Backward(Executor):
    """Begins nothing before everything is there, and does it in a random order."""

    def __init__(self, seed):
        self.rng, self.waiting = random.Random(seed), []

    def submit(self, function, *args, **kwargs):
        future = Future()
        future.set_running_or_notify_cancel()
        self.waiting.append((future, function, args, kwargs))
        return future

    def work(self, *args, **kwargs):
        self.rng.shuffle(self.waiting)
        while self.waiting:
            future, function, args, kwargs = self.waiting.pop()
            future.set_result(function(*args, **kwargs))


def _same(one, other):
    for field in ("channels", "values", "again", "pictures", "positions", "boxes"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)
    assert one.names == other.names and one.skipped == other.skipped


@pytest.mark.parametrize("seed", range(3))
def test_whichever_comes_back_first(folder, monkeypatch, seed):
    from minicnn.vis.scanning import jobs

    expected = patches(_net(), folder, "relu2", top=5, batch=2)
    executor, wait = _Backward(seed), jobs.wait

    def work_and_wait(futures, **kwargs):
        executor.work()
        return wait(futures, **kwargs)

    monkeypatch.setattr(jobs, "wait", work_and_wait)
    _same(patches(_net(), folder, "relu2", top=5, batch=2, executor=executor), expected)


def test_threads(folder):
    expected = patches(_net(), folder, "both", top=5, batch=3)
    with ThreadPoolExecutor(3) as executor:
        _same(patches(_net(), folder, "both", top=5, batch=3, executor=executor), expected)


def test_processes(folder):
    (folder[0] / "broken.png").write_bytes(b"no picture")
    expected = patches(_net(), folder, "both", top=5, batch=13)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        found = patches(_net(), folder, "both", top=5, batch=13, executor=executor)
    _same(found, expected)
    assert list(found.skipped) == [f"{folder[0]}/broken.png"]


def test_a_dask_cluster_of_two_workers(folder, monkeypatch, caplog):
    """Two processes, as on two machines."""
    distributed = pytest.importorskip("distributed")
    scatter, sent = distributed.Client.scatter, []
    monkeypatch.setattr(distributed.Client, "scatter", lambda *args, **kw: sent.append(args[1]) or scatter(*args, **kw))
    (folder[0] / "broken.png").write_bytes(b"no picture")
    expected = patches(_net(), folder, "both", top=5, batch=4)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        with distributed.Client(cluster) as client:
            assert len(client.scheduler_info()["workers"]) == 2
            with client.get_executor() as executor:
                _same(patches(_net(), folder, "both", top=5, batch=4, executor=executor), expected)
        caplog.clear()
        _same(patches(_net(), folder, "both", top=5, batch=4, scheduler=cluster.scheduler_address), expected)
    assert [type(net) for net in sent] == [Net] * 2  # once for each scan, not for each batch
    [said] = [record.getMessage() for record in caplog.records if record.name == "minicnn"]
    assert "skipped: " in said and "broken.png" in said


def test_workers_that_cannot_be(folder):
    with pytest.raises(UsageError, match="scheduler tcp://host:1 beside an executor"):
        patches(_net(), folder, "conv1", scheduler="tcp://host:1", executor=ThreadPoolExecutor(1))
    pytest.importorskip("distributed")
    with pytest.raises(MinicnnError, match="no Dask cluster at nothing://here"):
        patches(_net(), folder, "conv1", scheduler="nothing://here")


def test_a_job_that_fails_ends_the_scan(folder, monkeypatch):
    net = _net()
    net.load_state_dict({"conv1.b": np.full(6, np.nan)}, strict=False)
    with ThreadPoolExecutor(2) as executor, pytest.raises(MinicnnError, match=r"\.png: conv1:\d is NaN"):
        patches(net, folder, "conv1", batch=2, executor=executor)


# Pictures that cannot be read, values that are not found again ------------------------------------------------------


def test_damaged_pictures_are_named_and_skipped(folder):
    expected = patches(_net(), folder, "conv1", top=5, batch=3)
    (folder[0] / "deep" / "00a.png").write_bytes(b"no picture")
    whole = (folder[0] / "deep" / "03.png").read_bytes()
    (folder[0] / "zz.jpg").write_bytes(whole[: len(whole) // 2])
    result = patches(_net(), folder, "conv1", top=5, batch=3)
    assert [name.rpartition("/")[2] for name in result.skipped] == ["00a.png", "zz.jpg"]
    assert all("picture" in reason for reason in result.skipped.values())
    assert result.names == expected.names


def test_only_damaged_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(MinicnnError, match=r"none of 1 pictures could be read: .*a\.png"):
        patches(_net(), [tmp_path], "conv1")


def test_a_picture_that_changed_is_noticed(folder, monkeypatch):
    net, pictures = _net(), Pictures(folder)
    look_at = scan._look_at

    def then_change(*args):
        result = look_at(*args)
        for name in pictures.names[:COUNT]:
            Image.new("RGB", (40, 40), "white").save(name)
        return result

    monkeypatch.setattr(scan, "_look_at", then_change)
    with pytest.raises(MinicnnError, match=r"\d\d\.png: conv1:0 was .*, and is .* when run again"):
        patches(net, pictures, "conv1:0", top=3, batch=100)


# Stopped and resumed ------------------------------------------------------------------------------------------------


def _counted(monkeypatch, stop_at=None, error=KeyboardInterrupt):
    """A list of the numbers of pictures in each batch that is run; the one numbered stop_at raises."""
    look_at, seen = scan._look_at, []

    def counted(*args):
        if len(seen) == stop_at:
            raise error
        seen.append(args[5])
        return look_at(*args)

    monkeypatch.setattr(scan, "_look_at", counted)
    return seen


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_stopped_and_resumed(folder, tmp_path, monkeypatch, error):
    (folder[0] / "broken.png").write_bytes(b"no picture")
    arguments = {"top": 5, "batch": 4, "state": str(tmp_path / "state.npz")}
    expected = patches(_net(), folder, "both", top=5, batch=4)
    with monkeypatch.context() as patched:
        seen = _counted(patched, stop_at=3, error=error)
        if error is KeyboardInterrupt:
            with pytest.warns(StoppedEarly, match="patches: interrupted"):
                early = patches(_net(), folder, "both", **arguments)
        else:
            with pytest.raises(SystemExit):
                patches(_net(), folder, "both", **arguments)
    assert seen == [0, 4, 8]
    if error is KeyboardInterrupt:
        _same(early, patches(_net(), Pictures(folder)[:12], "both", top=5, batch=4))
    seen = _counted(monkeypatch)
    result = patches(_net(), folder, "both", **arguments)
    _same(result, expected)
    assert seen == [12, 16, 20, 24]
    seen.clear()
    _same(patches(_net(), folder, "both", **arguments), expected)
    assert seen == []
    assert [file.name for file in tmp_path.glob(".*")] == []


_KILLED = """
import pickle, sys, time
from minicnn import kernels
from minicnn.vis import patches
from minicnn.vis.scanning import scan

look_at = scan._look_at
def slowly(*args):
    time.sleep(0.1)
    return look_at(*args)
scan._look_at = slowly
net, folder, state = pickle.load(sys.stdin.buffer)
with kernels.use("numpy"):
    patches(net, folder, "both", top=5, batch=1, state=state, progress=False)
"""


def test_killed_and_resumed(folder, tmp_path, monkeypatch):
    """Another process by SIGKILL, somewhere after the first batch: nothing is cleaned up."""
    state, arguments = tmp_path / "state.npz", {"top": 5, "batch": 1}
    expected = patches(_net(), folder, "both", **arguments)
    with subprocess.Popen([sys.executable, "-c", _KILLED], stdin=subprocess.PIPE) as process:
        pickle.dump((_net(), folder, str(state)), process.stdin)
        process.stdin.close()
        while process.poll() is None and not state.exists():
            time.sleep(0.02)
        time.sleep(0.15)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    seen = _counted(monkeypatch)
    _same(patches(_net(), folder, "both", state=str(state), **arguments), expected)
    assert 0 < len(seen) < COUNT + 3 and seen == sorted(seen)


def test_stopped_while_values_are_checked(folder, monkeypatch):
    expected, values_at, seen = patches(_net(), folder, "both", top=3), scan._values_at, []

    def stopped(*args):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(1)
        return values_at(*args)

    monkeypatch.setattr(scan, "_values_at", stopped)
    with pytest.warns(StoppedEarly, match="patches, again: interrupted"):
        early = patches(_net(), folder, "both", top=3)
    np.testing.assert_array_equal(early.values, expected.values)
    checked = np.isin(expected.pictures, list(dict.fromkeys(expected.pictures.ravel()))[:2])
    assert 0 < checked.sum() < checked.size
    np.testing.assert_array_equal(early.again, np.where(checked, expected.again, np.nan))


def test_stopped_before_anything_was_found(folder, monkeypatch):
    _counted(monkeypatch, stop_at=0)
    with pytest.warns(StoppedEarly), pytest.raises(KeyboardInterrupt):
        patches(_net(), folder, "both")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "relu1"}, "is of another scan: layer conv1, here relu1; name another file"),
        ({"channels": "1-2"}, r"channels \[1\], here \[1, 2\]"),
        ({"top": 4}, "top 3, here 4"),
        ({"batch": 6}, "batch 16, here 6"),
        ({"net": _net(1)}, "another scan: net"),
        ({"net": _net(0, interpolation="nearest")}, "another scan: net"),
        ({"pictures": slice(1, None)}, "pictures 26, .* here 25, "),
    ],
)
def test_the_state_of_another_scan(folder, tmp_path, change, message):
    arguments = {"net": _net(), "pictures": Pictures(folder), "unit": "conv1", "channels": "1", "top": 3}
    arguments["state"] = str(tmp_path / "state.npz")
    patches(**arguments)
    if "pictures" in change:
        change = {"pictures": Pictures(folder)[change["pictures"]]}
    with pytest.raises(UsageError, match=message):
        patches(**{**arguments, **change})


@pytest.mark.parametrize("damage", ["cut", "text", "other", "shape"])
def test_a_damaged_state(folder, tmp_path, damage):
    state = tmp_path / "state.npz"
    patches(_net(), folder, "conv1", state=str(state))
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:200])
    elif damage == "text":
        state.write_text("nothing of the kind")
    else:
        with np.load(state) as file:
            arrays = dict(file)
        arrays.pop("done") if damage == "other" else arrays.update(places=arrays["places"][:2])
        np.savez(state, **arrays)
    with pytest.raises(FormatError, match=r"state\.npz: not the state of a scan"):
        patches(_net(), folder, "conv1", state=str(state))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "top is 0, expected 1 or more"),
        ({"batch": 0}, "batch is 0, expected 1 or more"),
        ({"unit": "conv1:1:2,3"}, "conv1:1:2,3: patches are of whole channels"),
        ({"unit": "conv1:6"}, "channel 6 of 0 to 5"),
        ({"channels": "1,6"}, "channel 6 of 0 to 5"),
        ({"channels": "2-9"}, "channel 9 of 0 to 5"),
        ({"channels": "1;2"}, "channels '1;2': expected numbers from 0 and ranges"),
        ({"channels": "4-2"}, "channels '4-2'"),
        ({"unit": "conv1:1", "channels": "2"}, "conv1:1 is one channel, channels '2' are of a whole layer"),
    ],
)
def test_what_makes_no_sense(folder, options, message):
    with pytest.raises(UsageError, match=message):
        patches(_net(), folder, **{"unit": "conv1", **options})


def test_a_net_without_meta(folder):
    net = _net()
    net.meta = None
    with pytest.raises(MinicnnError, match="this net has no meta"):
        patches(net, folder, "conv1")
