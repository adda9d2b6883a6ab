"""The pass that every picture needs: forward to the scores and backward to the pixels, through whole nets.

Weights are random (seed 0): they change nothing about the time. PyTorch, where it is installed, computes the same
graph on as many threads; the two results are compared before either is timed.
"""

import multiprocessing
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .. import kernels
from ..errors import MinicnnError
from ..zoo import build
from .timing import interleaved

NETS = ("alexnet", "vgg16", "googlenet", "squeezenet1_1")
IMAGE = (3, 224, 224)
STATUS = Path("/proc/self/status")


class Result(NamedTuple):
    """One net at one batch size; None where PyTorch is not installed.

    macs          multiply-adds of the forward pass; the pass to the pixels takes twice as many
    ms, torch_ms  median milliseconds of the pass, ours and PyTorch's
    mb, torch_mb  what the process grew by beyond the weights at its peak, in 10^6 bytes
    """

    net: str
    batch: int
    macs: int
    ms: float
    torch_ms: float | None
    mb: float | None
    torch_mb: float | None

    @property
    def gflops(self):
        """10^9 multiplications and additions a second, counted as the definition does them: 4 a multiply-add."""
        return 4 * self.macs / self.ms / 1e6


def measure_all(names=NETS, batches=(1, 8)):
    """The Result of every net at every batch size; a bar on stderr, where that is a terminal."""
    cases = [(name, batch) for name in names for batch in batches]
    return [measure(*case) for case in tqdm(cases, desc="nets", disable=None)]


def measure(name, batch, seconds=3.0):
    """The Result of one net; raises MinicnnError if ours and PyTorch's numbers differ."""
    net, x, dout = _case(name, batch)
    passes, memory = [_ours(net, x, dout)], [_peak("ours", name, batch)]
    if has_torch():
        passes.append(_torch(net, x, dout))
        _compare(name, *(run() for run in passes))
        memory.append(_peak("torch", name, batch))
    ms = [1e3 * t for t in interleaved(passes, seconds)]
    summary = net.summary((batch, *IMAGE))
    return Result(name, batch, summary.macs, ms[0], ms[1] if ms[1:] else None, memory[0], memory[1] if ms[1:] else None)


def has_torch():
    """Whether PyTorch is there to be compared with."""
    return find_spec("torch") is not None


def _case(name, batch):
    rng = np.random.default_rng(0)
    net = build(name, seed=0).freeze()
    x = rng.standard_normal((batch, *IMAGE), dtype=np.float32)
    return net, x, rng.standard_normal((batch, 1000), dtype=np.float32)


def _ours(net, x, dout):
    def run():
        scores, tape = net.forward(x, until=net.scores, once=True)
        return scores, net.backward(dout, tape, params=False)[0]

    return run


def _torch(net, x, dout):
    import torch

    from .torch_net import TorchNet

    torch.set_num_threads(kernels.threads())
    other, image, gradient = TorchNet(net), torch.from_numpy(x), torch.from_numpy(dout)
    return lambda: [t.numpy() for t in other.image_gradient(image, gradient)]


def _compare(name, ours, theirs):
    """Scores to 1e-4 of their norm, the gradient to 3e-2 of its own: some kinks fall the other way within rounding."""
    for what, a, b, most in zip(("scores", "image gradient"), ours, theirs, (1e-4, 3e-2)):
        error = np.linalg.norm(a - b) / np.linalg.norm(b)
        if not error < most:
            raise MinicnnError(f"{name}: {what} differ from PyTorch's by {error:.1e} of their norm: nothing was timed")


def _peak(framework, name, batch):
    """Peak memory of the pass in a process of its own, in MB; None where the system does not say."""
    if not STATUS.is_file():
        return None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_here, (framework, name, batch))


def _peak_here(framework, name, batch):
    net, x, dout = _case(name, batch)
    make = _ours if framework == "ours" else _torch
    make(build("lenet", seed=0), np.ones((1, 1, 28, 28), np.float32), np.ones((1, 10), np.float32))()  # loads the code
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was in drawing the weights: begin anew
    before = _status("VmRSS")
    make(net, x, dout)()
    return (_status("VmHWM") - before) / 1e3


def _status(key):
    """A figure of this process, in kB; not getrusage's, which a child inherits."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1])
