"""NumPy arrays to a net's backend and back; a net without one of its own computes on NumPy arrays."""

from contextlib import nullcontext

import numpy as np

from .kernels import current, get, name_of, use
from .kernels.halves import in_halves


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


def whole_or_halves(function, x):
    """function(x), computed in halves (`in_halves`) where memory, the card's say, does not do.

    function  array (N, ...) to array (N, ...), for each image by itself
    """
    parts = in_halves(function, x)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
