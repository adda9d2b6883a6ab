"""How long the nets that ship take on this machine, measured now."""

import numpy as np

from ... import kernels
from ...benchmarks.timing import interleaved
from ..output import table
from .page import Section

_RUNS, _BATCH = 5, 64


def section(nets):
    """A Section with a table: forward and image gradient of one image, and images a second in batches.

    nets  {name: net}
    """
    rows = [(name, *map("{:.2f} ms".format, _single(net)), f"{_many(net):.0f}") for name, net in nets.items()]
    return Section(
        "How long it takes",
        f"Medians of {_RUNS} runs, each after one that is not counted, on {kernels.threads()} threads of the backend "
        f"{kernels.name_of(kernels.current())}; `minicnn bench nets` compares whole nets with PyTorch.",
        table(("net", "forward", "image gradient", f"images/s in batches of {_BATCH}"), rows),
    )


def _single(net):
    x = np.random.default_rng(0).standard_normal((1, *net.meta.input_size), np.float32)

    def gradient():
        scores, tape = net.forward(x, until=net.scores, once=True)
        net.backward(np.ones_like(scores), tape, params=False)

    return tuple(1e3 * seconds for seconds in interleaved([lambda: net(x), gradient], seconds=0, least=_RUNS))


def _many(net):
    x = np.random.default_rng(0).standard_normal((_BATCH, *net.meta.input_size), np.float32)
    return _BATCH / interleaved([lambda: net(x)], seconds=0, least=_RUNS)[0]
