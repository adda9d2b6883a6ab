"""What every CUDA kernel takes of a card: registers, shared memory, local memory, spilled bytes, by kind of card.

Compiled, not run: the compilers come with numba-cuda and need neither a driver nor a card. A kernel that Numba compiles
becomes PTX, which nvJitLink links; a file of CUDA C goes through NVRTC; the assembler's log says the rest.

    python -m minicnn.benchmarks.cuda_resources             prints the table, and writes results/cuda-resources.json
    python -m minicnn.benchmarks.cuda_resources relu add    these modules and files alone, whose rows are replaced there
"""

import json
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import MinicnnError
from ..files import write_whole
from ..kernels.cuda import device, operations, raw

RESULTS = Path(__file__).parent / "results"
# Compute capabilities: Turing, Ampere, Hopper. float64, which gradient checks use, is compiled for the last alone.
TARGETS = ((7, 5), (8, 0), (9, 0))
_CASES = [("float32", target) for target in TARGETS] + [("float64", TARGETS[-1])]

_KERNELS = "minicnn.kernels.cuda"
# Of a kernel, not of a function that it calls, as float64's power.
_FUNCTION = re.compile(
    r"Compiling entry function '(\S+)'.*\n.*Function properties for .*\n"
    r".*?(\d+) bytes stack frame, (\d+) bytes spill stores"
)
_USED = re.compile(r"(?:Used|used) (\d+) registers(.*)")
_SHARED = re.compile(r"(\d+) bytes smem")


class Use(NamedTuple):
    """What one kernel takes.

    kernel      module.function of Numba's, file.cu:function of CUDA C
    target      compute capability, 9.0
    registers   of a thread, of 255
    shared      bytes of a block whose size the source gives, the kilobyte that Hopper takes for itself included
    stack       bytes of a thread in local memory: arrays that found no place in registers, and what is spilled
    spilled     bytes of registers that are stored away because they do not do
    """

    kernel: str
    dtype: str
    target: str
    registers: int
    shared: int
    stack: int
    spilled: int


def measure(names=()):
    """The Use of every kernel of these modules and files, of all unless given.

    Raises MinicnnError under the simulator, and for CUDA C that does not compile.
    """
    if device.simulated():
        raise MinicnnError("Numba's simulator compiles nothing: this needs a process without NUMBA_ENABLE_CUDASIM")
    tasks = [task for task in _numba_tasks() + _cuda_c_tasks() if not names or task[1] in names]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return [use for found in pool.map(_compile, tasks) for use in found]


def show(uses):
    """The Uses as text, one a line."""
    lines = [("kernel", "dtype", "target", "registers", "shared", "stack", "spilled"), *uses]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def _numba_tasks():
    """("numba", module, number of the kernel in it, dtype, target)"""
    tasks = []
    for module in operations.modules():
        count = len(_kernels_of(module))
        name = module.__name__.rpartition(".")[2]
        tasks += [("numba", name, i, *case) for i in range(count) for case in _CASES]
    return tasks


def _cuda_c_tasks():
    """("cuda c", file, None, dtype, target)"""
    files = sorted(path.stem for path in raw.FOLDER.glob("*.cu"))
    return [("cuda c", name, None, *case) for name in files for case in _CASES]


def _kernels_of(module):
    from ..kernels.cuda.launch import KERNELS

    return [kernel for kernel in KERNELS if kernel.function.__module__ == module.__name__]


def _compile(task):
    kind, name, number, dtype, target = task
    if kind == "numba":
        kernel = _kernels_of(import_module(f"{_KERNELS}.{name}"))[number]
        log = link(ptx(kernel, dtype, target), target)
    else:
        log = nvrtc(raw.text(name), dtype, target)[1]
    names = [kernel.name] if kind == "numba" else None
    return _uses(log, name, names, dtype, "{}.{}".format(*target))


def _uses(log, file, names, dtype, target):
    """The Uses that an assembler's log tells: it names a kernel's properties, then what it used."""
    found = []
    for i, properties in enumerate(_FUNCTION.finditer(log)):
        # nvJitLink says "used" after the assembler's "Used", and it alone knows the shared memory of a linked kernel.
        registers, rest = _USED.findall(log[properties.end() :])[-1 if names else 0]
        shared = _SHARED.search(rest)
        kernel = names[i] if names else f"{file}.cu:{properties[1]}"
        numbers = int(registers), int(shared[1]) if shared else 0, int(properties[2]), int(properties[3])
        found.append(Use(kernel, dtype, target, *numbers))
    if not found:
        raise MinicnnError(f"{file}: the compiler's log names no kernel:\n{log}")
    return found


# The compilers ---------------------------------------------------------------------------------------------------


def ptx(kernel, dtype, target):
    """The PTX of a kernel that Numba compiles (`launch.Kernel`), for its example's types."""
    import numba
    from numba import cuda

    return cuda.compile_ptx(kernel.function, kernel.example(getattr(numba, dtype)), cc=target)[0]


def link(text, target):
    """The log of linking PTX to machine code."""
    from cuda.bindings import nvjitlink

    options = ["-arch=sm_{}{}".format(*target), "-verbose"]
    handle, data = nvjitlink.create(len(options), options), text.encode() + b"\0"
    nvjitlink.add_data(handle, nvjitlink.InputType.PTX, data, len(data), "kernel.ptx")
    nvjitlink.complete(handle)
    log = bytearray(nvjitlink.get_info_log_size(handle))
    nvjitlink.get_info_log(handle, log)
    nvjitlink.destroy(handle)
    return log.decode()


def nvrtc(text, dtype, target):
    """(PTX, log) of CUDA C, compiled down to machine code; raises MinicnnError where it does not compile."""
    from cuda.bindings import nvrtc

    options = [*raw.options(np.dtype(dtype)), "--gpu-architecture=sm_{}{}".format(*target), "--ptxas-options=-v"]
    error, program = nvrtc.nvrtcCreateProgram(text.encode(), b"kernels.cu", 0, [], [])
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
    nvrtc.nvrtcGetProgramLog(program, log)
    if error:
        raise MinicnnError(f"{error.name}: {log.decode()}")
    made = b" " * nvrtc.nvrtcGetPTXSize(program)[1]
    nvrtc.nvrtcGetPTX(program, made)
    nvrtc.nvrtcDestroyProgram(program)
    return made.decode(), log.decode()


def main(names):
    uses = measure(names)
    print(show(uses))
    path = RESULTS / "cuda-resources.json"
    kept = [Use(**row) for row in json.loads(path.read_bytes())["kernels"]] if names else []
    kept = [use for use in kept if re.split("[.:]", use.kernel)[0] not in names]
    versions = {name: version(name) for name in ("numba-cuda", "nvidia-cuda-nvrtc", "nvidia-nvjitlink")}
    document = {"versions": versions, "kernels": [use._asdict() for use in sorted(kept + uses)]}
    with write_whole(path) as out:
        out.write((json.dumps(document, indent=1) + "\n").encode())
    return 1 if any(use.spilled for use in uses) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
