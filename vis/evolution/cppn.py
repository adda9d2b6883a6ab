"""Pictures that a small evolved net draws: it is asked for the colour at every place (CPPN).

    inputs   x and y from -1 to 1, their distance from the middle, and 1
    nodes    sum over its links of weight * source, through sine, sigmoid, Gaussian or the identity
    outputs  one, the grey; or three: hue, saturation and brightness

What such a net draws is regular: symmetric, repeated, graded. It begins without nodes between inputs and outputs, all
of which are linked. A child has, each with its own probability, a new link, a link less, a link with another end, a
new node in the middle of a link, a node less; and each weight and each node's function may change.

The probabilities, weights in -10..10, inputs and functions are those of the code that the paper's authors published
(github.com/Evolving-AI-Lab/fooling, sferes/exp/images). Ours: the sigmoid is tanh(v/2), the Gaussian exp(-v^2); hue is
taken modulo 1, the others are |v|, 1 at most.
Stanley, Compositional Pattern Producing Networks, 2007; Nguyen, Yosinski & Clune, CVPR 2015, section 2.3
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from .mutation import polynomial

FUNCTIONS = (np.sin, lambda v: np.tanh(v / 2), lambda v: np.exp(-v * v), lambda v: v)
INPUTS = 4
LARGEST = 10.0
ADD_LINK, DROP_LINK, MOVE_LINK, ADD_NODE, DROP_NODE = 0.5, 0.3, 0.5, 0.5, 0.2
CHANGE_WEIGHT, CHANGE_FUNCTION = 0.1, 0.1


class Genome(NamedTuple):
    """A net without cycles: nodes have numbers, inputs first, outputs last, and links go to higher numbers.

    functions  of the nodes after the inputs, each an index of FUNCTIONS
    links      {(from, to): weight}
    """

    functions: tuple
    links: dict


class Cppn:
    """Genomes that draw pictures of one size.

    shape  (C, H, W), C 1 or 3
    """

    def __init__(self, shape):
        C, H, W = shape
        self.outputs, self.size = C, (H, W)
        y, x = np.meshgrid(np.linspace(-1, 1, H), np.linspace(-1, 1, W), indexing="ij")
        self._inputs = [x, y, np.hypot(x, y), np.ones((H, W))]

    def random(self, rng):
        links = {(i, INPUTS + o): rng.uniform(-LARGEST, LARGEST) for i in range(INPUTS) for o in range(self.outputs)}
        return Genome(tuple(rng.integers(len(FUNCTIONS), size=self.outputs).tolist()), links)

    def mutate(self, genome, rng, generation):
        """A changed copy; the generation does not matter."""
        functions, links = list(genome.functions), dict(genome.links)
        changes = (
            (ADD_LINK, self._add_link),
            (DROP_LINK, _drop_link),
            (MOVE_LINK, self._move_link),
            (ADD_NODE, self._add_node),
            (DROP_NODE, self._drop_node),
        )
        for probability, change in changes:
            if rng.random() < probability:
                links = change(functions, links, rng)
        weights = polynomial(list(links.values()), rng, CHANGE_WEIGHT, -LARGEST, LARGEST).tolist()
        for node in range(len(functions)):
            if rng.random() < CHANGE_FUNCTION:
                functions[node] = int(rng.integers(len(FUNCTIONS)))
        return Genome(tuple(functions), dict(zip(links, weights)))

    def picture(self, genome):
        """(C, H, W) uint8; three channels are RGB."""
        values = [*self._inputs, *[None] * len(genome.functions)]
        for node in sorted(_reaching(genome, self.outputs)):
            total = np.zeros(self.size)
            for (source, target), weight in genome.links.items():
                if target == node:
                    total += weight * values[source]
            values[node] = FUNCTIONS[genome.functions[node - INPUTS]](total)
        return _colours(values[-self.outputs :])

    def _add_link(self, functions, links, rng):
        return {**links, self._pair(functions, rng): rng.uniform(-LARGEST, LARGEST)}

    def _move_link(self, functions, links, rng):
        """A link's weight between another pair of nodes, of which it keeps one."""
        if not links:
            return links
        (source, target), weight = _some_link(links, rng)
        left = {pair: w for pair, w in links.items() if pair != (source, target)}
        nodes = INPUTS + len(functions)
        if rng.random() < 0.5:
            source = int(rng.integers(min(target, nodes - self.outputs)))
        else:
            target = int(rng.integers(max(source + 1, INPUTS), nodes))
        return {**left, (source, target): weight}

    def _add_node(self, functions, links, rng):
        """A link a -> c becomes a -> b -> c, with b a new node just before c, or before the outputs."""
        if not links:
            return links
        (source, target), weight = _some_link(links, rng)
        node = min(target, INPUTS + len(functions) - self.outputs)
        functions.insert(node - INPUTS, int(rng.integers(len(FUNCTIONS))))
        moved = {_shifted(pair, node, 1): w for pair, w in links.items() if pair != (source, target)}
        source, target = _shifted((source, target), node, 1)
        return {**moved, (source, node): weight, (node, target): rng.uniform(-LARGEST, LARGEST)}

    def _drop_node(self, functions, links, rng):
        hidden = len(functions) - self.outputs
        if hidden < 1:
            return links
        node = INPUTS + int(rng.integers(hidden))
        del functions[node - INPUTS]
        return {_shifted(pair, node, -1): w for pair, w in links.items() if node not in pair}

    def _pair(self, functions, rng):
        """Any two nodes that a link may join: not from an output, not to an input."""
        nodes = INPUTS + len(functions)
        source = int(rng.integers(nodes - self.outputs))
        return source, int(rng.integers(max(source + 1, INPUTS), nodes))


def _drop_link(functions, links, rng):
    if not links:
        return links
    dropped, _ = _some_link(links, rng)
    return {pair: w for pair, w in links.items() if pair != dropped}


def _some_link(links, rng):
    return list(links.items())[rng.integers(len(links))]


def _shifted(pair, node, by):
    """The pair's numbers after a node has come before, or gone from, that place."""
    return tuple(number + by if number >= node else number for number in pair)


def _reaching(genome, outputs):
    """The nodes, inputs aside, that an output depends on, and the outputs."""
    nodes = INPUTS + len(genome.functions)
    found = set(range(nodes - outputs, nodes))
    for source, target in sorted(genome.links, key=lambda pair: -pair[1]):
        if target in found and source >= INPUTS:
            found.add(source)
    return found


def _colours(values):
    """One value a pixel as grey, three as hue, saturation and brightness: (C, H, W) uint8, RGB."""
    limited = [np.uint8(np.round(255 * np.minimum(np.abs(v), 1))) for v in values]
    if len(values) == 1:
        return limited[0][None]
    limited[0] = np.uint8(np.floor(256 * np.mod(values[0], 1)) % 256)
    picture = Image.merge("HSV", [Image.fromarray(channel) for channel in limited]).convert("RGB")
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
