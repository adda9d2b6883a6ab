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
from functools import cache

from .errors import BackendError

BACKENDS = {"numpy": ".reference", "numba": ".numba_cpu", "cuda": ".cuda.card", "cuda-sim": ".cuda.sim"}

_calls = []  # every `use(...)` of the process that is no `with` block: the last one counts
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
        missing = e.name == __name__ + BACKENDS[name]
        reason = "this version of minicnn does not contain it; use numba or numpy" if missing else e
        raise BackendError(f"backend {name!r} is not available: {reason}") from e


def current():
    """The backend in use: of the innermost `with use(...)`, else of `use(...)`, else of MINICNN_BACKEND, else numba."""
    scoped = _scoped.get()
    if scoped is not None:
        return scoped
    call = next(reversed(_calls), None)
    return call.backend if call else _of_environment()


@cache
def _of_environment():
    return get(os.environ.get("MINICNN_BACKEND") or "numba")


def name_of(backend):
    """The name of a backend module."""
    return next(name for name, path in BACKENDS.items() if backend.__name__ == __name__ + path)


def threads():
    """How many threads the compiled CPU kernels use."""
    return get("numba").threads.count()


def set_threads(n):
    """Let the compiled CPU kernels use n threads: at most NUMBA_NUM_THREADS, the default, one a core unless set."""
    get("numba").threads.set_threads(n)


class use:
    """Choose the backend: `use("numpy")` for the whole process, `with use("numpy"):` for a block of this thread.

    Raises BackendError at once, leaving the choice as it was, if the backend is unknown or cannot run here.
    """

    def __init__(self, name):
        self.backend = get(name) if isinstance(name, str) else name
        _calls.append(self)

    def __enter__(self):
        # It was no call after all. Only this one is taken back: other threads may have chosen meanwhile.
        if self in _calls:
            _calls.remove(self)
        self._token = _scoped.set(self.backend)
        return self.backend

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
