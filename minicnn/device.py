"""NumPy arrays to a net's backend and back; a net without one of its own computes on NumPy arrays."""

from .kernels import get


def on_device(net, array):
    """A NumPy array as one of the net's backend."""
    return get(net.backend).to_device(array) if net.backend else array


def to_host(net, array):
    """An array of the net's backend as a NumPy array."""
    return get(net.backend).to_host(array) if net.backend else array
