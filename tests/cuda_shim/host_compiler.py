"""CUDA C compiled for this machine's processor by g++ and shim.h, with the calls of CuPy's RawModule and RawKernel."""

import ctypes
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

COMPILER = os.environ.get("CXX", "g++")
_SHIM = Path(__file__).with_name("shim.h")
_NAMES = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)')
_WARNINGS = ["-Wall", "-Wno-unknown-pragmas", "-Wno-unused-variable", "-Wno-unused-function", "-Werror"]


class Recording:
    """Where a stream is captured: kernels do not run then, they are kept to be run later."""

    steps = None


recording = Recording()


class LaunchError(RuntimeError):
    """A launch that a card would not survive, or would answer with nonsense."""


class RawModule:
    def __init__(self, code=None, *, path=None, options=()):
        self._made = lambda: path or _compiled(code, tuple(options))
        self._library = None

    def get_function(self, name):
        if self._library is None:
            # PyDLL: one launch at a time, for the shim's threads and shared memory are static variables.
            self._library = ctypes.PyDLL(str(self._made()))
        return RawKernel(getattr(self._library, f"launch_{name}"))


class NVRTCError(RuntimeError):
    pass


class nvrtc:
    """CUDA's compiler, as CuPy has it, for a card of compute capability 9.0 whose machine code is this processor's."""

    NVRTCError = NVRTCError
    programs = {}

    @classmethod
    def createProgram(cls, source, name, headers, include_names):
        cls.programs[number := max(cls.programs, default=0) + 1] = [source, None, ""]
        return number

    @classmethod
    def compileProgram(cls, program, options):
        source = cls.programs[program][0]
        try:
            chosen = [option for option in options if not option.startswith("--gpu-architecture")]
            cls.programs[program][1] = Path(_compiled(source, chosen)).read_bytes()
        except RuntimeError as error:
            cls.programs[program][2] = str(error)
            raise NVRTCError("NVRTC_ERROR_COMPILATION (6)") from error

    @classmethod
    def getCUBIN(cls, program):
        return cls.programs[program][1]

    getPTX = getCUBIN

    @classmethod
    def getProgramLog(cls, program):
        return cls.programs[program][2]

    @classmethod
    def destroyProgram(cls, program):
        del cls.programs[program]

    @staticmethod
    def getVersion():
        """One that no compiler has: what is kept on disk under it is of this shim as it is now."""
        return 0, int(hashlib.sha256(_SHIM.read_bytes()).hexdigest()[:12], 16)

    @staticmethod
    def getSupportedArchs():
        return 75, 80, 90


class RawKernel:
    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, function):
        self._function = function
        function.restype = ctypes.c_char_p

    def __call__(self, grid, block, args, *, shared_mem=0):
        if recording.steps is None:
            self._run(grid, block, args, shared_mem)
        else:
            recording.steps.append(lambda: self._run(grid, block, args, shared_mem))

    def _run(self, grid, block, args, shared_mem):
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise LaunchError(f"{shared_mem} bytes of shared memory, {self.max_dynamic_shared_size_bytes} allowed")
        geometry = (ctypes.c_uint * 6)(*_three(grid), *_three(block))
        arrays = [a for a in args if not isinstance(a, np.generic)]
        values = [np.uintp(a.data.ptr) if not isinstance(a, np.generic) else a for a in args]
        held = [np.array(value) for value in values]
        pointers = (ctypes.c_void_p * len(held))(*(h.ctypes.data for h in held))
        message = self._function(geometry, ctypes.c_uint(shared_mem), pointers)
        if message:
            raise LaunchError(message.decode())
        for array in arrays:
            array.check_guards()


def _three(sizes):
    return (*sizes, 1, 1)[:3]


def folder():
    """Where libraries are kept between runs: nobody else may put one there."""
    found = Path(tempfile.gettempdir()) / f"minicnn-cuda-shim-{os.getuid()}"
    found.mkdir(mode=0o700, exist_ok=True)
    if found.stat().st_uid != os.getuid():
        raise PermissionError(f"{found} belongs to another user")
    return found


def _compiled(code, options):
    """The library of a text, kept between runs under what it is made of."""
    names = _NAMES.findall(re.sub(r"//[^\n]*", "", code))
    launchers = "".join(
        f'extern "C" const char* launch_{name}(const unsigned* geometry, unsigned shared, void** args)'
        f" {{ return shim::launch({name}, geometry, shared, args); }}\n"
        for name in names
    )
    flags = ["-O1", "-fPIC", "-shared", "-ffp-contract=off", *_WARNINGS, *options]
    whole = f'#include "{_SHIM}"\n{code}\n{launchers}'
    state = " ".join(flags) + whole + _SHIM.read_text(encoding="utf-8")
    room = folder()
    library = room / f"{hashlib.sha256(state.encode()).hexdigest()[:24]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=room) as scratch:
            made = Path(scratch) / "kernels.so"
            command = [COMPILER, "-x", "c++", "-", *flags, "-o", str(made)]
            done = subprocess.run(command, input=whole, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{COMPILER} does not take this CUDA C:\n{done.stderr}")
            made.replace(library)
    return library
