"""What of CUDA is here: the driver, the cards, the toolkit, CuPy and numba-cuda; and what to install."""

import ctypes
import re
import sys
from importlib.metadata import distributions


def report():
    """{what: version, or what is missing}; the last entry says what to do where something is."""
    driver, installed = driver_version(), packages()
    found = {"driver": _driver_in_words(driver), **cards(), "toolkit": _toolkit(installed)}
    for name, known in (("CuPy", _starting("cupy", installed)), ("numba-cuda", _starting("numba-cuda", installed))):
        found[name] = ", ".join(f"{package} {version}" for package, version in known.items()) or "missing"
    todo = to_install(driver, installed)
    return found | ({"to do": todo} if todo else {})


def driver_version():
    """(major, minor) of the newest CUDA that the installed driver runs; None without a driver."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        version = ctypes.c_int()
        return divmod(version.value // 10, 100) if library.cuDriverGetVersion(ctypes.byref(version)) == 0 else None
    except (OSError, AttributeError):
        return None


def packages():
    """{distribution: version} of those that a card needs."""
    wanted = re.compile(r"cupy(-.+)?|numba-cuda|nvidia-cuda-(runtime|nvrtc)(-.+)?", re.IGNORECASE)
    named = ((d.metadata["Name"], d.version) for d in distributions())
    return {name.lower(): version for name, version in named if name and wanted.fullmatch(name)}


def cards():
    """{"card 0": name, compute capability and memory}; {} where CuPy is missing or finds none."""
    try:
        import cupy

        runtime = cupy.cuda.runtime
        count = runtime.getDeviceCount()
    except Exception:  # whatever is wrong with CuPy is said by `backends`
        return {}
    found = {}
    for i in range(count):
        card = runtime.getDeviceProperties(i)
        name, gigabytes = card["name"].decode(), card["totalGlobalMem"] / 1e9
        found[f"card {i}"] = f"{name}, compute capability {card['major']}.{card['minor']}, {gigabytes:.0f} GB"
    return found


def to_install(driver, installed):
    """What to install for the backend `cuda`, in words; "" where nothing is missing."""
    if driver is None:
        return "an NVIDIA card and its driver (525 or newer for minicnn[cuda12], 580 or newer for minicnn[cuda13])"
    if driver < (12, 0):
        return f"a newer driver: this one runs CUDA {_dotted(driver)}, minicnn[cuda12] needs 525 or newer"
    extra = "cuda13" if driver >= (13, 0) else "cuda12"
    cupys = _starting("cupy", installed)
    if len(cupys) > 1:
        return f"one CuPy, not {' and '.join(cupys)}: uninstall them, then pip install 'minicnn[{extra}]'"
    if "cupy-cuda13x" in cupys and extra == "cuda12":
        return f"this driver runs CUDA {_dotted(driver)}: pip uninstall cupy-cuda13x, pip install 'minicnn[cuda12]'"
    return "" if cupys and "numba-cuda" in installed else f"pip install 'minicnn[{extra}]'"


def _driver_in_words(driver):
    if driver is None:
        return "missing"
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8") as file:
            release = re.search(r"\d+\.\d+(\.\d+)?", file.read())
    except OSError:
        release = None
    return f"{release[0] + ', ' if release else ''}runs CUDA up to {_dotted(driver)}"


def _toolkit(installed):
    """Its compiler and its runtime, which come with CuPy and numba-cuda as packages."""
    found = _starting("nvidia-cuda-", installed)
    return ", ".join(f"{name.removeprefix('nvidia-cuda-')} {version}" for name, version in found.items()) or "missing"


def _starting(prefix, installed):
    return {name: version for name, version in sorted(installed.items()) if name.startswith(prefix)}


def _dotted(version):
    return ".".join(map(str, version))
