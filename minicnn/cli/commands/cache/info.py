"""Show what is kept on disk: compiled kernels, of now and of earlier states, and weights.

examples:
  minicnn cache info
  minicnn cache info --json
"""

from ...options import add_json
from ...output import print_json, table


def add_arguments(parser):
    add_json(parser)


def run(args):
    from ....kernels import get
    from ....kernels.cuda import compiler
    from ....weights import places
    from ...compiled import cuda_files, folders, megabytes

    jit, weights = get("numba").jit, places.cache_folder()
    root, found = jit.cache_root(), folders(jit.cache_root(), jit.FOLDER)
    on_card = list(cuda_files(compiler.folder()).values())
    sizes = [path.stat().st_size for path in weights.glob("*.safetensors") if path.is_file()]
    if args.json:
        kernels = {"folder": root, "kept": jit.FOLDER is not None, "folders": [f._asdict() for f in found]}
        cuda, weights = _counted(compiler.folder(), on_card), _counted(weights, sizes)
        print_json({"kernels": kernels, "cuda": cuda, "weights": weights})
        return
    print(f"compiled kernels in {root}{'' if jit.FOLDER else ', which cannot be written: none are kept'}")
    rows = [(f.path.name, f.files, megabytes(f.bytes), "current" if f.current else "old") for f in found]
    print(table(("folder", "files", "size", ""), rows) if rows else "none")
    print(f"\ncompiled CUDA kernels in {compiler.folder()}\n{len(on_card)} files, {megabytes(sum(on_card))}")
    print(f"\nweights in {weights}\n{len(sizes)} files, {megabytes(sum(sizes))}")


def _counted(folder, sizes):
    return {"folder": folder, "files": len(sizes), "bytes": sum(sizes)}
