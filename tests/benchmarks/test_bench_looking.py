"""The share of a picture's time that is not the kernels: by kernels that sleep, and on a small net.

The net has no ReLU: with biases of 0 it would have no slope at the mean colour, where a class picture begins.
"""

import time
from types import ModuleType

import numpy as np
import pytest

from minicnn import Net, kernels
from minicnn.benchmarks import looking, report
from minicnn.layers import Conv2d, Flatten, Linear, MaxPool2d
from minicnn.meta import Meta


def test_the_time_inside_kernels_is_added_up():
    slow = ModuleType("slow")
    slow.xp = np

    def add(a, b):
        """Says so."""
        time.sleep(0.02)
        return a + b

    def matmul(a, b):
        time.sleep(0.02)
        raise ValueError("no")

    slow.add, slow.matmul = add, matmul
    timed = looking.Timed(slow)
    assert timed.xp is np and timed.add(1, b=2) == 3 and timed.add.__doc__ == "Says so."
    with pytest.raises(ValueError, match="no"):
        timed.matmul(1, 2)
    time.sleep(0.02)
    assert 0.04 <= timed.seconds < 0.06


def test_both_pictures_and_their_table(monkeypatch):
    monkeypatch.setattr(looking, "RUNS", 1)
    nodes = [
        ("conv1", Conv2d(3, 4, 3, pad=1)),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(4, 4, 3, pad=1)),
        ("flat", Flatten()),
        ("fc", Linear(4 * 8 * 8, 5)),
    ]
    net = Net(nodes, meta=Meta("tiny", (3, 16, 16), "RGB", 1.0, (0.5,) * 3, (0.25,) * 3, "squash", 16)).init(0)
    before = kernels.current()
    results = looking.measure_all(net, unit=2, layer="conv2", sky=(40, 64), steps=3)
    assert kernels.current() is before
    assert [r.work for r in results] == ["class picture, 3 steps", "dream of 64x40, 4 octaves of 10 steps"]
    for r in results:
        assert r.net == "tiny" and r.seconds > 0 and 0 < r.outside < 1
    machine = dict.fromkeys(("processor", "threads", "python", "numpy", "numba", "torch"), "x")
    row = looking.Result("class picture", "tiny", 12.34, 0.123)._asdict()
    text = report.looking_table({"date": "today", "machine": machine, "results": [row]})
    assert "| class picture | tiny | 12.3 s | 12% |" in text
