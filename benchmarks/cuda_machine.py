"""This card: what it is, how fast its vector units multiply and add, and how fast its memory is, both measured."""

import os
import platform
import re
from importlib.metadata import distributions
from importlib.util import find_spec

import numpy as np

from .. import kernels
from ..errors import MinicnnError
from .cuda_busy import FLOP, busy
from .cuda_timing import Clock
from .timing import interleaved

# Larger than any card's second-level cache; read and written together twice as much.
COPY_BYTES = 2**29
# Rounds of multiply-adds: a millisecond, or so, for a large card.
ROUNDS = 16384

_PACKAGES = re.compile(r"cupy-cuda\d+x|cupy|numba-cuda|numba|numpy|torch|nvidia-cuda-nvrtc(-cu12)?", re.IGNORECASE)


def describe():
    """The card, its "compute_capability", "gigabytes" and "driver", and the version of everything between it and us."""
    xp = _xp()
    card = xp.cuda.runtime.getDeviceProperties(0)
    packages = {d.metadata["Name"]: d.version for d in distributions()}
    return {
        "card": card["name"].decode(),
        "compute_capability": f"{card['major']}.{card['minor']}",
        "gigabytes": round(card["totalGlobalMem"] / 1e9, 1),
        "driver": _driver(),
        "cuda": _dotted(xp.cuda.runtime.driverGetVersion()),
        "nvrtc": ".".join(map(str, xp.cuda.nvrtc.getVersion())),
        "cudnn": _cudnn(),
        "python": platform.python_version(),
        **{name.lower(): packages[name] for name in sorted(filter(None, packages)) if _PACKAGES.fullmatch(name)},
    }


def peak_gflops(seconds=1.0):
    """10^9 float32 multiplications and additions a second, of sums that stay in registers: nothing is faster here.

    Not the matrix units: what they would make of float32 numbers has 10 bits in place of 23.
    """
    xp = _xp()
    blocks = xp.cuda.Device().attributes["MultiProcessorCount"] * 8
    run = busy(xp, blocks, ROUNDS)
    return blocks * ROUNDS * FLOP / interleaved([run], seconds, once=Clock(xp).whole)[0] / 1e9


def copy_gbytes(seconds=0.5):
    """10^9 bytes a second, read and written together, when an array of COPY_BYTES is copied."""
    xp = _xp()
    source, copy = xp.ones(COPY_BYTES // 4, np.float32), xp.empty(COPY_BYTES // 4, np.float32)

    def run():
        copy[...] = source

    return 2 * source.nbytes / interleaved([run], seconds, once=Clock(xp).whole)[0] / 1e9


def has_torch():
    """Whether PyTorch is there and computes on the card."""
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def without_tf32():
    """Make sure that float32 means float32: the libraries' matrix units would round to 10 bits.

    Raises MinicnnError where a variable makes CuPy or all of Nvidia's libraries do so.
    """
    for name in ("CUPY_TF32", "NVIDIA_TF32_OVERRIDE"):
        if os.environ.get(name, "0") != "0":
            raise MinicnnError(f"{name}={os.environ[name]} makes the libraries round to TF32: nothing was timed")
    if has_torch():
        import torch

        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True  # it may look for its fastest algorithm, as its users would


def _xp():
    """CuPy; raises BackendError that says why where there is no card."""
    return kernels.get("cuda").xp


def _driver():
    """Its release, "580.65.06"; None where the system does not say."""
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8") as file:
            found = re.search(r"\d+\.\d+(\.\d+)?", file.read())
    except OSError:
        return None
    return found and found[0]


def _cudnn():
    """The release that PyTorch brings with it, 91002 say; None without PyTorch."""
    if not has_torch():
        return None
    import torch

    return torch.backends.cudnn.version()


def _dotted(version):
    """13.0 of 13000."""
    return f"{version // 1000}.{version % 1000 // 10}"
