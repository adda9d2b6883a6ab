"""A net so small that its codes can be written down, and pictures for it."""

import numpy as np

from minicnn import Net
from minicnn.layers import Conv2d, Flatten, Linear, Softmax
from minicnn.meta import Meta

META = Meta("none", (3, 2, 2), "RGB", 255.0, (10, 20, 30), (1.0, 2.0, 4.0), "squash", 2, classes=("a", "b", "c"))


def coloured_net():
    """2x2 pixels; "mix" has two channels, "flat" their eight values, "scores" three classes; float64."""
    nodes = [("mix", Conv2d(3, 2, 1)), ("flat", Flatten()), ("scores", Linear(8, 3)), ("prob", Softmax())]
    net = Net(nodes, meta=META).init(0).astype("float64").to("numpy")
    net.load_state_dict({"mix.w": np.reshape([1, 0, 0, 0, -1, 2], (2, 3, 1, 1)), "mix.b": [1.0, 0.0]}, strict=False)
    return net


def mixed(pixels):
    """What "mix" makes of pixels (2, 2, 3): (2, 2, 2), by its weights and META, pixel by pixel."""
    out = np.zeros((2, 2, 2))
    for y in range(2):
        for x in range(2):
            r, g, b = (float(v) for v in pixels[y][x])
            out[0, y, x] = (r - 10) / 1 + 1
            out[1, y, x] = -(g - 20) / 2 + 2 * (b - 30) / 4
    return out


def random_pictures(count, seed=0):
    """(count, 2, 2, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 3), dtype=np.uint8)


def interrupt_at(monkeypatch, module, name, call):
    """From that call on, counted from 1, module.name raises KeyboardInterrupt, as Ctrl-C does."""
    calls, function = [], getattr(module, name)

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) >= call:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    monkeypatch.setattr(module, name, interrupted)
