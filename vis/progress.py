"""A bar for what takes long, and what happens when it is interrupted."""

import warnings
from contextlib import contextmanager

from tqdm import tqdm


class StoppedEarly(UserWarning):
    """Interrupted: what was returned is the result so far."""


def bar(count, name, progress=True):
    """0..count-1 with a bar on stderr, where that is a terminal and progress is true; a tqdm object."""
    return tqdm(range(count), desc=name, disable=None if progress else True)


@contextmanager
def kept_when_interrupted(name):
    """Inside, Ctrl-C ends the block and is turned into the warning StoppedEarly; what the block made is kept."""
    try:
        yield
    except KeyboardInterrupt:
        warnings.warn(f"{name}: interrupted, this is the result so far", StoppedEarly, stacklevel=4)
