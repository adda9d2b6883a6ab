"""Where NaN and infinity come from: the first node of a step that has one."""

import math

import numpy as np

from ..errors import MinicnnError


class NotFiniteError(MinicnnError, ArithmeticError):
    """A training step in which something became NaN or infinite; names the node where it did first."""


def check_finite_step(net, x, step, loss, norm, grads):
    """Raises NotFiniteError if the loss or the gradients' norm is no finite number; no parameter has moved then.

    The forward pass is run again, as in evaluation, to find the first node whose output is not finite; if all are, the
    gradients are searched in the order of the backward pass. (What the pass did to batch norm's running statistics
    is done: go on from a checkpoint.)
    """
    if math.isfinite(loss) and math.isfinite(norm):
        return
    raise NotFiniteError(
        f"step {step}: the loss is {loss:g}, the gradients' norm {norm:g}; {_where(net, x, grads)}. "
        "A lower rate, a warm-up or clipping (`clip`) often helps"
    )


def _where(net, x, grads):
    if not np.isfinite(x).all():
        return f"the images {net.input} are not finite"
    for name, layer in net.layers().items():
        for param, array in layer.params.items():
            if not np.isfinite(array).all():
                return f"{name}.{param} is not finite"
    _, tape = net.forward(x, until=net.scores)
    for entry in tape:
        if not np.isfinite(entry.out).all():
            return f"first in the output of {entry.name} ({type(entry.layer).__name__})"
    for node in reversed(net.nodes):
        for key, dw in grads.items():
            if key.startswith(f"{node.name}.") and not np.isfinite(dw).all():
                return f"first, on the way back, in the gradient of {key}"
    return "in the loss"
