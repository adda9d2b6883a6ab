"""`make test-gpu`: every test on the card, each rung on 500 random cases; then the rungs under compute-sanitizer.

    python tests/gpu_run.py

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
EXAMPLES, UNDER_SANITIZER = 500, 8
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
_FLAG = "--without-pool"


def main():
    from minicnn import kernels

    try:
        kernels.get("cuda")
    except kernels.BackendError as error:
        print(f"make test-gpu needs an NVIDIA card: {error}", file=sys.stderr)
        return 3
    failed = [] if _run([sys.executable, "-m", "pytest", "-m", "not oracle"], EXAMPLES) else ["the tests"]
    sanitizer = shutil.which("compute-sanitizer")
    if sanitizer is None:
        print("compute-sanitizer is not on the PATH (it comes with the CUDA toolkit): not run", file=sys.stderr)
    for tool in TOOLS if sanitizer else ():
        print(f"compute-sanitizer {tool}", flush=True)
        command = [sanitizer, "--tool", tool, "--error-exitcode", "1", sys.executable, __file__, _FLAG]
        failed += [] if _run(command, UNDER_SANITIZER) else [tool]
    print(f"failed: {', '.join(failed)}" if failed else "the card passes")
    return bool(failed)


def _run(command, examples):
    environment = {**os.environ, "MINICNN_TEST_EXAMPLES": str(examples)}
    return subprocess.run(command, cwd=HERE.parent, env=environment).returncode == 0


def rungs_without_pool():
    """The rungs' tests with memory straight from the driver: of CuPy's pool the sanitizer sees but one large array."""
    import cupy
    import pytest

    cupy.cuda.set_allocator(None)
    return pytest.main([str(HERE / "kernels" / "test_cuda_rungs.py"), "-k", "does_what_the_reference_does"])


if __name__ == "__main__":
    sys.exit(rungs_without_pool() if _FLAG in sys.argv else main())
