"""The user's own photo under every rule."""

from ... import vis
from ...layers.softmax import softmax_forward
from ...vis.image import preprocess, read_image
from ...vis.units import synonyms
from ...weights import places
from .page import Section

# The first of these whose weights are here looks at it; the last one ships.
_NETS = ("googlenet", "resnet50", "vgg16", "squeezenet1_1", "cifar10-robust")


def section(path, load):
    """A Section: what a net says of the photo, and the three rules for its answer.

    load  (name) -> net
    """
    name = next(name for name in _NETS if name in places.available())
    net = load(name)
    x = preprocess(read_image(path), net.meta)
    p = softmax_forward(net(x, until=net.scores))[0][0]
    answer = int(p.argmax())
    said = (synonyms(net.meta.classes[answer]) or [str(answer)])[0] if net.meta.classes else str(answer)
    result = vis.compare(net, x, answer)
    more = (
        "" if name != _NETS[-1] else " It knows ten classes, at 32x32 pixels; `minicnn models fetch` gets larger nets."
    )
    return Section(
        "Your photo",
        f"{name} says: {said}, {p[answer]:.1%}.{more} Below, what raises and lowers that answer, under three rules.",
        f"minicnn vis compare {path} --model {name} --unit {answer}",
        vis.METHODS["compare"].picture(result, net, x, answer),
    )
