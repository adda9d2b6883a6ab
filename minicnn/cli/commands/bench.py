"""Time whole nets: forward and backward to the pixels, against PyTorch where it is installed.

PyTorch computes the same graph with as many threads, in the same run; the results are compared before they are timed.

examples:
  minicnn bench nets
  minicnn bench nets --net googlenet --batch 1 --json
"""

import sys

from ..options import add_json
from ..output import print_json, table


def add_arguments(parser):
    parser.add_argument("what", choices=["nets"], help="what to time")
    parser.add_argument("--net", metavar="NAME", action="append", help="an architecture; may be given more than once")
    parser.add_argument("--batch", metavar="N", type=int, action="append", help="images at a time; default 1 and 8")
    add_json(parser)


def run(args):
    from ...benchmarks import machine, nets

    results = nets.measure_all(args.net or nets.NETS, args.batch or (1, 8))
    peak = machine.peak_gflops()
    if args.json:
        document = {"machine": machine.describe(), "peak_gflops": peak}
        print_json({**document, "results": [r._asdict() for r in results]})
        return
    print(table(("net", "batch", "ms", "GFLOP/s", "of the peak", "PyTorch ms", "ratio", "MB", "PyTorch MB"), (
        (r.net, r.batch, f"{r.ms:.1f}", f"{r.gflops:.0f}", f"{r.gflops / peak:.0%}", *_theirs(r)) for r in results
    )))  # fmt: skip
    if not nets.has_torch():
        print("PyTorch is not installed: nothing to compare with", file=sys.stderr)


def _theirs(r):
    times = ("-", "-") if r.torch_ms is None else (f"{r.torch_ms:.1f}", f"{r.ms / r.torch_ms:.2f}")
    return *times, *("-" if mb is None else f"{mb:.0f}" for mb in (r.mb, r.torch_mb))
