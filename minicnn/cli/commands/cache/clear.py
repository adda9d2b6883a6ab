"""Remove compiled kernels from the disk; they are compiled anew when they are next called.

Weights stay. Processes that run meanwhile are not disturbed; a folder that was written to in the last ten minutes is
emptied and stays. Which CUDA kernels are old is not known without their card: with --old all of them stay.

examples:
  minicnn cache clear
  minicnn cache clear --old
"""


def add_arguments(parser):
    parser.add_argument("--old", action="store_true", help="keep those that are used now")


def run(args):
    from ....kernels import get
    from ....kernels.cuda import compiler
    from ...compiled import clear, clear_cuda, folders, megabytes

    jit = get("numba").jit
    found = [folder for folder in folders(jit.cache_root(), jit.FOLDER) if not (args.old and folder.current)]
    removed = [clear(folder) for folder in found]
    paths = [folder.path for folder in found]
    if not args.old:
        paths.append(compiler.folder())
        removed.append(clear_cuda(compiler.folder()))
    for path, (files, size) in zip(paths, removed):
        if files:
            print(f"{path}: {files} files, {megabytes(size)}")
    files, size = map(sum, zip((0, 0), *removed))
    print(f"removed {files} files, {megabytes(size)}")
