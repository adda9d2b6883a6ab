"""Memory that is used again: by the next array that fits, and never while anything looks at it."""

import gc
import threading

import numpy as np
import pytest

from minicnn.kernels.numba_cpu import memory

SHAPE = (300, 1000)  # 1.2 MB of float32


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(memory, "_slabs", [])
    yield
    gc.collect()


def address(a):
    return a.__array_interface__["data"][0]


def test_it_is_what_np_empty_gives():
    for dtype in ("float32", "float64", "int32"):
        a = memory.empty(SHAPE, dtype)
        assert type(a) is np.ndarray and a.shape == SHAPE and a.dtype == dtype
        assert a.flags.c_contiguous and a.flags.writeable and a.flags.aligned
        a[:] = 3
        assert (a == 3).all()


def test_freed_memory_is_used_again():
    a = memory.empty(SHAPE, "float32")
    where = address(a)
    del a
    other_shape = memory.empty(SHAPE[::-1], "float32")
    assert address(other_shape) == where
    assert address(memory.empty(SHAPE, "float32")) != where


def test_a_view_keeps_the_memory():
    a = memory.empty(SHAPE, "float32")
    where, view = address(a), a.reshape(-1)[10:20][::2].T
    view[:] = 7
    del a
    gc.collect()
    b = memory.empty(SHAPE, "float32")
    b[:] = 0
    assert address(b) != where and (view == 7).all()
    del view
    assert address(memory.empty(SHAPE, "float32")) == where


def test_small_arrays_are_left_to_the_c_library():
    assert memory.empty((4, 5), "float32").base is None


def free():
    return [slab.free for slab in memory._slabs]


def test_neighbours_join(monkeypatch):
    monkeypatch.setattr(memory, "SLAB_BYTES", 4 * 1_200_000)
    arrays = [memory.empty(SHAPE, "float32") for _ in range(4)]
    places = [address(a) for a in arrays]
    assert places == [places[0] + i * 1_200_000 for i in range(4)] and free() == [[]]
    for i, expected in (
        (1, [(1_200_000, 2_400_000)]),
        (3, [(1_200_000, 2_400_000), (3_600_000, 4_800_000)]),
        (2, [(1_200_000, 4_800_000)]),
        (0, [(0, 4_800_000)]),
    ):
        arrays[i] = None
        assert free() == [expected]
    assert address(memory.empty((1200, 1000), "float32")) == places[0]


def test_the_first_range_that_fits_is_taken(monkeypatch):
    monkeypatch.setattr(memory, "SLAB_BYTES", 6 * 1_200_000)
    arrays = [memory.empty(SHAPE, "float32") for _ in range(6)]
    places = [address(a) for a in arrays]
    arrays[0] = arrays[2] = arrays[3] = None
    pair = memory.empty((600, 1000), "float32")
    single = memory.empty(SHAPE, "float32")
    assert (address(pair), address(single)) == (places[2], places[0])
    assert len(memory._slabs) == 1


def test_random_arrays_never_overlap(monkeypatch):
    monkeypatch.setattr(memory, "SLAB_BYTES", 8_000_000)
    rng, alive = np.random.default_rng(0), {}
    for step in range(2000):
        if alive and rng.random() < 0.5:
            mark = list(alive)[rng.integers(len(alive))]
            assert (alive.pop(mark) == mark).all()
        else:
            alive[step] = memory.empty((int(rng.integers(65_536, 500_000)),), "int32")
            alive[step][:] = step
            assert address(alive[step]) % memory.ALIGNMENT == 0
        if len(alive) > 20:
            alive.clear()
    alive.clear()
    gc.collect()
    assert all(slab.unused for slab in memory._slabs)


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "SLAB_BYTES", 1_000_000)
    monkeypatch.setattr(memory, "KEPT_BYTES", 3_000_000)
    first, second, third = (memory.empty(SHAPE, "float32") for _ in range(3))
    assert [slab.size for slab in memory._slabs] == [1_200_000] * 3  # in use, whatever the bound says
    del second
    assert len(memory._slabs) == 2
    del first, third
    assert len(memory._slabs) == 2 and all(slab.unused for slab in memory._slabs)


def test_memory_that_there_is_not():
    with pytest.raises(MemoryError):
        memory.empty((1 << 50,), "float32")
    assert memory._slabs == []


def test_many_threads_never_share_memory():
    wrong = []

    def work(mark):
        for _ in range(200):
            a = memory.empty(SHAPE, "float32")
            a[::50] = mark
            b = memory.empty(SHAPE, "float32")
            b[::50] = -mark
            if (a[::50] != mark).any() or (b[::50] != -mark).any():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
