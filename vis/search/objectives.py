"""What is to become large: a unit's values in one number, and that number's gradient.

    mean        the mean of the values
    strongest   the largest value; ties go to the first
    norm        1/2 * the sum of the squares: what is there already is to become more, DeepDream's objective [1]

The values are those of a position, of a channel or of a whole node. Of one value alone, mean and strongest are itself.

[1] Mordvintsev, Olah & Tyka, Inceptionism, 2015
"""

import numpy as np

from ...errors import UnknownNameError

OBJECTIVES = ("mean", "strongest", "norm")


def find_objective(name, unit):
    """The objective of that name; of "" the unit's usual one: norm of a node, mean of a channel or a position.

    Raises UnknownNameError.
    """
    if not name:
        return "norm" if unit.channel is None else "mean"
    if name not in OBJECTIVES:
        raise UnknownNameError("objective", name, OBJECTIVES)
    return name


def ask(out, unit, objective):
    """(value, dout): the objective of one image's unit and its gradient with respect to the node's output.

    out, dout  (1, C, H, W) or (1, C)
    """
    out, dout = np.asarray(out), np.zeros_like(out)
    values, asked = _part(out, unit), _part(dout, unit)
    if objective == "norm":
        asked[...] = values
        return float(np.sum(values.astype(np.float64) ** 2) / 2), dout
    if objective == "strongest":
        place = np.unravel_index(values.argmax(), values.shape)
        asked[place] = 1
        return float(values[place]), dout
    asked[...] = 1 / values.size
    return float(values.mean(dtype=np.float64)), dout


def _part(out, unit):
    """A view of the unit's values."""
    if unit.channel is None:
        return out
    out = out[:, unit.channel : unit.channel + 1]
    if unit.position is None:
        return out
    y, x = unit.position
    return out[:, :, y : y + 1, x : x + 1]
