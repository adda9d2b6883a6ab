"""Remove compiled kernels from the disk; they are compiled anew when they are next called.

Weights stay. Processes that run meanwhile are not disturbed; a folder that was written to in the last ten minutes is
emptied and stays.

examples:
  minicnn cache clear
  minicnn cache clear --old
"""


def add_arguments(parser):
    parser.add_argument("--old", action="store_true", help="keep those that are used now")


def run(args):
    from ....kernels import get
    from ...compiled import clear, folders, megabytes

    jit = get("numba").jit
    found = [folder for folder in folders(jit.cache_root(), jit.FOLDER) if not (args.old and folder.current)]
    removed = [clear(folder) for folder in found]
    for folder, (files, size) in zip(found, removed):
        print(f"{folder.path}: {files} files, {megabytes(size)}")
    files, size = map(sum, zip((0, 0), *removed))
    print(f"removed {files} files, {megabytes(size)}")
