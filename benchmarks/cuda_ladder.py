"""A card's ladders, climbed: every rung is checked against the reference in float64, then timed, cold and warm.

At the top of the matrix product stands cuBLAS, as CuPy calls it, and at that of the convolutions cuDNN, as PyTorch
calls it; both in float32 proper, which the matrix units know nothing of. What the figures mean is said in ladder.py.
"""

from functools import partial

from .. import kernels
from ..kernels.cuda import rungs
from . import cuda_machine
from .cuda_cases import FULL, cases, mapped
from .cuda_timing import Clock
from .ladder import Result, check_all
from .timing import interleaved

SIZE = FULL
# What `minicnn bench` calls these operations; all others are "others".
WORKS = {
    "gemm": ("matmul",),
    "conv": ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"),
    "pool": ("max_pool2d_forward", "max_pool2d_backward", "avg_pool2d_forward", "avg_pool2d_backward"),
}


def operations(work):
    """The names of the ladders of a work."""
    kernels.get("cuda")  # whose modules define them
    named = {operation for operations in WORKS.values() for operation in operations}
    return WORKS.get(work) or tuple(operation for operation in rungs.LADDERS if operation not in named)


def climb(operation, seconds=2.0):
    """The Results of an operation's rungs, the lowest first, and of a library; raises MinicnnError if one is wrong.

    seconds     for all of them together, cold, and as long again warm
    first_ms is the first call's and that of copying its answer to the host.
    """
    cuda_machine.without_tf32()
    backend, case = kernels.get("cuda"), cases(SIZE)[operation]
    arguments = mapped(backend.to_device, case.arguments)
    runs = {
        f"{number} {name.replace('_', ' ')}": partial(_by_rung, getattr(backend, operation), operation, name, arguments)
        for number, name in enumerate(rungs.LADDERS[operation].rungs, 1)
    }
    runs |= _library(backend.xp, operation, arguments)
    checked = check_all(operation, [(name, case, _fetched(backend, run)) for name, run in runs.items()])
    clock, functions = Clock(backend.xp), list(runs.values())
    cold = interleaved(functions, seconds, once=clock.cold)
    warm = interleaved(functions, seconds, once=clock.warm)
    return [
        Result(operation, name, str(case), case.flop, case.bytes, *found, 1e3 * without, 1e3 * within)
        for name, found, without, within in zip(runs, checked, cold, warm)
    ]


def _by_rung(function, operation, name, arguments):
    with rungs.use(**{operation: name}):
        return function(*arguments)


def _fetched(backend, run):
    def fetch():
        found = run()
        return tuple(map(backend.to_host, found)) if isinstance(found, tuple) else backend.to_host(found)

    return fetch


def _library(xp, operation, arguments):
    """{name: function} of whoever stands at the top of this ladder; {} where nobody does, or it is not there."""
    if operation == "matmul":
        a, b = arguments
        return {"cuBLAS": lambda: a @ b}
    if operation not in WORKS["conv"] or not cuda_machine.has_torch():
        return {}
    import torch

    from .torch_conv import CALLS

    there = [torch.from_dlpack(a) if isinstance(a, xp.ndarray) else a for a in arguments]
    return {"PyTorch, cuDNN": lambda: xp.from_dlpack(CALLS[operation](*there))}
