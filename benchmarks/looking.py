"""How long pictures take, and how much of that is not the kernels.

Each is made three times, after a short one that compiles; the median counts. The time inside the kernels is that of the
backend's functions, where a net's passes end; the rest is the walk over the graph, the jitter, the resizing, and what
moves the image.

    MINICNN_WEIGHTS=WEIGHTS python -m minicnn.benchmarks.report README.md looking

with GoogLeNet among the weights (`minicnn models fetch googlenet`).
"""

import time
from functools import wraps
from types import FunctionType, ModuleType
from typing import NamedTuple

import numpy as np

from .. import kernels, load, vis
from ..vis.image import contrast

NET, CLASS, LAYER, SKY = "googlenet", "flamingo", "inception_4c/output", (575, 1024)
RUNS = 3


class Result(NamedTuple):
    """One picture.

    seconds  of the whole
    outside  the share of it that was spent outside of the kernels
    """

    work: str
    net: str
    seconds: float
    outside: float


def measure_all(net=None, unit=CLASS, layer=LAYER, sky=SKY, steps=200):
    """The Results of a class picture and of a dream of a sky, drawn, of (H, W) = sky pixels."""
    net = net or load(NET)
    rng = np.random.default_rng(0)
    clouds = np.cumsum(rng.normal(0, 0.02, (1, 3, *sky)), axis=3) * contrast(net.meta)
    clouds = clouds.astype(net.dtype)

    def climb(steps):
        vis.class_model(net, unit, steps=steps, progress=False)

    def dream(steps):
        vis.dream(net, clouds, layer, steps=steps, progress=False)

    return [
        _measure(f"class picture, {steps} steps", net, climb, steps),
        _measure(f"dream of {sky[1]}x{sky[0]}, 4 octaves of 10 steps", net, dream, 10),
    ]


def _measure(work, net, make, steps):
    make(1)
    runs = []
    for _ in range(RUNS):
        with kernels.use(Timed(kernels.current())) as timed:
            begin = time.perf_counter()
            make(steps)
            runs.append((time.perf_counter() - begin, timed.seconds))
    whole, inside = sorted(runs)[RUNS // 2]
    return Result(work, net.meta.architecture, whole, 1 - inside / whole)


class Timed(ModuleType):
    """A backend that adds up, in `seconds`, the time inside its functions."""

    def __init__(self, backend):
        super().__init__(backend.__name__)
        self.seconds = 0.0
        for name, value in vars(backend).items():
            is_kernel = isinstance(value, FunctionType) and not name.startswith("_")
            setattr(self, name, self._timed(value) if is_kernel else value)

    def _timed(self, kernel):
        @wraps(kernel)
        def run(*args, **named):
            begin = time.perf_counter()
            try:
                return kernel(*args, **named)
            finally:
                self.seconds += time.perf_counter() - begin

        return run
