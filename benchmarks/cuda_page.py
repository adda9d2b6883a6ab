"""What stands between the markers of CUDA.md: a table for each ladder, one for the nets, and where they were measured.

Names, words, registers and shared memory need no card; the columns of figures are empty until there was one.
"""

import json
from datetime import date
from functools import cache, partial

from ..files import read_whole
from .cuda_resources import RESULTS
from .markdown import head, line

NAME = "CUDA.md"
_LADDERS, _NETS = "ladders-cuda.json", "nets-cuda.json"
_FIGURES = ("cold", "warm", "GFLOP/s", "GB/s", "of the roof", "to the library")


def tables():
    """{name of the markers: (file of results, what measures it or None, what makes the text of it or of None)}"""
    from ..kernels.cuda import operations, rungs

    operations.modules()  # fills LADDERS
    ladders = {name: (_LADDERS, None, partial(ladder_table, ladder)) for name, ladder in rungs.LADDERS.items()}
    return {"ladders": (_LADDERS, measure_ladders, where), "nets": (_NETS, measure_nets, nets_table), **ladders}


# Measuring -------------------------------------------------------------------------------------------------------


def measure_ladders():
    """What ladders-cuda.json holds; draws the rooflines of the product, the convolutions and the pools."""
    from ..vis.image import save_png
    from . import cuda_ladder, roofline
    from .ladder import figures

    document = _measured_here()
    roof = document["peak_gflops"], document["copy_gbytes"]
    for work in (*cuda_ladder.WORKS, "others"):
        for operation in cuda_ladder.operations(work):
            results = cuda_ladder.climb(operation)
            document["results"] += figures(results, *roof)
            if work in cuda_ladder.WORKS:
                image = roofline.draw(results, *roof, f"{operation}, {results[-1].case}, float32")
                save_png(image, RESULTS / _picture(operation))
    return document


def measure_nets():
    """What nets-cuda.json holds."""
    from . import cuda_nets

    document = _measured_here()
    document["results"] = [r._asdict() | {"gflops": r.gflops} for r in cuda_nets.measure_all()]
    return document


def _measured_here():
    from . import cuda_machine

    measured = {"peak_gflops": cuda_machine.peak_gflops(), "copy_gbytes": cuda_machine.copy_gbytes()}
    return {"date": str(date.today()), "machine": cuda_machine.describe(), **measured, "results": []}


def _picture(operation):
    return f"roofline-cuda-{operation}.png"


# Writing ---------------------------------------------------------------------------------------------------------


def where(document):
    """On what the ladders were measured, and their rooflines; or that they were not."""
    if document is None:
        return "No card was at hand yet: the columns of figures wait for one, and for `make bench-gpu`.\n"
    pictures = [row["work"] for row in document["results"] if (RESULTS / _picture(row["work"])).is_file()]
    links = ", ".join(f"[{work}](results/{_picture(work)})" for work in dict.fromkeys(pictures))
    return (
        f"{_measured_on(document)} The roof: {document['peak_gflops']:.0f} GFLOP/s, multiplications and additions of "
        f"a kernel of our own whose numbers stay in registers, and {document['copy_gbytes']:.0f} GB/s, read and "
        f"written when an array is copied. Under it: {links}.\n"
    )


def ladder_table(ladder, document):
    """Markdown: one row a rung, and the library's where it was measured."""
    rows = [r for r in (document or {"results": []})["results"] if r["work"] == ladder.operation]
    measured = {row["rung"]: row for row in rows}
    lines = [head(f"`{ladder.operation}`", "what it changes", "registers", "shared memory", *_FIGURES)]
    for number, (name, rung) in enumerate(ladder.rungs.items(), 1):
        title = f"{number} {name.replace('_', ' ')}"
        says = rung.run.__doc__.partition(". ")[2]
        lines.append(line(title, says, *_used(rung.run), *_figures(measured.pop(title, None))))
    lines += [line(name, "the library", "", "", *_figures(row)) for name, row in measured.items()]
    case = f"\nMeasured: {rows[0]['case']}.\n" if rows else ""
    return "\n".join(lines) + "\n" + case


def nets_table(document):
    """Markdown: one row a work, net and batch size; of the image gradient one as a graph, too."""
    from . import cuda_nets, nets

    lines = [head("work", "net", "batch", "minicnn", "PyTorch", "ratio", "of peak", "memory", "PyTorch's")]
    if document is None:
        for work, *case in nets.cases(cuda_nets.ALL, cuda_nets.BATCHES):
            lines += [line(way, *case, *[""] * 6) for way in (work, cuda_nets.GRAPH)[: 1 + (work == nets.GRADIENT)]]
        return "\n".join(lines) + "\n"
    for row in document["results"]:
        ms, theirs = row["ms"], row["torch_ms"]
        memory = [f"{row[key]:.0f} MB" if row[key] is not None else "-" for key in ("mb", "torch_mb")]
        times = (_ms(ms), _ms(theirs), f"{ms / theirs:.2f}") if theirs else (_ms(ms), "-", "-")
        share = f"{row['gflops'] / document['peak_gflops']:.0%}"
        lines.append(line(row["work"], row["net"], row["batch"], *times, share, *memory))
    return "\n".join(lines) + f"\n\n{_measured_on(document)}\n"


def _figures(row):
    if row is None:
        return [""] * len(_FIGURES)
    library = f"{row['to_library']:.2f}" if row["to_library"] else "-"
    speeds = f"{row['gflops']:.0f}", f"{row['gbytes']:.0f}", f"{row['of_roof']:.0%}"
    return _ms(row["ms"]), _ms(row["warm_ms"]), *speeds, library


def _used(function):
    """("40 to 128", "up to 17.0 KB"): registers of a thread and shared memory of a block, of all that a rung starts."""
    from .cuda_launches import kernels_of

    uses = [_resources()[name] for name in kernels_of(function) if name in _resources()]
    if not uses:
        return "", ""
    least, most = min(use["registers"] for use in uses), max(use["registers"] for use in uses)
    shared = max(use["shared"] for use in uses)
    return f"{least} to {most}" if least < most else str(most), f"{shared / 1024:.1f} KB" if shared else "0"


@cache
def _resources():
    """{kernel: what it takes}, compiled for Hopper, float32."""
    kernels = json.loads(read_whole(RESULTS / "cuda-resources.json"))["kernels"]
    return {use["kernel"]: use for use in kernels if (use["dtype"], use["target"]) == ("float32", "9.0")}


def _measured_on(document):
    m = document["machine"]
    versions = ", ".join(f"{key} {value}" for key, value in m.items() if key not in ("card", "gigabytes") and value)
    return f"Measured on {document['date']}: {m['card']}, {m['gigabytes']:.0f} GB; {versions}."


def _ms(value):
    return f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms" if value >= 0.1 else f"{1e3 * value:.1f} µs"
