"""The ladder, climbed: every rung is checked against float64, then timed; NumPy's BLAS and PyTorch stand at the top.

What the figures mean is the roofline model: a kernel can be as fast as the vector units, or as the memory brings it
the numbers, whichever is slower. Work is counted as in the definition, whatever a rung makes of it: Winograd's, which
multiplies a quarter as often, may come out above the roof. So may data that the last run left in the cache.

Williams, Waterman & Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures", 2009.
"""

import time
from typing import NamedTuple

from tqdm import tqdm

from ..errors import MinicnnError
from ..kernels.numba_cpu.ladder import conv, gemm, pool
from . import machine
from .cases import LADDER
from .nets import has_torch
from .timing import interleaved

_RUNGS = {"gemm": gemm.RUNGS, "conv": conv.RUNGS, "pool": pool.RUNGS}


class Result(NamedTuple):
    """One rung.

    work        gemm, conv or pool
    rung        its number and name, or whose library it is
    case        the shape
    flop        multiplications, additions and comparisons of the definition
    bytes       of the inputs and outputs, each once
    error       the largest, as a part of the largest output
    first_ms    the first call, with compiling or loading what was compiled before
    ms          the median of the others
    warm_ms     of a card: the same just after another run, what it left still in the cache; there, ms is without
    """

    work: str
    rung: str
    case: str
    flop: int
    bytes: int
    error: float
    first_ms: float
    ms: float
    warm_ms: float | None = None

    @property
    def gflops(self):
        return self.flop / self.ms / 1e6

    @property
    def gbytes(self):
        return self.bytes / self.ms / 1e6

    @property
    def intensity(self):
        """Operations a byte."""
        return self.flop / self.bytes


def operations(work):
    """The ladders of a work: on a processor each has one."""
    return (work,)


def climb(work, seconds=5.0):
    """The Results of `work`, the lowest rung first; raises MinicnnError if a rung is wrong."""
    tiny, full = LADDER[work]
    arguments = {case: case.arguments() for case in (tiny, full)}
    runs = []
    for number, rung in enumerate(_RUNGS[work], 1):
        case = tiny if number == 1 else full
        runs.append((f"{number} {rung.__name__.replace('_', ' ')}", case, _call(rung, arguments[case])))
    if has_torch():
        runs.append(("PyTorch", full, _torch(work, arguments[full])))
    numpy = [(machine.numpy_blas(), full, _call(lambda a, b: a @ b, arguments[full]))] if work == "gemm" else []
    runs[len(_RUNGS[work]) : len(_RUNGS[work])] = numpy

    checked = check_all(work, runs)
    # NumPy by itself: its threads wait by spinning, which gets in the way of whoever comes next.
    together = [run[2] for run in runs if run not in numpy]
    times = dict(zip(together, interleaved(together, seconds)))
    for *_, function in numpy:
        times[function] = interleaved([function], seconds / 10)[0]
    return [
        Result(work, name, str(case), case.flop, case.bytes, *found, 1e3 * times[function])
        for (name, case, function), found in zip(runs, checked)
    ]


def figures(results, peak, bandwidth):
    """The Results as dicts, with what follows from them: one row a rung.

    peak        GFLOP/s of the vector units
    bandwidth   GB/s of the memory
    of_roof     part of what peak and bandwidth allow, whichever allows less
    to_library  time for the same work, that of the library in the last row being 1; None where there is none
    """
    theirs = None if results[-1].rung[0].isdigit() else results[-1].gflops
    return [
        r._asdict()
        | {
            "gflops": r.gflops,
            "gbytes": r.gbytes,
            "intensity": r.intensity,
            "of_peak": r.gflops / peak,
            "of_roof": max(r.flop / peak, r.bytes / bandwidth) / 1e6 / r.ms,
            "to_library": theirs and theirs / r.gflops,
        }
        for r in results
    ]


def check_all(work, runs):
    """(error, milliseconds of the first call) of each (name, case, function); raises MinicnnError if one is wrong."""
    return [_check(*run) for run in tqdm(runs, desc=f"{work}: check", disable=None)]


def _call(function, arguments):
    return lambda: function(*arguments)


def _check(name, case, function):
    start = time.perf_counter()
    found = function()
    first = 1e3 * (time.perf_counter() - start)
    error = case.error(found)
    if not error <= case.limit:
        raise MinicnnError(f"{name} on {case}: off by {error:.1e} of the largest, {case.limit:g} allowed: not timed")
    return error, first


def _torch(work, arguments):
    """PyTorch's call for the same, on as many threads."""
    import torch
    from torch.nn import functional as F

    from .. import kernels

    torch.set_num_threads(kernels.threads())
    if work == "gemm":
        a, b = (torch.from_numpy(m) for m in arguments)
        return lambda: torch.mm(a, b).numpy()
    x = torch.from_numpy(arguments[0])
    if work == "conv":
        w, pad = torch.from_numpy(arguments[1]), arguments[2]
        return lambda: F.conv2d(x, w, padding=pad[0]).numpy()
    _, kernel, stride, _ = arguments
    # Its argmax, which it finds as well, counts from the plane's beginning.
    return lambda: (F.max_pool2d(x, kernel, stride, return_indices=True)[0].numpy(), None)
