"""`make test-gpu`: every test on the card, each rung on 500 random cases; then the rungs under compute-sanitizer.

    python tests/gpu_run.py                     everything; each part compiles Numba's rungs anew
    python tests/gpu_run.py tests               the tests alone; PYTEST_ADDOPTS says which, "tests/kernels" say
    python tests/gpu_run.py memcheck racecheck  these of the sanitizer's tools

memcheck finds what is read or written outside of an array, racecheck what one thread writes and another reads without
a barrier between, synccheck barriers that some threads skip, initcheck what is read and was never written.
Nvidia, Compute Sanitizer's documentation.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
UNDER_SANITIZER = 8  # random cases a rung
TESTS, TOOLS = "tests", ("memcheck", "racecheck", "synccheck", "initcheck")
_FLAG = "--without-pool"


def main(asked):
    from minicnn import kernels

    unknown = set(asked) - {TESTS, *TOOLS}
    if unknown:
        print(f"there is no {', '.join(sorted(unknown))}: there are {', '.join((TESTS, *TOOLS))}", file=sys.stderr)
        return 2
    try:
        kernels.get("cuda")
    except kernels.BackendError as error:
        print(f"make test-gpu needs an NVIDIA card: {error}", file=sys.stderr)
        return 3
    failed, left_out, wanted = [], [], asked or (TESTS, *TOOLS)
    if TESTS in wanted and not _run([sys.executable, "-m", "pytest", "-m", "not oracle"]):
        failed.append(TESTS)
    sanitizer = _sanitizer()
    for tool in (tool for tool in TOOLS if tool in wanted):
        if sanitizer is None:
            left_out.append(tool)
            continue
        print(f"compute-sanitizer {tool}", flush=True)
        command = [sanitizer, "--tool", tool, "--error-exitcode", "1", sys.executable, __file__, _FLAG]
        failed += [] if _run(command, MINICNN_TEST_EXAMPLES=str(UNDER_SANITIZER)) else [tool]
    if left_out:
        print(f"no compute-sanitizer here (it comes with the CUDA toolkit), so not run: {', '.join(left_out)}")
    print(f"failed: {', '.join(failed)}" if failed else "what was run passes")
    return bool(failed or (asked and left_out))


def _sanitizer():
    """Where compute-sanitizer is; the toolkit's folder is not always on the PATH."""
    toolkit = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=f"{toolkit}/bin")


def _run(command, **variables):
    return subprocess.run(command, cwd=HERE.parent, env={**os.environ, **variables}).returncode == 0


def rungs_without_pool():
    """The rungs' tests with memory straight from the driver: of CuPy's pool the sanitizer sees but one large array."""
    import cupy
    import pytest

    cupy.cuda.set_allocator(None)
    return pytest.main([str(HERE / "kernels" / "test_cuda_rungs.py"), "-k", "does_what_the_reference_does"])


if __name__ == "__main__":
    sys.exit(rungs_without_pool() if _FLAG in sys.argv else main(sys.argv[1:]))
