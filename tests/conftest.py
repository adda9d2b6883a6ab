"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Compilation inside the first example is slow, and that is no flaw of the example. The backend fixture is meant to stay
# the same in all examples of a test.
settings.register_profile(
    "minicnn",
    max_examples=int(os.environ.get("MINICNN_TEST_EXAMPLES", 100)),
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


def pytest_collection_modifyitems(config, items):
    """Without a card `cuda` runs on a stand-in, which is slow: there only kernels and layers are tried on it."""
    on_cuda = [
        item for item in items if getattr(item, "callspec", None) and item.callspec.params.get("backend") == "cuda"
    ]
    elsewhere = [item for item in on_cuda if item.path.parent.name not in ("kernels", "layers")]
    if not elsewhere:
        return
    import cuda_cases

    if not cuda_cases.ON_CARD:
        config.hook.pytest_deselected(items=elsewhere)
        left_out = set(elsewhere)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(params=["numpy", "numba", "cuda"])
def backend(request):
    """Every backend that takes NumPy's arrays, one after the other, as the current one.

    `cuda` is made to take them, on a card or on the stand-in for one (cuda_cases.py).
    """
    from minicnn import kernels

    name = request.param
    if name == "cuda":
        import cuda_cases

        name = cuda_cases.hosted()
    with kernels.use(name) as module:
        yield module
