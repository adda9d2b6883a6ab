"""The edited gradients: what each picture does differently at a ReLU, and nothing else.

A rule is a backward function, rule(dout, cache) -> dx, given to `net.backward(..., rules={ReLU: relu_guided})`.
With x the ReLU's input, read forward, and dout the gradient that arrives from above:

                       passes dout where        and 0 elsewhere, NaN in a mask's place included
    the gradient       x > 0                    layers/relu.py
    relu_deconvnet     dout > 0                 Zeiler & Fergus [1]
    relu_guided        x > 0 and dout > 0       Springenberg et al. [2]
    passed             everywhere               Bach et al. [3]: for relevance, not for gradients

All gates are the one kernel relu_backward(dout, x), dout where x > 0 and 0 elsewhere, and never a product: no -0.0 from
a negative dout, no NaN from 0 * inf. The rules of relevance for layers with weights stand in lrp_rules.py, for those
without in share_rules.py; composites.py puts them together for a net.

[1] Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 2.1
[2] Springenberg, Dosovitskiy, Brox & Riedmiller, Striving for Simplicity, ICLR workshop 2015, section 3.4
[3] Bach, Binder, Montavon, Klauschen, Mueller & Samek, On pixel-wise explanations for non-linear classifier decisions
    by layer-wise relevance propagation, PLoS ONE 10(7), 2015
"""

from ..kernels import current
from ..layers import ReLU


def relu_deconvnet(dout, cache):
    """dx = dout where dout > 0, else 0: the deconvnet rectifies what it sends down, whatever the ReLU's input was.

    dout, dx  any shape, the same
    """
    return current().relu_backward(dout, dout)


def relu_guided(dout, cache):
    """dx = dout where x > 0 and dout > 0, else 0: the gradient's gate and the deconvnet's, one after the other.

    dout, dx  any shape, that of cache.out, which is positive exactly where x is
    """
    return current().relu_backward(relu_deconvnet(dout, cache), cache.out)


def passed(dout, cache):
    """dx = dout: relevance goes through what acts on each number by itself unshared, for there is nobody to share with.

    For ReLUs, other activations and normalisations by a factor.

    dout, dx  any shape, the same
    """
    return dout


RULES = {
    "gradient": {},
    "deconvnet": {ReLU: relu_deconvnet},
    "guided_backprop": {ReLU: relu_guided},
}
"""The named sets, each as `net.backward(rules=...)` and `net.rules(...)` take it."""
