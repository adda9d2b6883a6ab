"""Reads bad files, and holds the readers to it: FormatError and nothing else, no code run, little time and memory."""

import os
import signal
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from minicnn.errors import FormatError

MOST_SECONDS, MOST_TIMES, MOST_MORE = 5, 3, 50e6  # memory: so many times the file, and so much more
_HANGS = 30  # seconds of the processor's after which a reader is stopped
_EVENTS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.remove", "os.rename", "os.mkdir",
           "os.symlink", "subprocess.Popen", "shutil.rmtree", "socket.connect", "socket.bind", "urllib.Request",
           "webbrowser.open", "pickle.find_class", "ctypes.dlopen")  # fmt: skip


class Broken(AssertionError):
    """A reader did with a bad file what it must not do."""


class Report(NamedTuple):
    """files of which `refused` were refused and `read` were read; the slowest, in seconds; the peak, in bytes."""

    files: int
    refused: int
    read: int
    slowest: float
    peak: int

    def __add__(self, other):
        sums, most = self[:3], self[3:]
        return Report(*(a + b for a, b in zip(sums, other)), *map(max, most, other[3:]))


class _Hang(BaseException):
    pass


class _Watch(threading.local):
    folder = None  # while a file is read: where readers may look
    seen = ()


_watch = _Watch()


def check(case, folder):
    """Raises FormatError where the good file of a case is not good. What a reader imports late is there then."""
    for read in case.reads:
        read(case.write(folder, case.good))
        with suppress(FormatError):
            read(case.write(folder, case.good[: len(case.good) // 2]))


def attack(case, count, seed, folder):
    """Report on `count` bad files of a case, see hostile_cases; raises Broken, and the file stays in the folder."""
    total = Report(0, 0, 0, 0.0, 0)
    for i, bad in enumerate(case.mutations(case.good, count, seed)):
        path = case.write(folder, bad)
        try:
            total += _measured(case.reads, path, folder)
        except Broken as error:
            raise Broken(f"{case.format}, {case.name}: mutation {i} of seed {seed}, {path}: {error}") from error
    return total


def _measured(reads, path, folder):
    size = sum(file.stat().st_size for file in Path(folder).iterdir() if file.is_file())
    total = Report(0, 0, 0, 0.0, 0)
    for read in reads:
        was_read, seconds, peak = _traced(read, path, folder)
        if seconds > MOST_SECONDS / 10:  # what counts memory is slow itself
            start = time.process_time()
            _reads(read, path)
            seconds = time.process_time() - start
        if seconds > MOST_SECONDS:
            raise Broken(f"{seconds:.1f} s")
        if peak > MOST_TIMES * size + MOST_MORE:
            raise Broken(f"{peak / 1e6:.0f} MB of memory for {size} bytes")
        total += Report(0, 0, was_read, seconds, peak)
    return Report(1, not total.read, bool(total.read), *total[3:])


def _traced(read, path, folder):
    """(whether the file was read, seconds, peak of memory)."""
    tracemalloc.start()
    try:
        start = time.process_time()
        with watched(folder):
            was_read = _reads(read, path)
        return was_read, time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _reads(read, path):
    """Whether a file was read, and not refused."""
    try:
        read(path)
        return True
    except FormatError as error:
        if len(str(error)) > 6000 or not str(error).startswith(str(Path(path).parent)):
            raise Broken(
                f"a message of {len(str(error))} letters, or without the file: {str(error)[:200]!r}"
            ) from error
        str(error).encode("utf-8", "backslashreplace")
        return False
    except (KeyboardInterrupt, Broken):
        raise
    except BaseException as error:
        raise Broken(f"{type(error).__name__}: {str(error)[:300]}") from error


@contextmanager
def watched(folder):
    """Raises Broken if the block runs a command, opens a file elsewhere or for writing, or never ends."""
    _install()
    _watch.folder, _watch.seen = os.path.realpath(folder), []
    can_stop = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if can_stop:
        signal.signal(signal.SIGVTALRM, _stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, _HANGS)
    try:
        yield
    finally:
        if can_stop:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        seen, _watch.folder = _watch.seen, None
        if seen:
            raise Broken(f"it did {', '.join(seen[:3])}")


def _stop(*_):
    raise _Hang(f"no end after {_HANGS} s")


def _install():
    # An audit hook can never be removed: there is one, which sleeps outside of `watched`.
    if not getattr(_install, "done", False):
        sys.addaudithook(_hook)
        _install.done = True


def _hook(event, args):
    if _watch.folder is None:
        return
    if event in _EVENTS or (event == "exec" and getattr(args[0], "co_filename", "") == "<string>"):
        _watch.seen.append(f"{event}{args!r}"[:200])
    elif event == "open" and isinstance(args[0], (str, bytes)):
        name, mode, flags = os.path.realpath(os.fsdecode(args[0])), args[1] or "r", args[2] or 0
        inside = os.path.dirname(name) == _watch.folder
        code = name.endswith((".py", ".pyc", ".so"))  # what Python imports late
        if set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or not (inside or code):
            _watch.seen.append(f"open {name}, {mode}")
