"""Show the architectures, which weights can be downloaded for them, and which are found where.

RIGHT is the published part of right answers, in per cent. The first of several files is what `models fetch` takes.

examples:
  minicnn models list
  minicnn models list --json
"""

from ...options import add_json
from ...output import print_json, table


def add_arguments(parser):
    add_json(parser)


def run(args):
    from .... import zoo
    from ....weights import places

    entries = [zoo.entry(name) for name in zoo.names()]
    weights = {name: str(path) for name, path in places.available().items()}
    folders = [str(folder) for folder in places.folders()]
    if args.json:
        report = [{"name": e.name, "about": e.about, "files": [_file(f) for f in e.files]} for e in entries]
        print_json({"architectures": report, "weights": weights, "folders": folders})
        return
    print(table(["architecture", "fetch", "MB", "right", "about"], [row for e in entries for row in _rows(e)]))
    print()
    print(table(["weights (minicnn.load)", "file"], weights.items()) if weights else "no weights found")
    print()
    print("looked in:", *folders, sep="\n  ")


def _rows(entry):
    """A line a published file, or one line where there is none."""
    for i, file in enumerate(entry.files or (None,)):
        size = f"{file.size / 1e6:.0f}" if file and file.size else ""
        right = f"{file.top1:.1f}" if file and file.top1 else ""
        yield (
            *((entry.name,) if i == 0 else ("",)),
            file.format if file else "",
            size,
            right,
            "" if i else entry.about,
        )


def _file(file):
    return {"url": file.url, "format": file.format, "hash": file.hash, "bytes": file.size, "top1": file.top1}
