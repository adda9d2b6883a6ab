"""Compiling every CUDA kernel for every kind of card takes a minute of a core, in a process of its own, for Numba here
is a simulator: it runs beside the other tests, and test_cuda_ptx.py takes what it found.
"""

import os
import signal
import subprocess
import sys

import pytest

_CODE = "import json; from minicnn.benchmarks import cuda_resources as c; print(json.dumps(c.measure()))"
_running = []


def pytest_collection_finish(session):
    asks = any("compiled_kernels" in getattr(item, "fixturenames", ()) for item in session.items)
    if asks and not session.config.option.collectonly:
        politely = {"start_new_session": True, "preexec_fn": lambda: os.nice(10)} if os.name == "posix" else {}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        _running.append(subprocess.Popen([sys.executable, "-c", _CODE], **pipes, **politely))


def pytest_sessionfinish(session):
    for process in _running:
        if process.poll() is None:
            # Its group: the processes that it shares the work with would wait for it.
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
            process.wait()


@pytest.fixture(scope="session")
def compiled_kernels():
    """What `cuda_resources.measure` printed."""
    (process,) = _running
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return out
