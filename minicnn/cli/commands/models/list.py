"""Show the architectures, and which weights are found where.

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
    from ....weights import store

    weights = {name: str(path) for name, path in store.available().items()}
    folders = [str(folder) for folder in store.folders()]
    if args.json:
        print_json({"architectures": list(zoo.names()), "weights": weights, "folders": folders})
        return
    print("architectures (minicnn.build):", ", ".join(zoo.names()))
    print()
    print(table(["weights (minicnn.load)", "file"], weights.items()) if weights else "no weights found")
    print()
    print("looked in:", *folders, sep="\n  ")
