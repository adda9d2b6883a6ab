"""What ten classes look like to a net, and to one of the same architecture that was trained against attacks."""

import numpy as np

from ... import vis
from ...vis.image import deprocess
from .page import Section, by_rows

_STEPS = 40


def sections(standard, robust):
    """(name, Section): the same ascents on both nets, one row each."""
    rows = {"standard": _climbed(standard), "robust": _climbed(robust)}
    yield (
        "cifar10-classes",
        Section(
            "What ten classes look like to two nets",
            "Nobody drew these: each starts from grey noise and climbs the gradient of one class's score, by steps of "
            "one length, with no other prior than black and white. Both rows are the same architecture and the same "
            "ascent; the robust net was trained on images that were moved against it, by 8/255 in every pixel. The "
            "standard net is as sure of its pictures; only the other's can be read by people.",
            'minicnn vis maximise --model cifar10-robust --recipe robust --unit "horse;ship"\n'
            "minicnn eval cifar10-robust --set cifar10 --data DIR --eps 8",
            by_rows(rows, labels=standard.meta.classes),
        ),
    )


def _climbed(net):
    """A tile a class."""
    found = vis.maximise(net, list(net.meta.classes), recipe="robust", steps=_STEPS, progress=False)
    return list(deprocess(np.concatenate([images[-1:] for images in found.values()]), net.meta))
