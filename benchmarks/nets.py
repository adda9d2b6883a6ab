"""What nets are used for, timed: the image gradient, forward to the scores and backward to the pixels, which every
picture needs; and the training step, forward to the loss and backward to every parameter.

Weights are random (seed 0): they change nothing about the time. PyTorch, where it is installed, computes the same
graph on as many threads; the two results are compared before either is timed. In training steps batch norm takes the
batch's statistics; dropout is left out, because the two would drop different numbers.
"""

import multiprocessing
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .. import kernels
from ..device import computing
from ..errors import MinicnnError
from ..layers import Dropout, Identity
from ..layers.softmax_cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from ..net import Net
from ..zoo import build
from .timing import interleaved

NETS = ("alexnet", "vgg16", "googlenet", "resnet50", "squeezenet1_1")
IMAGE = (3, 224, 224)
# The net that ships for CIFAR-10's small images, at the batch size that it was trained with.
CIFAR, CIFAR_IMAGE, CIFAR_BATCH = "cifar_vgg", (3, 32, 32), 128
ALL, BATCHES = (*NETS, CIFAR), (1, 8)
GRADIENT, STEP = "image gradient", "training step"
STATUS = Path("/proc/self/status")


class Result(NamedTuple):
    """One net at one batch size; None where PyTorch is not installed.

    work          GRADIENT or STEP
    macs          multiply-adds of the forward pass; back to the pixels takes as many again, to the parameters too
    ms, torch_ms  median milliseconds, ours and PyTorch's
    mb, torch_mb  what the process grew by beyond the weights at its peak, in 10^6 bytes
    """

    work: str
    net: str
    batch: int
    macs: int
    ms: float
    torch_ms: float | None
    mb: float | None
    torch_mb: float | None

    @property
    def gflops(self):
        """10^9 multiplications and additions a second, counted as the definition does them."""
        passes = 3 if self.work == STEP else 2
        return 2 * passes * self.macs / self.ms / 1e6


def cases(names, batches):
    """(work, net, batch) of all that is timed of these nets: both works at every batch size, CIFAR's net at its own."""
    found = [(work, name, batch) for work in (GRADIENT, STEP) for name in names for batch in batches if name != CIFAR]
    return found + [(STEP, CIFAR, CIFAR_BATCH)] * (CIFAR in names)


def measure_all(names=ALL, batches=BATCHES):
    """The Result of both works for every net at every batch size; a bar on stderr, where that is a terminal."""
    return [measure(*case) for case in tqdm(cases(names, batches), desc="nets", disable=None)]


def measure(work, name, batch, seconds=3.0):
    """The Result of one net; raises MinicnnError if ours and PyTorch's numbers differ."""
    case = prepare(work, name, batch)
    passes, memory = [our_pass(work, *case)], [_peak("ours", work, name, batch)]
    if has_torch():
        passes.append(_torch_pass(work, *case))
        compare(name, *(run() for run in passes))
        memory.append(_peak("torch", work, name, batch))
    ms = [1e3 * t for t in interleaved(passes, seconds)]
    net, x, _ = case
    macs = net.summary(x.shape).macs
    return Result(work, name, batch, macs, ms[0], ms[1] if ms[1:] else None, memory[0], memory[1] if ms[1:] else None)


def has_torch():
    """Whether PyTorch is there to be compared with."""
    return find_spec("torch") is not None


def prepare(work, name, batch):
    """(net, x, dout), NumPy arrays: of a training step dout is the images' classes."""
    rng = np.random.default_rng(0)
    net, image = build(name, seed=0), CIFAR_IMAGE if name == CIFAR else IMAGE
    classes = net.summary((batch, *image)).rows[-1].shape[1]
    x = rng.standard_normal((batch, *image), dtype=np.float32)
    if work == STEP:
        return _without_dropout(net), x, rng.integers(0, classes, batch)
    return net.freeze(), x, rng.standard_normal((batch, classes), dtype=np.float32)


def _without_dropout(net):
    layers = (Identity() if isinstance(node.layer, Dropout) else node.layer for node in net.nodes)
    return Net([(node.name, layer, node.inputs) for node, layer in zip(net.nodes, layers)], net.input)


def our_pass(work, net, x, dout):
    """A function without arguments that returns the scores and the gradient, as arrays of the net's backend."""

    def image_gradient():
        scores, tape = net.forward(x, until=net.scores, once=True)
        return scores, net.backward(dout, tape, params=False)[0]

    def training_step():
        scores, tape = net.forward(x, until=net.scores, train=True, once=True)
        with computing(net):
            _, cache = softmax_cross_entropy_forward(scores, dout)
            dscores = softmax_cross_entropy_backward(1.0, cache)
        _, grads = net.backward(dscores, tape, wrt=False)
        return scores, np.concatenate([grads[key].reshape(-1) for key in sorted(grads)])

    return image_gradient if work == GRADIENT else training_step


def _torch_pass(work, net, x, dout):
    import torch

    from .torch_net import TorchNet

    torch.set_num_threads(kernels.threads())
    other, image, dout = TorchNet(net), torch.from_numpy(x), torch.from_numpy(dout)
    run = other.image_gradient if work == GRADIENT else other.training_step
    return lambda: [t.numpy() for t in run(image, dout)]


def compare(name, ours, theirs, whose="PyTorch's"):
    """Scores to 1e-4 of their norm, gradients to 1e-1 of theirs; raises MinicnnError beyond. Both are NumPy arrays.

    Some kinks fall the other way within rounding, and batch norm over a few numbers makes more of it.
    """
    for what, a, b, most in zip(("scores", "gradient"), ours, theirs, (1e-4, 1e-1)):
        error = np.linalg.norm(a - b) / np.linalg.norm(b)
        if not error < most:
            raise MinicnnError(f"{name}: the {what} differ from {whose} by {error:.1e}: nothing was timed")


def _peak(framework, work, name, batch):
    """Peak memory of the pass in a process of its own, in MB; None where the system does not say."""
    if not STATUS.is_file():
        return None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_here, (framework, work, name, batch))


def _peak_here(framework, work, name, batch):
    case = prepare(work, name, batch)
    make = our_pass if framework == "ours" else _torch_pass
    make(work, *prepare(work, CIFAR, 1))()  # loads the code
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was in drawing the weights: begin anew
    before = _status("VmRSS")
    make(work, *case)()
    return (_status("VmHWM") - before) / 1e3


def _status(key):
    """A figure of this process, in kB; not getrusage's, which a child inherits."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1])
