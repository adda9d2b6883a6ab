"""The image gradient on a card, timed: kernel by kernel, and recorded as one CUDA graph; PyTorch computes the same.

The scores and the gradient are compared with those of the processor before anything is timed. Times are those of a
whole pass, with the starting of its kernels, which is most of it for a small net and a single image; PyTorch starts
them one by one, too, in float32 proper, by the algorithms that cuDNN finds to be the fastest.
"""

from tqdm import tqdm

from .. import kernels
from ..kernels.cuda.graph import Graph
from . import nets
from .cuda_machine import has_torch, without_tf32
from .cuda_timing import Clock
from .timing import interleaved

ALL, BATCHES = ("vgg16", "googlenet", "resnet50"), (1, 32)
GRAPH = f"{nets.GRADIENT}, CUDA graph"


def measure_all(names=ALL, batches=BATCHES):
    """The nets.Results of both ways for every net at every batch size; a bar on stderr, where that is a terminal."""
    cases = [(name, batch) for name in names for batch in batches]
    return [result for case in tqdm(cases, desc="nets", disable=None) for result in measure(*case)]


def measure(name, batch, seconds=3.0):
    """The two Results of one net; raises MinicnnError if the card's or PyTorch's numbers differ from the processor's.

    Memory is what CuPy's and PyTorch's pools take of the card for a pass, beyond the weights; a graph keeps its own.
    """
    without_tf32()
    backend = kernels.get("cuda")
    net, x, dout = nets.prepare(nets.GRADIENT, name, batch)
    expected = nets.our_pass(nets.GRADIENT, net.to("numba"), x, dout)()
    there, image, seed = net.to("cuda"), backend.to_device(x), backend.to_device(dout)
    ours = nets.our_pass(nets.GRADIENT, there, image, seed)
    mb = _growth(backend.xp.get_default_memory_pool(), ours)
    nets.compare(name, tuple(map(backend.to_host, ours())), expected, "the processor's")
    graph = Graph(lambda x: nets.our_pass(nets.GRADIENT, there, x, seed)(), image)
    nets.compare(f"{name} as a graph", tuple(map(backend.to_host, graph(image))), expected, "the processor's")
    passes, torch_mb = [ours, lambda: graph(image)], None
    if has_torch():
        theirs, torch_mb = _torch(net, x, dout)
        nets.compare(f"{name} by PyTorch", [t.cpu().numpy() for t in theirs()], expected, "the processor's")
        passes.append(theirs)
    ms = [1e3 * t for t in interleaved(passes, seconds, once=Clock(backend.xp).whole)]
    macs, torch_ms = net.summary(x.shape).macs, ms[2] if ms[2:] else None
    return [
        nets.Result(nets.GRADIENT, name, batch, macs, ms[0], torch_ms, mb, torch_mb),
        nets.Result(GRAPH, name, batch, macs, ms[1], torch_ms, None, torch_mb),
    ]


def _growth(pool, run):
    """By how many MB a pool of CuPy's grows when `run` runs, not for the first time."""
    run()
    pool.free_all_blocks()
    before = pool.total_bytes()
    run()
    return (pool.total_bytes() - before) / 1e6


def _torch(net, x, dout):
    """(PyTorch's pass on the card, by how many MB its pool grows for one that is not the first)"""
    import torch

    from .torch_net import TorchNet

    other = TorchNet(net, "cuda")
    image, seed = torch.from_numpy(x).cuda(), torch.from_numpy(dout).cuda()

    def run():
        return other.image_gradient(image, seed)

    run()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    run()
    return run, (torch.cuda.max_memory_reserved() - before) / 1e6
