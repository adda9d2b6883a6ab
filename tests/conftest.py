"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Compilation inside the first example is slow, and that is no flaw of the example. The backend fixture is meant to stay
# the same in all examples of a test.
settings.register_profile(
    "minicnn",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
settings.load_profile("minicnn")


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real weights and photos; a test that needs it is skipped where MINICNN_DATA is unset."""
    folder = os.environ.get("MINICNN_DATA")
    if not folder:
        pytest.skip("MINICNN_DATA is unset: no real weights and photos here")
    return Path(folder).resolve()


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    """Every backend that runs on this machine's processor, one after the other, as the current one."""
    from minicnn import kernels

    with kernels.use(request.param) as module:
        yield module
