"""Rewrites a page's tables between their markers: the README's, or those of CUDA.md.

    python -m minicnn.benchmarks.report README.md                  every table from what was measured last
    python -m minicnn.benchmarks.report README.md nets training    these are measured anew first
    python -m minicnn.benchmarks.report benchmarks/CUDA.md ladders nets

What was measured is kept as JSON in benchmarks/results, with the machine and the versions that it was measured on.
"""

import json
import platform
import re
import sys
from datetime import date
from pathlib import Path

from ..errors import MinicnnError, UnknownNameError
from ..files import read_whole, write_whole
from . import attribution, cuda_page, looking, machine, nets, reached, training
from .markdown import head, line

RESULTS = Path(__file__).parent / "results"


def replace(text, name, table):
    """The text with `table` between the markers <!-- NAME:begin ... --> and <!-- NAME:end -->."""
    pattern = rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)"
    if not re.search(pattern, text, re.DOTALL):
        raise MinicnnError(f"no markers {name}:begin and {name}:end in the page")
    return re.sub(pattern, lambda match: match[1] + table + match[2], text, flags=re.DOTALL)


# Nets ----------------------------------------------------------------------------------------------------------------


def measure_nets():
    """What nets-cpu.json holds."""
    results = nets.measure_all()
    return {**_where(), "peak_gflops": machine.peak_gflops(), "results": [r._asdict() for r in results]}


def nets_table(document):
    """Markdown: one row a work, net and batch size, then what it was measured on."""
    peak = document["peak_gflops"]
    rows = [head("work", "net", "batch", "minicnn", "PyTorch", "ratio", "of peak", "memory", "PyTorch's")]
    for r in (nets.Result(**row) for row in document["results"]):
        theirs, ratio = (f"{r.torch_ms:.0f} ms", f"{r.ms / r.torch_ms:.2f}") if r.torch_ms else ("-", "-")
        used = f"{r.gflops / peak:.0%}"
        memory = [f"{mb:.0f} MB" if mb is not None else "-" for mb in (r.mb, r.torch_mb)]
        rows.append(line(r.work, r.net, r.batch, f"{r.ms:.0f} ms", theirs, ratio, used, *memory))
    about = (
        "Image gradient: to the scores and back to the pixels; training step: to the loss and back to all parameters. "
        "Medians of interleaved pairs of runs, of which the second counts; float32, 224x224, cifar_vgg 32x32; memory "
        "is what the process grew by beyond the weights; the peak is that of the vector units, and work is counted as "
        f"the definition does it. {_measured_on(document, f', peak {peak:.0f} GFLOP/s')}"
    )
    return "\n".join(rows) + f"\n\n{about}\n"


# Training ------------------------------------------------------------------------------------------------------------


def measure_training():
    """What training-cpu.json holds."""
    return {**_where(), "results": [r._asdict() for r in training.measure_all()]}


def training_table(document):
    """Markdown: one row a way of training, then what it was measured on."""
    rows = [head("work", "net", "batch", "a step", "images/s", "the loader's share")]
    for r in (training.Result(**row) for row in document["results"]):
        rows.append(line(r.work, r.net, r.batch, f"{r.step_ms:.0f} ms", f"{r.images_per_s:.0f}", f"{r.share:.0%}"))
    return "\n".join(rows) + f"\n\n{_measured_on(document)}\n"


# Looking -------------------------------------------------------------------------------------------------------------


def measure_looking():
    """What looking-cpu.json holds."""
    return {**_where(), "results": [r._asdict() for r in looking.measure_all()]}


def looking_table(document):
    """Markdown: one row a picture, then what it was measured on."""
    rows = [head("picture", "net", "time", "outside the kernels")]
    for r in (looking.Result(**row) for row in document["results"]):
        rows.append(line(r.work, r.net, f"{r.seconds:.1f} s", f"{r.outside:.0%}"))
    return "\n".join(rows) + f"\n\n{_measured_on(document)}\n"


# Attribution ---------------------------------------------------------------------------------------------------------


def attribution_table(document):
    return attribution.attribution_table([attribution.Result(**row) for row in document["results"]], document["about"])


# Reached -------------------------------------------------------------------------------------------------------------


def reached_table(document):
    return reached.reached_table(document, _document("attacks-googlenet.json", False))


# All -----------------------------------------------------------------------------------------------------------------

# name: (its file in results, what measures it, what makes a table of it)
TABLES = {
    "nets": ("nets-cpu.json", measure_nets, nets_table),
    "training": ("training-cpu.json", measure_training, training_table),
    "looking": ("looking-cpu.json", measure_looking, looking_table),
    "reached": ("reached-googlenet.json", None, reached_table),  # reached.py and attacks.py measure it
    "attribution": ("attribution.json", attribution.measure_document, attribution_table),
}


def _where():
    return {"date": str(date.today()), "machine": {**machine.describe(), "python": platform.python_version()}}


def _measured_on(document, more=""):
    m = document["machine"]
    return (
        f"Measured on {document['date']}: {m['processor']}, {m['threads']} threads{more}; Python {m['python']}, "
        f"NumPy {m['numpy']}, Numba {m['numba']}, PyTorch {m['torch'] or 'not installed'}."
    )


def _document(file, may_be_missing):
    """What was measured last; None where that was never."""
    path = RESULTS / file
    return None if may_be_missing and not path.is_file() else json.loads(read_whole(path))


def main():
    page, *anew = sys.argv[1:]
    waits = Path(page).name == cuda_page.NAME  # for a card: its tables are there without having been measured
    tables = cuda_page.tables() if waits else TABLES
    measures = {name: (file, measure) for name, (file, measure, _) in tables.items() if measure}
    for name in anew:
        if name not in measures:
            raise UnknownNameError("table", name, measures)
        file, measure = measures[name]
        document = measure()
        with write_whole(RESULTS / file) as out:
            out.write((json.dumps(document, indent=2) + "\n").encode())
    text = read_whole(page).decode()
    documents = {file: _document(file, waits) for file in {file for file, _, _ in tables.values()}}
    for name, (file, _, table) in tables.items():
        text = replace(text, name, table(documents[file]))
    with write_whole(page) as out:
        out.write(text.encode())


if __name__ == "__main__":
    try:
        main()
    except MinicnnError as error:
        sys.exit(f"report: {error}")
