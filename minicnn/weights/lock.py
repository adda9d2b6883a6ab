"""One process at a time."""

import os
from contextlib import contextmanager

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


@contextmanager
def lock(path, on_wait=lambda: None):
    """Inside, no other process is inside with the same path; the lock file is gone afterwards (on Windows it stays).

    The system frees a lock when its process ends, however that happens. on_wait is called before waiting for another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _take(handle, on_wait)
            if _is_still(handle, path):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the one before us has removed the file: the next one waits at a new one
    try:
        yield
    finally:
        if fcntl:
            path.unlink(missing_ok=True)  # while it is still ours
        os.close(handle)


def _take(handle, on_wait):
    if fcntl:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        return
    while True:
        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # tries for ten seconds
            return
        except OSError:
            on_wait()


def _is_still(handle, path):
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
