"""Gradients from several nodes at once: one pass forward, one walk backward.

    loss = sum over nodes k of loss_k(out_k):     dx = sum over k of (d out_k / d x)' (d loss_k / d out_k)

The net gets one more node, which reads them all. The walk begins there, and a rule of that node says which dout each of
them gets; where the walk comes to one from above as well, the net adds both, as it does wherever an output has two
readers. So each node is walked through once, however many losses there are.
"""

from ...kernels import current
from ...layers import Layer
from ...net import Net
from ..passes import on_device, to_host

_END = "several"


class Several:
    """The part of a net that these nodes need, to be looked at and walked from all of them.

    net    stays as it is
    names  of nodes, each once or more often
    Raises UnknownNameError that suggests the nearest names.
    """

    def __init__(self, net, names):
        self.names = tuple(dict.fromkeys(net[name].name for name in names))
        self.net = Net([*net.nodes, (_END, _Gather(), self.names)], net.input, net.meta)
        self.net.dtype, self.net.backend = net.dtype, net.backend

    def look(self, x):
        """({name: output}, tape): NumPy arrays; the tape is for one walk.

        x  (N, C, H, W) of the net's dtype, preprocessed
        """
        _, tape = self.net.forward(on_device(self.net, x), once=True)
        return {name: to_host(self.net, out) for name, out in zip(self.names, tape[-1].cache)}, tape

    def walk(self, tape, douts):
        """dx (N, C, H, W) of the sum of all losses.

        douts  {name: d loss / d output} of every node, each of its output's shape
        """
        given = tuple(on_device(self.net, douts[name]) for name in self.names)
        any_dout = tape[-1].cache[0]  # what the last node is asked for plays no part: the rule gives all
        dx, _ = self.net.backward(any_dout, tape, rules={_END: lambda dout, cache: given}, params=False)
        return to_host(self.net, dx)


class _Gather(Layer):
    """Gives its first input on and keeps them all: what it is for is the rule that stands in for its gradient."""

    def forward(self, *xs):
        return xs[0], xs

    @staticmethod
    def backward_input(dout, cache):
        return (dout, *(current().xp.zeros_like(x) for x in cache[1:]))
