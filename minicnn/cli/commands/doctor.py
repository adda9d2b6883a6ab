"""Say what is installed, which backends can run here, and what is found where.

examples:
  minicnn doctor
  minicnn doctor --json
"""

import os
import platform

from .. import cuda
from ..options import add_json
from ..output import print_json


def add_arguments(parser):
    add_json(parser)


def run(args):
    report = _report()
    if args.json:
        print_json(report)
        return
    for title, content in report.items():
        if isinstance(content, dict):
            print(title)
            width = max(map(len, content), default=0)
            print("\n".join(f"  {name:<{width}}  {value}" for name, value in content.items()) or "  none")
        else:
            print(f"{title}: {content}")


def _report():
    from ... import __file__ as package
    from ... import __version__
    from ...weights import places

    return {
        "minicnn": f"{__version__} in {os.path.dirname(package)}",
        "python": f"{platform.python_version()} on {platform.platform()}",
        "cores": f"{_cores()} of {os.cpu_count()}",
        "packages": _packages(),
        "CUDA": cuda.report(),
        "backends": _backends(),
        "compiled kernels": _compiled(),
        "variables": {name: value for name, value in sorted(os.environ.items()) if name.startswith("MINICNN_")},
        "folders of weights": {str(folder): _state(folder) for folder in places.folders()},
        "weights": {name: str(path) for name, path in places.available().items()},
    }


def _cores():
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _packages():
    """{requirement: version}"""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("numpy", "numba", "pillow", "tqdm", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = f"missing: pip install {name}"
    return found


def _backends():
    from ... import kernels

    found = {}
    for name in kernels.BACKENDS:
        try:
            kernels.get(name)
            found[name] = "available"
        except kernels.BackendError as error:
            found[name] = f"no: {error}"
    return found


def _compiled():
    """How the numba backend computes here; starts its threads and compiles nothing."""
    from ... import kernels

    try:
        backend = kernels.get("numba")
    except kernels.BackendError:
        return {}
    jit, machine = backend.jit, backend.machine
    return {
        "threads": _threads(backend),
        "vectors": f"{machine.VECTOR_BYTES} bytes; a tile is {machine.ROWS} rows of {machine.VECTORS}",
        "kept in": jit.FOLDER or f"none: {jit.cache_root()} cannot be written, every process compiles anew",
    }


def _threads(backend):
    import numba

    try:
        numba.get_num_threads()  # Numba chooses its threading layer when it is first asked for threads
        return f"{backend.threads.count()} of {numba.threading_layer()}"
    except ValueError as error:  # the layer that NUMBA_THREADING_LAYER asks for is not there
        return f"none: {' '.join(str(error).split())}"


def _state(folder):
    if not folder.is_dir():
        return "not there yet"
    return "writable" if os.access(folder, os.W_OK) else "read only"
