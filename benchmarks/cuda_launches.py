"""Which kernels a rung starts, read off its code: what a table says of its registers and shared memory.

From the rung's function on through every function of kernels/cuda that it names. A file of CUDA C whose kernel is
chosen at run time, by a name put together from parts, counts with all of its kernels.
"""

from types import CodeType, FunctionType, ModuleType

from ..kernels.cuda import launch, raw

_PACKAGE = "minicnn.kernels.cuda"


def kernels_of(function):
    """The names of its kernels, as cuda_resources has them: "matmul._naive", "matmul.cu:matmul_128"."""
    found = set()
    _walk(function, found, set())
    return sorted(found)


def _walk(function, found, seen):
    if function in seen:
        return
    seen.add(function)
    names = _names(function.__code__)
    values = [function.__globals__.get(name) for name in names]
    # What a module of ours has by a name that stands here: `winograd.convolve`.
    modules = [value for value in values if isinstance(value, ModuleType) and value.__name__.startswith(_PACKAGE)]
    for value in [*values, *(getattr(module, name, None) for module in modules for name in names)]:
        if isinstance(value, FunctionType) and value.__module__.startswith(_PACKAGE):
            _walk(value, found, seen)
        elif isinstance(value, raw.Source):
            all_of_it = raw.kernels(raw.text(value.name))
            found.update(f"{value.name}.cu:{name}" for name in names & set(all_of_it) or all_of_it)
        elif isinstance(value, launch.Kernel):
            found.add(value.name)


def _names(code):
    """Every global and attribute that a function names, those of the functions inside it too."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))
