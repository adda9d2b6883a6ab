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
from . import machine, nets


def replace(text, name, table):
    """The text with `table` between the markers <!-- NAME:begin ... --> and <!-- NAME:end -->."""
    pattern = rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)"
    if not re.search(pattern, text, re.DOTALL):
        raise MinicnnError(f"no markers {name}:begin and {name}:end in the README")
    return re.sub(pattern, lambda match: match[1] + table + match[2], text, flags=re.DOTALL)


def nets_table(results, peak, where):
    """Markdown: one row a net and batch size, then what it was measured on."""
    rows = [
        "| forward and backward to the pixels, 224x224 | batch | minicnn | PyTorch | ratio | of the peak | memory | PyTorch's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        theirs, ratio = (f"{r.torch_ms:.0f} ms", f"{r.ms / r.torch_ms:.2f}") if r.torch_ms else ("-", "-")
        used = f"{r.gflops / peak:.0%}" if peak else "-"
        memory = [f"{mb:.0f} MB" if mb is not None else "-" for mb in (r.mb, r.torch_mb)]
        rows.append(f"| {r.net} | {r.batch} | {r.ms:.0f} ms | {theirs} | {ratio} | {used} | {' | '.join(memory)} |")
    return "\n".join(rows) + f"\n\n{where}\n"


def main():
    readme = Path(sys.argv[1])
    results, peak = nets.measure_all(), machine.peak_gflops()
    about = machine.describe()
    where = (
        f"Medians of interleaved runs, float32, no parameter gradients; memory is what the process grew by beyond the "
        f"weights. Measured on {date.today()}: {about['processor']}, {about['threads']} threads, peak of the vector "
        f"units {peak:.0f} GFLOP/s; Python {platform.python_version()}, NumPy {about['numpy']}, Numba {about['numba']}, "
        f"PyTorch {about['torch'] or 'not installed'}. Where less is multiplied than the definition says (Winograd), "
        f"the part of the peak may pass 100 %."
    )
    kept = readme.parent / "benchmarks" / "results" / "nets-cpu.json"
    with write_whole(kept) as file:
        document = {"date": str(date.today()), "machine": about, "peak_gflops": peak}
        document["results"] = [r._asdict() for r in results]
        file.write((json.dumps(document, indent=2) + "\n").encode())
    text = replace(read_whole(readme).decode(), "nets", nets_table(results, peak, where))
    with write_whole(readme) as file:
        file.write(text.encode())
    print(nets_table(results, peak, where))


if __name__ == "__main__":
    main()
