"""The network: named nodes in order, one tape forward, any rules backward."""

from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .device import computing, whole_or_halves
from .errors import MinicnnError, UnknownNameError
from .kernels import current
from .kernels.errors import DTypeError, OutOfMemoryError, ShapeError
from .kernels.shapes import show
from .layers import LogSoftmax, Softmax
from .rules import resolve
from .state import StateMixin
from .summary import summarise
from .tape import Entry, Tape
from .transform import TransformMixin

_NO_RULES = MappingProxyType({})
_context_rules = ContextVar("minicnn_rules", default=_NO_RULES)  # {net: its rules inside `with net.rules(...)`}


class Node(NamedTuple):
    name: str
    layer: Any
    inputs: tuple


class Net(StateMixin, TransformMixin):
    """A graph of named nodes.

        net = Net([("conv1", Conv2d(1, 8, 3)), ("relu1", ReLU()), ("fc", Linear(...))]).init(seed=0)
        net = Net([("a", ...), ("b", ..., "data"), ("sum", Add(), ("a", "b"))])

    nodes   (name, layer) reads the node before it, the first one the image; (name, layer, inputs) says what it
            reads: one name or several, all defined earlier. One layer used twice is two nodes with shared weights.
    input   the image's name
    meta    what travels with the weights (see `minicnn.meta.Meta`), or None
    Raises MinicnnError for a name used twice, UnknownNameError for an input that is not defined before its node.
    """

    def __init__(self, nodes, input="data", meta=None):
        self.input, self.meta = input, meta
        self.nodes = []
        self.dtype = np.dtype("float32")
        self.backend = None  # the current one at each call, unless `to` chose
        self._by_name = {}
        before = input
        for name, layer, *rest in nodes:
            inputs = rest[0] if rest else before
            self._add(Node(name, layer, (inputs,) if isinstance(inputs, str) else tuple(inputs)))
            before = name
        if not self.nodes:
            raise MinicnnError("a net needs at least one node")

    def _add(self, node):
        # A unit is written layer:channel:y,x, so a name holds no colon.
        if not isinstance(node.name, str) or not node.name or ":" in node.name:
            raise MinicnnError(f"a node's name is a non-empty string without a colon, not {node.name!r}")
        if node.name == self.input or node.name in self._by_name:
            raise MinicnnError(f"two nodes are named {node.name!r}")
        for name in node.inputs:
            if name != self.input and name not in self._by_name:
                raise UnknownNameError(f"node before {node.name!r} named", name, [self.input, *self._by_name])
        self._by_name[node.name] = node
        self.nodes.append(node)

    # Names ---------------------------------------------------------------------------------------------------------

    def __getitem__(self, name):
        """The node of that name."""
        if name not in self._by_name:
            raise UnknownNameError("node", name, self._by_name)
        return self._by_name[name]

    def __contains__(self, name):
        return name in self._by_name

    @property
    def scores(self):
        """The name of the node that holds the class scores: the last one before the softmax or its logarithm."""
        name = self.nodes[-1].name
        while isinstance(self[name].layer, (Softmax, LogSoftmax)) and self[name].inputs[0] != self.input:
            name = self[name].inputs[0]
        return name

    # Forward -------------------------------------------------------------------------------------------------------

    def forward(self, x, until=None, train=False, rng=None, once=False):
        """Run the nodes in order; (out, tape).

        x       (N, C, H, W) of the net's dtype, as the net's preprocessing leaves it
        until   the node to stop at, the last one unless given; only what it depends on runs
        train   batch norm uses the batch's statistics and dropout drops, with rng (np.random.Generator); or the names
                of the nodes that do, while all others are as in evaluation
        once    keep only what one backward walk reads, and free it during that walk: about half the memory
        out     the output of `until`
        tape    every node's output and cache: what `backward` walks
        An error inside a layer names the node.
        """
        tape = Tape(self.input, x, once)
        with computing(self):
            for node, out, cache in self._steps(x, until, train, rng):
                tape.append(Entry(node.name, node.layer, node.inputs, out.shape, None if once else out, cache))
        return out, tape

    def __call__(self, x, until=None):
        """The output alone; nothing is kept for a backward walk.

        Where memory, the card's say, does not do, one half of the images is computed after the other, once.
        """
        with computing(self):
            return whole_or_halves(lambda x: self._last(x, until), x)

    def _last(self, x, until):
        for _node, output, _cache in self._steps(x, until):
            out = output
        return out

    def _steps(self, x, until, train=False, rng=None):
        """(node, out, cache) of each node that `until` depends on, in order; an output lives until its last reader."""
        if getattr(x, "dtype", None) != self.dtype:
            is_a = getattr(x, "dtype", type(x).__name__)
            raise DTypeError(f"{self.input} is {is_a}, the net computes in {self.dtype}; convert one with astype")
        needed = self._ancestors(self.nodes[-1].name if until is None else self[until].name)
        running = [node for node in self.nodes if node.name in needed]
        last_reader = {name: node.name for node in running for name in node.inputs}
        outs = {self.input: x}
        for node in running:
            trains = train if isinstance(train, bool) else node.name in train
            modes = {"train": trains, "rng": rng} if node.layer.has_modes else {}
            with _naming(node.name):
                out, cache = node.layer.forward(*(outs[name] for name in node.inputs), **modes)
            outs[node.name] = out
            for name in set(node.inputs):
                if last_reader[name] == node.name:
                    del outs[name]
            yield node, out, cache

    def _ancestors(self, name):
        """The names of the nodes that `name` depends on, itself included."""
        found, waiting = set(), [name]
        while waiting:
            name = waiting.pop()
            if name != self.input and name not in found:
                found.add(name)
                waiting += self[name].inputs
        return found

    # Backward ------------------------------------------------------------------------------------------------------

    def backward(self, dout, tape, start=None, wrt=None, rules=None, params=True):
        """Walk the tape backward; (dx, grads).

        dout    the gradient of the score with respect to the output of `start`, in its shape
        start   the node whose output dout belongs to; the tape's last one unless given
        wrt     the node whose output dx belongs to; the image unless given; False for no dx at all
        rules   {node name, layer type or predicate: rule(dout, cache) -> dx}, over those of `with net.rules(...)`
        params  whether parameter gradients are computed, or the names of the nodes whose are; the walk stops where
                nothing upstream is asked for
        dx      the gradient with respect to the output of `wrt`, under the rules; None where wrt is False
        grads   {"conv1.w": dw, ...}, the keys of state_dict; a layer used twice has one sum under its first name
        Raises ShapeError where dout or what a rule returns has not the shape of the output that it belongs to.
        """
        start = tape[-1].name if start is None else tape[start].name
        wrt = self.input if wrt is None else wrt
        upstream = self._ancestors(start)
        if wrt and wrt != self.input and wrt not in upstream:
            raise UnknownNameError(f"node that {start!r} depends on, named", wrt, [self.input, *sorted(upstream)])
        _check_gradient(f"{start}: dout", dout, tape.shape(start))
        rule_of = resolve({**_context_rules.get().get(self, {}), **(rules or {})}, self.nodes)
        trained = upstream if params is True else set(params or ())
        wanted = self._wanted(tape, wrt, trained)

        # Gradients of outputs, each summed over its readers: reverse order reaches a node after all of them.
        waiting, grads = {start: dout}, {}
        with computing(self):
            for entry in tape.backward():
                if entry.name not in waiting:
                    continue
                d = waiting[entry.name] if entry.name == wrt else waiting.pop(entry.name)
                with _naming(entry.name):
                    if entry.name in trained and entry.layer.params:
                        self._add_grads(grads, entry.layer, entry.layer.backward_params(d, entry.cache))
                    if wanted.isdisjoint(entry.inputs):
                        continue
                    rule = rule_of.get(entry.name, entry.layer.backward_input)
                    for name, dx in zip(entry.inputs, _apply(rule, d, entry, tape)):
                        if name in wanted:
                            waiting[name] = current().add(waiting[name], dx) if name in waiting else dx
        if wrt and wrt not in waiting:
            raise MinicnnError(f"{start!r} does not depend on {wrt!r}")
        return (waiting[wrt] if wrt else None), grads

    def _wanted(self, tape, wrt, trained):
        """The names of the outputs whose gradient the walk needs: of wrt, of nodes that are trained, and downstream."""
        wanted = {wrt}
        for entry in tape:
            if (entry.name in trained and entry.layer.params) or not wanted.isdisjoint(entry.inputs):
                wanted.add(entry.name)
        return wanted

    def _add_grads(self, grads, layer, new):
        owner = next(node.name for node in self.nodes if node.layer is layer)
        for param, g in new.items():
            key = f"{owner}.{param}"
            grads[key] = grads[key] + g if key in grads else g

    @contextmanager
    def rules(self, rules):
        """Inside `with net.rules({ReLU: relu_guided}):` every backward of this net, in this thread, walks under them.

        Raises UnknownNameError at once for a key that matches no node.
        """
        resolve(rules, self.nodes)
        active = _context_rules.get()
        token = _context_rules.set({**active, self: {**active.get(self, {}), **rules}})
        try:
            yield self
        finally:
            _context_rules.reset(token)

    # Looking at it ---------------------------------------------------------------------------------------------------

    def summary(self, shape=None):
        """A table of shapes, parameters, multiply-adds and activation memory; see `minicnn.summary.Summary`.

        shape   of the image (N, C, H, W); batch 1 of the size that meta names unless given
        """
        if shape is None:
            if self.meta is None:
                raise ShapeError("summary needs the image's shape: this net does not say which size it takes")
            shape = (1, *self.meta.input_size)
        return summarise(self, shape)

    def __repr__(self):
        return f"<Net of {len(self.nodes)} nodes, {self.nodes[0].name} to {self.nodes[-1].name}>"


def _apply(rule, dout, entry, tape):
    """What a rule returns, one array an input, each checked: students write rules."""
    dxs = rule(dout, entry.cache)
    dxs = dxs if isinstance(dxs, tuple) else (dxs,)
    if len(dxs) != len(entry.inputs):
        raise ShapeError(f"{_name_of(rule)} returned {len(dxs)} arrays for {len(entry.inputs)} inputs")
    for name, dx in zip(entry.inputs, dxs):
        _check_gradient(f"{_name_of(rule)}'s dx", dx, tape.shape(name))
    return dxs


def _check_gradient(what, gradient, shape):
    if getattr(gradient, "shape", None) != shape:
        found = show(gradient.shape) if hasattr(gradient, "shape") else type(gradient).__name__
        raise ShapeError(f"{what} is {found}, the output that it belongs to {show(shape)}")


def _name_of(rule):
    return getattr(rule, "__name__", repr(rule))


@contextmanager
def _naming(node):
    """Errors from inside a layer say which node it was."""
    try:
        yield
    except MinicnnError as e:
        e.args = (f"{node}: {e}",)
        raise
    except MemoryError as e:  # NumPy's, or of what CuPy computes by itself
        raise OutOfMemoryError(f"{node}: {str(e) or 'memory does not do'}; a smaller batch needs less") from e
