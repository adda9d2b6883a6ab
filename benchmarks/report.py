"""Rewrites the README's tables between their markers, from what was just measured.

    python -m minicnn.benchmarks.report README.md

Each table is also kept as JSON in benchmarks/results, with the machine and the versions that it was measured on.
"""

import json
import platform
import re
import sys
from datetime import date
from pathlib import Path

from ..errors import MinicnnError
from ..files import read_whole, write_whole
from . import machine, nets, training


def replace(text, name, table):
    """The text with `table` between the markers <!-- NAME:begin ... --> and <!-- NAME:end -->."""
    pattern = rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)"
    if not re.search(pattern, text, re.DOTALL):
        raise MinicnnError(f"no markers {name}:begin and {name}:end in the README")
    return re.sub(pattern, lambda match: match[1] + table + match[2], text, flags=re.DOTALL)


def nets_table(results, peak, where):
    """Markdown: one row a work, net and batch size, then what it was measured on."""
    rows = [
        "| work | net | batch | minicnn | PyTorch | ratio | of peak | memory | PyTorch's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        theirs, ratio = (f"{r.torch_ms:.0f} ms", f"{r.ms / r.torch_ms:.2f}") if r.torch_ms else ("-", "-")
        used = f"{r.gflops / peak:.0%}"
        memory = [f"{mb:.0f} MB" if mb is not None else "-" for mb in (r.mb, r.torch_mb)]
        cells = [r.work, r.net, str(r.batch), f"{r.ms:.0f} ms", theirs, ratio, used, *memory]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + f"\n\n{where}\n"


def training_table(results):
    """Markdown: one row a way of training."""
    rows = ["| work | net | batch | a step | images/s | the loader's share |", "|---|---|---|---|---|---|"]
    for r in results:
        cells = [r.work, r.net, str(r.batch), f"{r.step_ms:.0f} ms", f"{r.images_per_s:.0f}", f"{r.share:.0%}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def about(machine_facts, peak):
    """What the table's figures are and where they were measured, in a sentence or two."""
    m = machine_facts
    return (
        "Image gradient: to the scores and back to the pixels; training step: to the loss and back to all parameters. "
        "Medians of interleaved pairs of runs, of which the second counts; float32, 224x224, cifar_vgg 32x32; memory "
        "is what the process grew by beyond the weights; the peak is that of the vector units, and work is counted as "
        "the definition does it. "
        f"Measured on {date.today()}: {m['processor']}, {m['threads']} threads, peak {peak:.0f} GFLOP/s; Python "
        f"{platform.python_version()}, NumPy {m['numpy']}, Numba {m['numba']}, PyTorch {m['torch'] or 'not installed'}."
    )


def main():
    readme = Path(sys.argv[1])
    results, peak, facts = nets.measure_all(), machine.peak_gflops(), machine.describe()
    loops = training.measure_all()
    document = {"date": str(date.today()), "machine": facts, "peak_gflops": peak}
    document["results"] = [r._asdict() for r in results]
    document["training"] = [r._asdict() for r in loops]
    with write_whole(readme.parent / "benchmarks" / "results" / "nets-cpu.json") as file:
        file.write((json.dumps(document, indent=2) + "\n").encode())
    table = nets_table(results, peak, about(facts, peak))
    text = replace(read_whole(readme).decode(), "nets", table)
    text = replace(text, "training", training_table(loops))
    with write_whole(readme) as file:
        file.write(text.encode())
    print(table)


if __name__ == "__main__":
    main()
