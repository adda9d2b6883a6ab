import _thread
import json
import threading
import time
from functools import partial

import numpy as np
import pytest

from minicnn.errors import UsageError
from minicnn.kernels.errors import ShapeError
from minicnn.meta import Meta
from minicnn.train.augment import flip, random_crop
from minicnn.train.loader import Arrays, Loader
from minicnn.train.shapes import Shapes

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 3, 6, 6), dtype=np.uint8)
DATA = Arrays(IMAGES, np.arange(23))
STEPS = (flip, partial(random_crop, pad=2))


def epochs(loader, count):
    return [[(x, labels) for x, labels in loader] for _ in range(count)]


def same(one, two):
    assert len(one) == len(two)
    for (x, labels), (xx, llabels) in zip(one, two):
        assert x.dtype == xx.dtype and (x == xx).all() and (labels == llabels).all()


def loading():
    return [thread for thread in threading.enumerate() if thread.name.startswith("minicnn-loader")]


def test_every_image_once_an_epoch_in_another_order():
    loader = Loader(DATA, 5)
    assert len(loader) == 5
    first, second = epochs(loader, 2)
    for epoch in (first, second):
        assert [len(labels) for _, labels in epoch] == [5, 5, 5, 5, 3]
        assert sorted(label for _, labels in epoch for label in labels) == list(range(23))
        for x, labels in epoch:
            assert (x == IMAGES[labels]).all()
    orders = [[label for _, labels in epoch for label in labels] for epoch in (first, second)]
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])
    assert loader.epoch == 2 and loader.index == 0
    other = [label for _, labels in Loader(DATA, 5, seed=1) for label in labels]
    assert other != orders[0]


def test_without_shuffling():
    batches = list(Loader(DATA, 6, shuffle=False, drop_last=True))
    assert [labels.tolist() for _, labels in batches] == [list(range(i, i + 6)) for i in (0, 6, 12)]


def test_the_number_of_threads_changes_nothing():
    one, three, seven = (epochs(Loader(DATA, 4, steps=STEPS, threads=n), 2) for n in (1, 3, 7))
    for epoch in range(2):
        same(one[epoch], three[epoch])
        same(one[epoch], seven[epoch])


def test_slow_batches_do_not_change_the_order():
    class Uneven(Arrays):
        def batch(self, indices):
            time.sleep(0.05 if indices[0] % 2 else 0)
            return super().batch(indices)

    same(list(Loader(Uneven(IMAGES, np.arange(23)), 4, threads=4)), list(Loader(DATA, 4)))


def test_steps_are_drawn_anew_for_each_batch_and_epoch():
    noise = Loader(DATA, 5, steps=[lambda images, rng: rng.random((len(images), 3, 6, 6))])
    draws = [x[0, 0, 0, 0] for epoch in epochs(noise, 2) for x, _ in epoch]
    assert len(set(draws)) == 10
    order = np.random.default_rng([0, 0]).random()
    assert order not in draws


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 7, 10])
def test_a_resumed_run_sees_the_same_batches(stop):
    whole = [batch for epoch in epochs(Loader(DATA, 5, seed=3, steps=STEPS), 3) for batch in epoch]
    loader, seen = Loader(DATA, 5, seed=3, steps=STEPS), []
    state = loader.state()
    while len(seen) < stop:
        for batch in loader:
            seen.append(batch)
            state = json.dumps(loader.state())
            if len(seen) == stop:
                break
    resumed = Loader(DATA, 5, seed=3, steps=STEPS, threads=1)
    resumed.restore(json.loads(state) if isinstance(state, str) else state)
    while resumed.epoch < 3:
        seen.extend(resumed)
    same(seen, whole)


def test_restoring_what_does_not_fit():
    state = Loader(DATA, 5, seed=3).state()
    for other, said in [
        (Loader(DATA, 5, seed=4), "seed 3 cannot be restored: here seed is 4"),
        (Loader(DATA, 6, seed=3), "size 5"),
        (Loader(Arrays(IMAGES[:20], np.arange(20)), 5, seed=3), "items 23"),
        (Loader(DATA, 5, seed=3, shuffle=False), "shuffle True"),
    ]:
        with pytest.raises(UsageError, match=said):
            other.restore(state)
    for key, value in [("index", 5), ("index", -1), ("epoch", -1), ("epoch", "1"), ("index", None)]:
        with pytest.raises(UsageError, match=f"{value!r}"):
            Loader(DATA, 5, seed=3).restore({**state, key: value})


def test_meta_makes_the_net_s_input():
    meta = Meta("net", (3, 6, 6), "BGR", 255.0, (1.0, 2.0, 3.0), (2.0, 2.0, 2.0), "squash", 6)
    x, labels = next(iter(Loader(DATA, 5, meta=meta)))
    assert x.dtype == np.float32
    expected = (IMAGES[labels][:, ::-1] - np.reshape([1.0, 2.0, 3.0], (3, 1, 1))) / 2
    np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_data_without_an_end():
    loader = Loader(Shapes(2, size=16), 4, items=10, threads=3)
    first, second = epochs(loader, 2)
    shapes = Shapes(2, size=16)
    for epoch, start in ((first, 0), (second, 10)):
        images = np.concatenate([x for x, _ in epoch])
        expected = [shapes.item(i).image for i in range(start, start + 10)]
        assert sorted(image.tobytes() for image in images) == sorted(image.tobytes() for image in expected)


class Failing(Arrays):
    def batch(self, indices):
        if 13 in indices:
            raise ValueError("thirteen")
        return super().batch(indices)


def test_what_goes_wrong_in_a_thread_comes_at_its_place():
    loader = Loader(Failing(IMAGES, np.arange(23)), 5, shuffle=False)
    seen = []
    with pytest.raises(ValueError, match="thirteen"):
        for _, labels in loader:
            seen.append(labels[0])
    assert seen == [0, 5] and (loader.epoch, loader.index) == (0, 2)
    assert not loading()


def test_what_is_skipped_is_left_out():
    class Skipping(Arrays):
        def batch(self, indices):
            kept = [i for i in indices if not 3 <= i < 10]
            return super().batch(kept)

    loader = Loader(Skipping(IMAGES, np.arange(23)), 5, shuffle=False, steps=STEPS)
    assert [labels.tolist()[0] for _, labels in loader] == [0, 10, 15, 20]
    assert loader.epoch == 1


def test_not_more_is_made_ahead_than_two_batches_a_thread():
    begun = []

    class Counting(Arrays):
        def batch(self, indices):
            begun.append(indices[0])
            return super().batch(indices)

    batches = iter(Loader(Counting(IMAGES, np.arange(23)), 1, threads=2))
    for used in range(1, 6):
        next(batches)
        time.sleep(0.05)
        assert len(begun) <= used + 4
    batches.close()
    assert not loading() and len(begun) < 12


def test_stopping_early_stops_the_threads():
    loader = Loader(DATA, 2, threads=3)
    batches = iter(loader)
    next(batches)
    assert loading()
    batches.close()
    assert not loading() and loader.index == 1


def test_ctrl_c_while_waiting(ctrl_c):
    class Interrupting(Arrays):
        def batch(self, indices):
            if indices[0] == 10:
                _thread.interrupt_main()
                time.sleep(0.3)
            return super().batch(indices)

    loader = Loader(Interrupting(IMAGES, np.arange(23)), 5, shuffle=False, threads=1)
    with pytest.raises(KeyboardInterrupt):
        for _ in loader:
            pass
    assert not loading() and loader.index <= 2


def test_what_is_asked_for():
    with pytest.raises(UsageError, match="items says"):
        Loader(Shapes(0), 5)
    with pytest.raises(UsageError, match="items says"):
        Loader(DATA, 5, items=7)
    with pytest.raises(UsageError, match="size 0"):
        Loader(DATA, 0)
    with pytest.raises(UsageError, match="threads 0"):
        Loader(DATA, 1, threads=0)
    with pytest.raises(UsageError, match="23 images make no batch of 24"):
        Loader(DATA, 24, drop_last=True)
    with pytest.raises(ShapeError, match=r"\(23,3,6,6\) and labels \(22\)|labels \(22,\)"):
        Arrays(IMAGES, np.arange(22))
