"""Which layers a style transfer reads, and what each weighs."""

import math

from ...errors import UsageError
from ...layers import AvgPool2d, Concat, MaxPool2d, ReLU
from ...net import Net
from ..image import require_meta

_CONTENT_SIZE = 4  # the paper's conv4_2: the second layer of the fourth size


def parse_layers(net, text, default):
    """{layer: weight} of "relu1_1=0.5,relu2_1=2"; a layer without a weight has 1.

    default  function: net -> {layer: weight}, for an empty text
    Raises UnknownNameError for a layer that the net does not have, UsageError for a weight that is no number >= 0.
    """
    layers = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, _, weight = item.rpartition("=") if "=" in item else (item, "", "1")
        layers[net[name.strip()].name] = parse_number(item, weight)
    return layers or default(net)


def parse_number(item, text):
    """A number >= 0; raises UsageError that quotes `item`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UsageError(f"{item!r}: {text!r} is no weight, expected a number of 0 or more")
    return number


def default_style(net):
    """{layer: weight}: the first layer of every size of map, all alike, summing to 1.

    In VGG: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1, the paper's conv1_1 to conv5_1.
    """
    names = [names[0] for names in _by_size(net)]
    return dict.fromkeys(names, 1 / len(names))


def default_content(net):
    """{layer: 1}: the second layer of the fourth size of map, or the last one of a net that ends before.

    In VGG: relu4_2, the paper's conv4_2.
    """
    sizes = _by_size(net)
    names = sizes[_CONTENT_SIZE - 1] if len(sizes) >= _CONTENT_SIZE else sizes[-1]
    return {names[1] if len(sizes) >= _CONTENT_SIZE and len(names) > 1 else names[-1]: 1.0}


def _by_size(net):
    """[[layer, ...], ...]: of each size of map, from the largest, the layers through which everything passes.

    These are the ReLUs and concatenations that no path from the image to the last node goes around. Maps of one
    pixel say nothing of a style.
    """
    require_meta(net.meta)
    shapes = {row.name: row.shape for row in net.summary().rows}
    sizes = {}
    for node in _passed_by_all(net):
        shape = shapes[node.name]
        if isinstance(node.layer, (ReLU, Concat)) and len(shape) == 4 and min(shape[2:]) > 1:
            sizes.setdefault(shape[2:], []).append(node.name)
    if not sizes:
        raise UsageError(
            "this net has no ReLU or concatenation that all passes through: name the content and style layers"
        )
    return list(sizes.values())


def _passed_by_all(net):
    """The nodes that every path from the image to the last node goes through, in order."""
    place = {node.name: i for i, node in enumerate(net.nodes)}
    last_reader = {name: place[node.name] for node in net.nodes for name in node.inputs}
    furthest, found = last_reader[net.input], []  # who reads last of what comes before the node in hand
    for node in net.nodes:
        if furthest <= place[node.name]:
            found.append(node)
        furthest = max(furthest, last_reader.get(node.name, 0))
    return found


def average_pooled(net):
    """The net with an average in place of every maximum over the same windows; cells of the padding do not count.

    The paper's advice for images that are made: gradients reach every pixel of a window.
    """
    nodes = []
    for name, layer, inputs in net.nodes:
        if isinstance(layer, MaxPool2d):
            layer = AvgPool2d(**{**layer.config, "count_include_pad": False})
        nodes.append((name, layer, inputs))
    other = Net(nodes, net.input, net.meta)
    other.dtype, other.backend = net.dtype, net.backend
    return other
