"""The README's picture: what some classes look like to GoogLeNet, each climbed to from an empty image.

    minicnn models import bvlc_googlenet.caffemodel --arch googlenet --labels synset_words.txt --out WEIGHTS
    MINICNN_WEIGHTS=WEIGHTS python -m minicnn.benchmarks.class_sheet benchmarks/results/googlenet-classes.jpg

No photo is used. Prints each class's probability, after the softmax.
"""

import sys

from ..files import write_whole
from ..layers.softmax import softmax_forward
from ..vis import class_model
from ..vis.colour import channel_order, show_gradient
from ..vis.tiles import grid
from ..vis.units import find_class
from ..weights.store import load

CLASSES = ("flamingo", "goldfish", "ostrich", "bell pepper", "peacock", "tarantula", "zebra", "strawberry")


def main():
    net = load("googlenet")
    tiles = []
    for name in CLASSES:
        image = class_model(net, name)
        probability = softmax_forward(net(image, until=net.scores))[0][0, find_class(net, name)]
        print(f"{name}: {probability:.4f}")
        tiles.extend(show_gradient(image, channel_order(net), 0.995))
    with write_whole(sys.argv[1]) as file:
        grid(tiles, CLASSES, columns=4).save(file, "JPEG", quality=88)


if __name__ == "__main__":
    main()
