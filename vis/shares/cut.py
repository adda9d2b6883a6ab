"""The nodes through which all that a unit sees must go: where a picture of the whole of it can be taken."""

from ...errors import UsageError
from .composites import live_nodes


def cut_nodes(net, layer):
    """The names of the nodes that every path from the image to `layer` goes through, in order, `layer` left out.

    In the order of the nodes, one is such a place if no connection leads from before it to behind it.
    """
    live, needed = live_nodes(net), {node.name for node in net.upto(layer).nodes}
    nodes = [node for node in net.nodes if node.name in needed & live]
    place = {net.input: -1, **{node.name: k for k, node in enumerate(nodes)}}
    last_reader = {}
    for node in nodes:
        for name in node.inputs:
            if name in live:
                last_reader[place[name]] = place[node.name]
    found, reach = [], last_reader[-1]
    for k, node in enumerate(nodes[:-1]):
        if reach <= k:
            found.append(node.name)
        reach = max(reach, last_reader[k])
    return found


def choose(net, tape, unit, wanted, what):
    """The last cut node before the unit whose entry on the tape is wanted(entry).

    what  what such a node does, for UsageError where there is none
    """
    for name in reversed(cut_nodes(net, unit.layer)):
        if wanted(tape[name]):
            return name
    raise UsageError(f"no node before {unit.layer} {what}: name one with layer")


def has_positions(entry):
    """Whether a node's output is a map of more than one position."""
    return len(entry.shape) == 4 and entry.shape[2] * entry.shape[3] > 1
