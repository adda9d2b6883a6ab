"""CUDA C to a card's machine code by NVRTC, which comes with CuPy; what was compiled is kept on disk.

CuPy's RawModule could do this by itself, but always adds -ftz=true, with which a float32 below 1.2e-38 counts as 0:
ReLU would drop it, where the contract passes what is above 0. And its store of compiled kernels is asked by the text
alone, whatever the text includes.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from ..cache_folder import root
from ..errors import BackendError


def folder():
    """Where compiled files are kept; it need not exist."""
    return root("cuda")


def module(xp, name, source, options):
    """The kernels of a text as a module of CuPy's, for the current card; `name` is for messages."""
    nvrtc = xp.cuda.nvrtc
    card, known = int(xp.cuda.Device().compute_capability), nvrtc.getSupportedArchs()
    # A card newer than the compiler takes PTX of the newest that it knows, and compiles that itself.
    kind, arch = ("cubin", f"sm_{card}") if card in known else ("ptx", f"compute_{max(known)}")
    options = (*options, f"--gpu-architecture={arch}")
    state = " ".join([*options, *map(str, nvrtc.getVersion()), source])
    path = folder() / f"{name}-{hashlib.sha256(state.encode()).hexdigest()[:24]}.{kind}"
    if not path.is_file():
        path = _keep(compiled(nvrtc, name, source, options, kind), path)
    return xp.RawModule(path=str(path))


def compiled(nvrtc, name, source, options, kind):
    """The bytes of a cubin or of PTX; raises BackendError with the compiler's words.

    nvrtc       CuPy's module of that name
    """
    program = nvrtc.createProgram(source, f"{name}.cu", (), ())
    try:
        nvrtc.compileProgram(program, options)
        made = nvrtc.getCUBIN(program) if kind == "cubin" else nvrtc.getPTX(program)
    except nvrtc.NVRTCError as error:
        log = nvrtc.getProgramLog(program)
        raise BackendError(f"{name}.cu does not compile ({' '.join(options)}): {error}\n{log}") from error
    finally:
        nvrtc.destroyProgram(program)
    return made if isinstance(made, bytes) else made.encode()


def _keep(made, path):
    """Writes the file, whole or not at all, and returns where: a machine that is read-only keeps it for the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _write(made, path)
    except OSError:
        return _write(made, Path(_of_the_process().name) / path.name)


def _write(made, path):
    with NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(made)
    os.replace(part.name, path)
    return path


@cache
def _of_the_process():
    return TemporaryDirectory(prefix="minicnn-cuda-")
