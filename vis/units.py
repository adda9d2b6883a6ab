"""Naming what to look at: a layer, a channel, a position or a class.

    "inception_4c/output:97:6,6"   channel 97 of that node at row 6, column 6
    "inception_4c/output:97"       the channel, where it is strongest
    "inception_4c/output"          the whole node
    "goldfish", "1" or 1           a class, by name or number: its score, before the softmax

A string is first taken for a node, then for a class.
"""

import re
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ..errors import UnknownNameError, UsageError
from ..kernels.shapes import show

_ADDRESS = re.compile(r"(?P<layer>[^:]+)(:(?P<channel>\d{1,9})(:(?P<y>\d{1,9}),(?P<x>\d{1,9}))?)?")


@dataclass(frozen=True)
class Unit:
    """What is looked at.

    layer     a node's name
    channel   0..C-1, or None for the whole node
    position  (y, x), 0..H-1 and 0..W-1, or None for where the channel is strongest
    """

    layer: str
    channel: int | None = None
    position: tuple | None = None

    def seed(self, out):
        """The dout that asks for this unit: the gradient of what it means with respect to its node's output.

            a position   dout[n, channel, y, x] = 1
            a channel    dout[n, channel] = 1 at the strongest position of each image [1, 2]; ties go to the first
            a node       dout = 1: the sum of all its values

        out, dout  (N, C, H, W) or (N, C)
        Raises UsageError for a channel or a position that out does not have.
        [1] Zeiler & Fergus, ECCV 2014, section 2.1   [2] Springenberg et al., ICLR workshop 2015, section 3.4
        """
        self._check(out.shape)
        if self.channel is None:
            return np.ones_like(out)
        dout = np.zeros_like(out)
        for n in range(len(out)):
            if out.ndim == 2:
                dout[n, self.channel] = 1
            else:
                y, x = self.position or divmod(int(out[n, self.channel].argmax()), out.shape[3])
                dout[n, self.channel, y, x] = 1
        return dout

    def _check(self, shape):
        if self.channel is not None and self.channel >= shape[1]:
            raise UsageError(f"{self}: channel {self.channel} of 0 to {shape[1] - 1} ({self.layer} is {show(shape)})")
        if self.position is None:
            return
        if len(shape) != 4:
            raise UsageError(f"{self}: {self.layer} is {show(shape)}, which has no positions")
        for what, value, size in zip(("row", "column"), self.position, shape[2:]):
            if value >= size:
                raise UsageError(f"{self}: {what} {value} of 0 to {size - 1} ({self.layer} is {show(shape)})")

    def __str__(self):
        channel = "" if self.channel is None else f":{self.channel}"
        position = "" if self.position is None else ":{},{}".format(*self.position)
        return f"{self.layer}{channel}{position}"


def find_unit(net, unit):
    """The Unit that `unit` names in this net.

    unit  a Unit, a class's number, or a string as above; class names are those of net.meta.classes, see `find_class`
    Raises UnknownNameError with the nearest names, UsageError for what is no address at all.
    """
    if isinstance(unit, Unit):
        net[unit.layer]  # raises for an unknown one
        return unit
    if isinstance(unit, Integral):
        if unit < 0:
            raise UsageError(f"class {unit}: classes are numbered from 0")
        return Unit(net.scores, int(unit))
    if not isinstance(unit, str):
        raise UsageError(f"unit {unit!r}: expected a text, a class's number or a Unit")
    if unit in net:
        return Unit(unit)
    if ":" in unit:
        return _parse(net, unit)
    if re.fullmatch(r"\d{1,9}", unit):
        return Unit(net.scores, int(unit))
    return Unit(net.scores, find_class(net, unit))


def _parse(net, text):
    net[text.partition(":")[0]]  # an unknown layer is the better message
    match = _ADDRESS.fullmatch(text)
    if not match:
        raise UsageError(f"unit {text!r}: expected layer, layer:channel or layer:channel:y,x with numbers from 0")
    channel, y, x = (None if match[key] is None else int(match[key]) for key in ("channel", "y", "x"))
    return Unit(match["layer"], channel, None if y is None else (y, x))


def find_class(net, name):
    """The number of the class that `name` names, whatever its case.

    The whole label ("tench, Tinca tinca") beats its first synonym ("tench"), which beats the others ("Tinca tinca").
    Raises UnknownNameError with the nearest names, UsageError where several classes match equally well.
    """
    classes = net.meta.classes if net.meta else ()
    wanted = _plain(name)
    for names_of in (lambda label: [label], lambda label: synonyms(label)[:1], synonyms):
        found = [k for k, label in enumerate(classes) if wanted in map(_plain, names_of(label))]
        if len(found) > 1:
            raise UsageError(f"class {name!r} could be {' or '.join(map(str, found))}: give the number")
        if found:
            return found[0]
    known = [node.name for node in net.nodes] + [one for label in classes for one in synonyms(label)]
    raise UnknownNameError("node or class" if classes else "node", name, known)


def synonyms(label):
    """["tench", "Tinca tinca"] for "tench, Tinca tinca"."""
    return [part.strip() for part in label.split(",") if part.strip()]


def unit_title(net, unit):
    """What to write over a picture: the class's name where the unit is a class, else its address."""
    classes = net.meta.classes if net.meta else ()
    if unit.layer == net.scores and unit.channel is not None and unit.channel < len(classes):
        return ", ".join(synonyms(classes[unit.channel])[:1]) or str(unit)
    return str(unit)


def _plain(name):
    return " ".join(name.replace("_", " ").casefold().split())
