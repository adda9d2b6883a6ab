"""How numbers are computed: the backends by name, and which one is current.

    numpy      reference.py: im2col and one matrix product; defines what is right
    numba      compiled CPU kernels; the default
    cuda       GPU kernels          cuda-sim   the same on Numba's simulator

A backend is a module with the functions of `contract.py`. It is chosen by name, never by array type: by
`use("numpy")`, by `with use("numpy"):`, or by the environment variable MINICNN_BACKEND.
"""

import importlib
import os
from contextvars import ContextVar

from .errors import BackendError

BACKENDS = {"numpy": ".reference", "numba": ".numba_cpu", "cuda": ".cuda", "cuda-sim": ".cuda"}

_default = None  # the backend of the whole process, once chosen
_scoped = ContextVar("minicnn_backend", default=None)  # the one of a `with use(...)` block


def get(name):
    """The backend module `name`; "auto" is the fastest that can run here. Raises BackendError if it cannot."""
    if name == "auto":
        return _first_available()
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; there are {', '.join(BACKENDS)} and auto")
    try:
        return importlib.import_module(BACKENDS[name], __name__)
    except ImportError as e:
        raise BackendError(f"backend {name!r} is not available: {e}") from e


def current():
    """The backend in use: of the innermost `with use(...)`, else of `use(...)`, else of MINICNN_BACKEND, else numba."""
    global _default
    backend = _scoped.get() or _default
    if backend is None:
        backend = _default = get(os.environ.get("MINICNN_BACKEND") or "numba")
    return backend


def name_of(backend):
    """The name of a backend module."""
    return next(name for name, path in BACKENDS.items() if backend.__name__ == __name__ + path)


class use:
    """Choose the backend: `use("numpy")` for the whole process, `with use("numpy"):` for a block of this thread.

    Raises BackendError at once, leaving the choice as it was, if the backend is unknown or cannot run here.
    """

    def __init__(self, name):
        global _default
        self._backend = get(name) if isinstance(name, str) else name
        self._before, _default = _default, self._backend

    def __enter__(self):
        global _default
        _default = self._before
        self._token = _scoped.set(self._backend)
        return self._backend

    def __exit__(self, *exc):
        _scoped.reset(self._token)


def _first_available():
    reasons = []
    for name in ("cuda", "numba", "numpy"):
        try:
            return get(name)
        except BackendError as e:
            reasons.append(str(e))
    raise BackendError("no backend is available: " + "; ".join(reasons))
