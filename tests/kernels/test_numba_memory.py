"""Memory that is used again: by the next array of its size, and never while anything looks at it."""

import gc
import threading

import numpy as np
import pytest

from minicnn.kernels.numba_cpu import memory

SHAPE = (300, 1000)  # 1.2 MB of float32, a size of which no other test has any


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    for name, value in (("_kept", memory.OrderedDict()), ("_by_size", {}), ("_bytes", 0)):
        monkeypatch.setattr(memory, name, value)
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


def test_freed_memory_is_used_again_for_the_same_size():
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


def test_what_is_kept_is_bounded_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 3_000_000)
    first, second, third = (memory.empty((n, 1000), "float32") for n in (301, 302, 303))
    last = address(third)
    del first, second, third
    assert memory._bytes == (302 + 303) * 4000
    assert sorted(m.size for m in memory._kept.values()) == [302 * 4000, 303 * 4000]
    assert address(memory.empty((303, 1000), "float32")) == last


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
