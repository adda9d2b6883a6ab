"""NumPy arrays to a net's backend and back; a net without one of its own computes on NumPy arrays."""

from contextlib import nullcontext

import numpy as np

from .kernels import current, get, name_of, use


def on_current(net):
    """The net itself, or where the current backend does not compute on NumPy arrays, a copy that is that backend's."""
    return net if current().xp is np else net.to(name_of(current()))


def computing(net):
    """Inside, the net's own backend is the current one: for what is computed of its arrays outside of it."""
    return use(net.backend) if net.backend else nullcontext()


def on_device(net, array):
    """A NumPy array as one of the net's backend."""
    return get(net.backend).to_device(array) if net.backend else array


def to_host(net, array):
    """An array of the net's backend as a NumPy array."""
    return get(net.backend).to_host(array) if net.backend else array


def in_halves(function, x):
    """function(x); where memory does not do, the card's say, one half of the batch after the other, once.

    function  array (N, ...) to array (N, ...), for each image by itself
    """
    try:
        return function(x)
    except MemoryError:  # kernels.errors.OutOfMemoryError, and CuPy's
        if len(x) < 2:
            raise
    # Past the `except`: an error holds the arrays of the frames that it came through.
    half = -(-len(x) // 2)
    return np.concatenate([function(x[:half]), function(x[half:])])
