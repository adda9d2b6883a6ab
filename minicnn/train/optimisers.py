"""The rules by which a gradient moves a parameter: one class each, one formula each.

t counts a parameter's gradients from 1. `decay` is called weight decay in the papers; where a formula has g, it is

    g = dw + decay * w

the gradient of loss + decay/2 * |w|^2. What all of them share stands in optimiser.py; the rates in schedules.py.
"""

import numpy as np

from ..layers.checks import check_number
from .optimiser import Optimiser


class SGD(Optimiser):
    """Plain gradient descent on the loss of a batch.

        w <- w - rate * g

    Robbins & Monro, Annals of Mathematical Statistics 1951
    """

    def update(self, w, dw, kept, rate, decay, steps):
        w -= rate * _decayed(dw, w, decay)


class Momentum(Optimiser):
    """A velocity that remembers: directions in which gradients agree gain speed, the others cancel.

        v <- momentum * v - rate * g,  w <- w + v

    momentum 0.9 and decay 5e-4 are AlexNet's [1]. The rate stands inside v, as in [1] and [2]: after a drop of the
    rate v still runs out at the old speed. PyTorch's SGD multiplies by the rate afterwards, which is the same as long
    as the rate stays.

    [1] Krizhevsky et al., NeurIPS 2012, section 5
    [2] Sutskever et al., ICML 2013, equations 1 and 2
    """

    arrays = ("velocity",)

    def __init__(self, momentum=0.9, decay=5e-4, undecayed=(), factors=None):
        super().__init__(decay, undecayed, factors)
        self.momentum = _fraction("momentum", momentum)

    def update(self, w, dw, kept, rate, decay, steps):
        (v,) = kept
        v *= self.momentum
        v -= rate * _decayed(dw, w, decay)
        w += v


class Nesterov(Momentum):
    """Momentum whose gradient is taken where the velocity is about to lead.

        v <- momentum * v - rate * g,  w <- w + momentum * v - rate * g

    In [1] (equations 3 and 4) the gradient is asked for at w + momentum * v. Here w itself is that place, the next
    one at every moment, so that a step needs nothing but the gradient at w: the form of [2] and of PyTorch's SGD with
    nesterov=True. What is said of the rate at Momentum holds here too. Defaults: Momentum's.

    [1] Sutskever et al., ICML 2013    [2] Bengio et al., ICASSP 2013, section 3.5
    """

    def update(self, w, dw, kept, rate, decay, steps):
        (v,) = kept
        moved = rate * _decayed(dw, w, decay)
        v *= self.momentum
        v -= moved
        w += self.momentum * v - moved


class RMSProp(Optimiser):
    """Each number's rate divided by the size that its gradients have had lately.

        s <- rho * s + (1 - rho) * g^2,  w <- w - rate * g / (sqrt(s) + eps)

    rho 0.9 is the lecture's [1]; eps, which the lecture leaves out, PyTorch's.

    [1] Tieleman & Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012
    """

    arrays = ("square",)

    def __init__(self, rho=0.9, eps=1e-8, decay=0.0, undecayed=(), factors=None):
        super().__init__(decay, undecayed, factors)
        self.rho, self.eps = _fraction("rho", rho), _positive("eps", eps)

    def update(self, w, dw, kept, rate, decay, steps):
        (s,) = kept
        g = _decayed(dw, w, decay)
        _average(s, g * g, self.rho)
        w -= rate * g / (np.sqrt(s) + self.eps)


class Adam(Optimiser):
    """Momentum over RMSProp, both averages corrected for having begun at zero.

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g^2
        w <- w - rate * (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)

    beta1 0.9, beta2 0.999, eps 1e-8: [1], algorithm 1, with rate 0.001.

    [1] Kingma & Ba, ICLR 2015
    """

    arrays = ("mean", "square")

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0, undecayed=(), factors=None):
        super().__init__(decay, undecayed, factors)
        self.beta1, self.beta2 = _fraction("beta1", beta1), _fraction("beta2", beta2)
        self.eps = _positive("eps", eps)

    def update(self, w, dw, kept, rate, decay, steps):
        m, s = kept
        g = _decayed(dw, w, decay)
        _average(m, g, self.beta1)
        _average(s, g * g, self.beta2)
        # Both corrections are numbers: taken out of the arrays' formula they cost nothing.
        root = (1 - self.beta2**steps) ** 0.5
        w -= rate / (1 - self.beta1**steps) * m / (np.sqrt(s) / root + self.eps)


class AdamW(Adam):
    """Adam whose decay is not scaled by the gradients' size.

        w <- (1 - rate * decay) * w,  then Adam's step with g = dw

    In Adam decay * w is divided by sqrt(s) like any gradient, so that what has large gradients hardly decays. The
    decay is multiplied by the rate, as the schedule gives it, as in PyTorch; [1] (algorithm 2) multiplies by the
    schedule's part alone. decay 0.01 is PyTorch's, the others Adam's.

    [1] Loshchilov & Hutter, ICLR 2019
    """

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01, undecayed=(), factors=None):
        super().__init__(beta1, beta2, eps, decay, undecayed, factors)

    def update(self, w, dw, kept, rate, decay, steps):
        w *= 1 - rate * decay
        super().update(w, dw, kept, rate, 0.0, steps)


def _decayed(dw, w, decay):
    return dw + decay * w if decay else dw


def _average(kept, new, share):
    """kept <- share * kept + (1 - share) * new, in place."""
    kept *= share
    kept += (1 - share) * new


def _fraction(name, value):
    check_number(name, value, lambda v: 0 <= v < 1, "a number in [0, 1)")
    return float(value)


def _positive(name, value):
    check_number(name, value, lambda v: 0 < v < float("inf"), "a number above 0")
    return float(value)
