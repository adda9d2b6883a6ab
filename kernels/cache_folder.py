"""Where compiled kernels are kept on disk."""

import os
from pathlib import Path


def root(kind, *variables):
    """The folder for compiled kernels of a kind; it need not exist.

    variables   of the environment, each of which, if set, names the folder before MINICNN_CACHE_DIR, XDG_CACHE_HOME and
                ~/.cache do
    """
    for name in (*variables, "MINICNN_CACHE_DIR", "XDG_CACHE_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]) / "minicnn" / kind
    return Path(os.path.expanduser("~/.cache")) / "minicnn" / kind
