"""What nets are used for, timed on a card: the processor's table, and the image gradient as one CUDA graph, too.

What is computed is compared with the processor before anything is timed, and so is PyTorch's. Times are those of a
whole pass, with the starting of its kernels, which is most of it for a small net and a single image; PyTorch starts
them one by one, too, in float32 proper, by the algorithms that cuDNN finds to be the fastest. A training step is no
graph: its loss is a number on the host.
"""

from tqdm import tqdm

from .. import kernels
from ..kernels.cuda.graph import Graph
from . import nets
from .cuda_machine import has_torch, without_tf32
from .cuda_timing import Clock
from .timing import interleaved

ALL, BATCHES = nets.ALL, (1, 32)
GRAPH = f"{nets.GRADIENT}, CUDA graph"


def measure_all(names=ALL, batches=BATCHES):
    """The Results of every work and net at every batch size; a bar on stderr, where that is a terminal."""
    cases = tqdm(nets.cases(names, batches), desc="nets", disable=None)
    return [result for case in cases for result in measure(*case)]


def measure(work, name, batch, seconds=2.0):
    """The nets.Results of one net, kernel by kernel and, of the image gradient, as a graph.

    Memory is what CuPy's and PyTorch's pools take of the card for a pass, beyond the weights; a graph keeps its own.
    Raises MinicnnError if the card's or PyTorch's numbers differ from the processor's.
    """
    without_tf32()
    backend = kernels.get("cuda")
    net, x, dout = nets.prepare(work, name, batch)
    expected = nets.our_pass(work, net.to("numba"), x, dout)()
    there, image, seed = net.to("cuda"), backend.to_device(x), backend.to_device(dout)
    ours = nets.our_pass(work, there, image, seed)
    mb = _growth(backend.xp.get_default_memory_pool(), ours)
    nets.compare(name, tuple(map(backend.to_host, ours())), expected, "the processor's")
    passes = {work: ours}
    if work == nets.GRADIENT:
        graph = Graph(lambda x: nets.our_pass(work, there, x, seed)(), image)
        nets.compare(f"{name} as a graph", tuple(map(backend.to_host, graph(image))), expected, "the processor's")
        passes[GRAPH] = lambda: graph(image)
    torch_mb = None
    if has_torch():
        passes[None], torch_mb = _torch(work, net, x, dout)
        nets.compare(f"{name} by PyTorch", [t.cpu().numpy() for t in passes[None]()], expected, "the processor's")
    times = interleaved(list(passes.values()), seconds, once=Clock(backend.xp).whole)
    ms = {key: 1e3 * time for key, time in zip(passes, times)}
    macs, torch_ms = net.summary(x.shape).macs, ms.pop(None, None)
    return [
        nets.Result(key, name, batch, macs, own, torch_ms, mb if key == work else None, torch_mb)
        for key, own in ms.items()
    ]


def _growth(pool, run):
    """By how many MB a pool of CuPy's grows when `run` runs, not for the first time."""
    run()
    pool.free_all_blocks()
    before = pool.total_bytes()
    run()
    return (pool.total_bytes() - before) / 1e6


def _torch(work, net, x, dout):
    """(PyTorch's pass on the card, by how many MB its pool grows for one that is not the first)"""
    import torch

    from .torch_net import TorchNet

    other = TorchNet(net, "cuda")
    image, seed = torch.from_numpy(x).cuda(), torch.from_numpy(dout).cuda()

    def run():
        return other.image_gradient(image, seed) if work == nets.GRADIENT else other.training_step(image, seed)

    run()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    run()
    return run, (torch.cuda.max_memory_reserved() - before) / 1e6
