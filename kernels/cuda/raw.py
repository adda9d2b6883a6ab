"""Kernels in CUDA C: a file of source/ is compiled once a dtype, and its kernels start on the current stream.

    source = Source("relu")
    source(x.dtype).relu_forward[grid, block](x, out, out.size)

In the file `T` is float or double. What a kernel is given is read off its parameters: an array of another dtype than
the pointer's is refused, and numbers become what the parameter is.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import BackendError
from . import compiler, device

FOLDER = Path(__file__).parent / "source"

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)'
)
_INCLUDE = re.compile(r'#include "([\w.]+)"\n')
_COMMENT = re.compile(r"//[^\n]*")
_TYPES = {"int": np.int32, "long long": np.int64, "float": np.float32, "double": np.float64, "T": None}
# Of shared memory that is sized at the launch a kernel has so much without asking.
_SHARED_BYTES = 48 * 1024


def text(name):
    """What source/NAME.cu says, with what it includes in place."""
    return _with_includes(f"{name}.cu", set())


def _with_includes(name, included):
    """A file's text; a header that was there before is left out."""
    included.add(name)
    source = (FOLDER / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda m: "" if m[1] in included else _with_includes(m[1], included), source)


def options(dtype):
    """The compiler's options for a dtype."""
    return ("--std=c++17", f"-DREAL={'float' if dtype == np.float32 else 'double'}")


def kernels(source):
    """{name: [(type, whether a pointer, name) of each parameter]} of the kernels that a text defines."""
    found = _KERNEL.finditer(_COMMENT.sub("", source))
    return {match["name"]: [_parameter(p) for p in match["parameters"].split(",")] for match in found}


def _parameter(declaration):
    words = [w for w in declaration.replace("*", " * ").split() if w not in ("const", "__restrict__")]
    pointer = "*" in words
    *kind, name = [w for w in words if w != "*"]
    return " ".join(kind), pointer, name


class Source:
    """The kernels of source/NAME.cu."""

    def __init__(self, name):
        self.name = name

    def __call__(self, dtype):
        """The Module for arrays of a dtype, on the current device."""
        return _module(self.name, np.dtype(dtype), device.current().xp)


@cache
def _module(name, dtype, xp):
    return Module(name, dtype, xp)


class Module:
    """One file, compiled for one dtype; its kernels are attributes."""

    def __init__(self, name, dtype, xp):
        source = text(name)
        compiled = compiler.module(xp, name, source, options(dtype))
        for kernel, parameters in kernels(source).items():
            setattr(self, kernel, Kernel(kernel, parameters, dtype, compiled))


class Kernel:
    """A kernel in CUDA C: `kernel[grid, block](x, out, 3)` starts it; a third size is of its open shared memory."""

    def __init__(self, name, parameters, dtype, module):
        self.name, self._module = name, module
        self._parameters = [(np.dtype(_TYPES[kind] or dtype), pointer, p) for kind, pointer, p in parameters]
        self._compiled, self._shared = None, _SHARED_BYTES

    def __getitem__(self, geometry):
        return lambda *args: self._launch(*geometry, args=args)

    def _launch(self, grid, block, shared=0, args=()):
        if len(args) != len(self._parameters):
            raise BackendError(f"{self.name} takes {len(self._parameters)} arguments, not {len(args)}")
        args = tuple(map(self._argument, args, self._parameters))
        if 0 in grid:
            return
        if self._compiled is None:
            self._compiled = self._module.get_function(self.name)
        if shared > self._shared:
            self._compiled.max_dynamic_shared_size_bytes = self._shared = shared
        self._compiled(grid, block, args, shared_mem=shared)

    def _argument(self, value, parameter):
        dtype, pointer, name = parameter
        if not pointer:
            return dtype.type(value)
        if value is None:
            return np.uintp(0)
        if value.dtype != dtype or not value.flags.c_contiguous:
            order = "C-ordered" if value.flags.c_contiguous else "not C-ordered"
            raise BackendError(f"{self.name}: {name} is {value.dtype} and {order}, expected {dtype} and C-ordered")
        return value
