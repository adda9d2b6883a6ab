"""Time kernels rung by rung, whole nets and their loading, against PyTorch where it is installed.

gemm, conv and pool climb the ladder from the definition's loops to the fast kernel. Each rung is compared with float64
before it is timed; MB is what must move at least, the peak that of the vector units, the roof what memory allows too.
nets are timed forward and back to the pixels, and forward and back to all parameters, a training step. PyTorch computes
the same, in the same run, with as many threads. load is timed in processes that have imported everything.

With --backend cuda the ladders are a card's, those of the other operations too; ms is with nothing in the card's cache,
warm ms with what the run before left there. cuBLAS and cuDNN stand at the top. nets are the same, forward and back to
the pixels as one CUDA graph, too.

examples:
  minicnn bench conv
  minicnn bench gemm --out roofline
  minicnn bench --json
  minicnn bench pool --compare old.json
  minicnn bench nets --net googlenet --batch 1 --json
  minicnn bench load --file bvlc_googlenet.caffemodel
  minicnn bench conv --backend cuda
"""

import sys
from datetime import date

from ...errors import UsageError
from ..options import add_backend, add_json
from ..output import print_json, table

_LADDERS = ("gemm", "conv", "pool")
# What is timed unless something is asked for.
_WORKS = {"numba": (*_LADDERS, "nets"), "cuda": (*_LADDERS, "others", "nets")}


def add_arguments(parser):
    parser.add_argument(
        "what",
        choices=[*_LADDERS, "others", "nets", "load"],
        nargs="?",
        help="what to time; all but load unless given; others: of a card, the other operations",
    )
    parser.add_argument("--net", metavar="NAME", action="append", help="nets: which; may be given more than once")
    parser.add_argument(
        "--batch", metavar="N", type=int, action="append", help="nets: images at a time; default 1 and 8, of a card 32"
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="load: a file that describes its net; default GoogLeNet's in the folder MINICNN_DATA",
    )
    parser.add_argument("--compare", metavar="OLD", help="what --json printed in another run, to stand beside each row")
    parser.add_argument("--out", metavar="DIR", help="the folder to write to; default none: no picture of the roofline")
    add_backend(parser)
    add_json(parser)


def run(args):
    backend = _backend(args)
    if (args.net or args.batch) and args.what not in ("nets", None):
        raise UsageError(f"--net and --batch are for nets, not for {args.what}")
    if args.file and args.what != "load":
        raise UsageError("--file is for load")
    if args.out and args.what in ("nets", "load"):
        raise UsageError(f"--out is for gemm, conv and pool: of {args.what} there are no pictures")
    from ...benchmarks import compare, load
    from ..record import Record

    if args.what == "load":
        args.file = args.file or load.default_file()
    old = compare.read(args.compare) if args.compare else None
    machine, ladder, nets = _modules(backend)
    peak, bandwidth = machine.peak_gflops(), machine.copy_gbytes()
    record = Record(args, backend) if args.out else None
    rows = []
    for found, columns in _tables(args, backend, ladder, nets, peak, bandwidth, record):
        found = list(compare.add(found, old)) if old is not None else found
        rows += found
        if not args.json:
            print(_as_table(found, columns, old is not None), end="\n\n")
    if record:
        record.write()
    if args.json:
        measured = {"peak_gflops": peak, "copy_gbytes": bandwidth, "results": rows}
        print_json({"date": str(date.today()), "machine": machine.describe(), **measured})
        return
    print(f"the vector units' peak: {peak:.0f} GFLOP/s; memory, copying: {bandwidth:.1f} GB/s")
    if not nets.has_torch():
        why = "finds no card, or is not installed" if backend == "cuda" else "is not installed"
        print(f"PyTorch {why}: nothing to compare with", file=sys.stderr)


def _backend(args):
    """numba or cuda; raises UsageError for any other, and for what it has none of."""
    from ... import kernels

    name = kernels.name_of(kernels.get(args.backend) if args.backend else kernels.current())
    if name not in _WORKS:
        raise UsageError(f"bench is for the backends {' and '.join(_WORKS)}, not for {name}")
    if args.what not in (*_WORKS[name], *(["load"] if name == "numba" else []), None):
        raise UsageError(f"with --backend {name} there is no {args.what}")
    return name


def _modules(backend):
    """(machine, ladder, nets): the same names for a processor and a card."""
    if backend == "cuda":
        from ...benchmarks import cuda_ladder, cuda_machine, cuda_nets

        return cuda_machine, cuda_ladder, cuda_nets
    from ...benchmarks import ladder, machine, nets

    return machine, ladder, nets


def _tables(args, backend, ladder, nets, peak, bandwidth, record):
    """(rows, columns) of one table after the other."""
    for work in (args.what,) if args.what else _WORKS[backend]:
        if work == "load":
            yield _load(args), _LOADS
        elif work == "nets":
            yield _nets(args, nets, peak), _NETS
        else:
            for operation in ladder.operations(work):
                yield _ladder(operation, ladder, peak, bandwidth, record), _RUNGS + _WARM * (backend == "cuda")


def _nets(args, nets, peak):
    results = nets.measure_all(args.net or nets.ALL, args.batch or nets.BATCHES)
    return [
        r._asdict()
        | {"gflops": r.gflops, "of_peak": r.gflops / peak, "to_torch": r.torch_ms and r.ms / r.torch_ms}
        for r in results
    ]  # fmt: skip


def _load(args):
    from ...benchmarks import load

    return [{"work": "load", **r._asdict(), "gbytes": r.gbytes} for r in load.measure_all(args.file)]


def _ladder(operation, ladder, peak, bandwidth, record):
    from ...benchmarks import roofline
    from ...benchmarks.ladder import figures

    results = ladder.climb(operation)
    if record and results[-1].flop:
        title = f"{operation}, {results[-1].case}, float32"
        record.picture(roofline.draw(results, peak, bandwidth, title), f"roofline-{operation}.png")
    return figures(results, peak, bandwidth)


def _percent(part):
    return f"{100 * part:.2g} %" if part < 1 else f"{100 * part:.0f} %"


def _ms(value):
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


# Column, key of the row, how it is written.
_NETS = (
    ("work", "work", "{}"), ("net", "net", "{}"), ("batch", "batch", "{}"), ("ms", "ms", "{:.1f}"),
    ("GFLOP/s", "gflops", "{:.0f}"), ("of peak", "of_peak", _percent), ("PyTorch ms", "torch_ms", "{:.1f}"),
    ("to PyTorch", "to_torch", "{:.2f}"), ("MB", "mb", "{:.0f}"), ("PyTorch MB", "torch_mb", "{:.0f}"),
)  # fmt: skip
_RUNGS = (
    ("rung", "rung", "{}"), ("of", "case", "{}"), ("ms", "ms", _ms), ("GFLOP/s", "gflops", "{:.3g}"),
    ("GB/s", "gbytes", "{:.3g}"), ("MB", "bytes", lambda n: f"{n / 1e6:.3g}"), ("FLOP/byte", "intensity", "{:.3g}"),
    ("of peak", "of_peak", _percent), ("of roof", "of_roof", _percent), ("to library", "to_library", "{:.3g}"),
    ("error", "error", "{:.0e}"), ("first ms", "first_ms", "{:.0f}"),
)  # fmt: skip
_LOADS = (
    ("net", "net", "{}"), ("form", "case", "{}"), ("MB", "bytes", lambda n: f"{n / 1e6:.1f}"),
    ("first ms", "first_ms", "{:.0f}"), ("ms", "ms", "{:.1f}"), ("GB/s", "gbytes", "{:.2f}"),
)  # fmt: skip
_WARM = (("warm ms", "warm_ms", _ms),)
_OLD = (("old ms", "old_ms", "{:.2f}"), ("to old", "to_old", "{:.2f}"))


def _as_table(rows, columns, with_old):
    columns = columns + _OLD * with_old
    return table([name for name, _, _ in columns], ([_cell(row[key], how) for _, key, how in columns] for row in rows))


def _cell(value, how):
    if value is None:
        return "-"
    return how(value) if callable(how) else how.format(value)
