"""What every optimiser is: arrays that it keeps for each parameter, and one way of walking over all of them."""

from operator import index

import numpy as np

from ..errors import MinicnnError, UnknownNameError
from ..kernels.errors import ShapeError
from ..kernels.shapes import check_float, check_same, show
from ..layers.checks import check_number

_BLOCK = 65_536  # bytes: what is computed in between stays in the cache, and in memory that is not given back


class Optimiser:
    """Moves a net's parameters against their gradients, in place.

        optimiser = Momentum(decay=5e-4, undecayed=biases_and_norms, factors={"fc8.": 10})
        optimiser.step(net.state_dict(), grads, rate)        grads of net.backward, rate of a schedule

    decay      the weight decay: each rule says where its decay * w goes; it is never part of dw
    undecayed  the parameters without decay: one or several of
                   "fc8."       the keys that begin so ("fc8." is that node alone, "fc8" is fc80's too)
                   callable     a predicate of the key and the parameter, as `biases_and_norms`
    factors    {one of these: factor}: the rate's factor for those parameters, the product where several apply; where
               it is 0 a parameter is left as it is, also by the decay

    A subclass names in `arrays` what it keeps for each parameter, and gives `update`. Nothing is kept before a
    parameter's first gradient comes; then all are zeros.
    """

    arrays = ()

    def __init__(self, decay=0.0, undecayed=(), factors=None):
        check_number("decay", decay, lambda v: 0 <= v < float("inf"), "a number >= 0")
        self.decay = float(decay)
        self.undecayed = tuple(undecayed) if isinstance(undecayed, (tuple, list)) else (undecayed,)
        self.factors = dict(factors or {})
        for which, factor in self.factors.items():
            check_number(f"factors[{which!r}]", factor, lambda v: 0 <= v < float("inf"), "a number >= 0")
        for which in (*self.undecayed, *self.factors):
            if not isinstance(which, str) and not callable(which):
                raise MinicnnError(f"parameters are chosen by the beginning of a key or a predicate, not {which!r}")
        self.state = {}  # {key: {name in arrays: array}}
        self.steps = {}  # {key: how many gradients it has had}

    def update(self, w, dw, kept, rate, decay, steps):
        """Change w and what is kept, in place, by the rule.

        w, dw   blocks of a parameter and its gradient
        kept    the same block of each of `arrays`
        steps   how many gradients the parameter has had, this one included
        """
        raise NotImplementedError

    def step(self, params, grads, rate):
        """Every parameter that has a gradient moves; the others stay, and so do buffers, which never have one.

        params  {key: array}, the net's own arrays, as of net.state_dict()
        grads   {key: array}, as of net.backward, of the parameters' shapes and dtypes
        rate    the learning rate, >= 0
        Raises UnknownNameError for a gradient of nothing and for a choice of keys that chooses none, MinicnnError for
        a read-only parameter, ShapeError, DTypeError; then nothing has changed.
        """
        check_number("rate", rate, lambda v: 0 <= v < float("inf"), "a number >= 0")
        for which in (*self.undecayed, *self.factors):
            if isinstance(which, str) and not any(_chosen(which, key, w) for key, w in params.items()):
                raise UnknownNameError("parameter whose key begins with", which, params)
        factors = {key: self._factor(key, params) for key in grads}
        moving = [key for key in grads if factors[key] != 0]
        for key in moving:
            self._check(key, params[key], grads[key])
        for key in moving:
            self._move(key, params[key], grads[key], float(rate * factors[key]))

    def _factor(self, key, params):
        if key not in params:
            raise UnknownNameError("parameter for the gradient", key, params)
        product = 1.0
        for which, factor in self.factors.items():
            if _chosen(which, key, params[key]):
                product *= factor
        return product

    def _check(self, key, w, dw):
        check_same(f"{key}: the gradient", getattr(dw, "shape", ()), "the parameter", w.shape)
        check_float(parameter=w, gradient=dw)
        if not getattr(w.flags, "writeable", True):
            raise MinicnnError(
                f"{key} is read-only: a frozen net cannot be trained, one read from a file only after "
                "net.load_state_dict(net.state_dict()), which copies; a rate factor of 0 leaves a parameter as it is"
            )
        for name, kept in self.state.get(key, {}).items():
            if (kept.shape, kept.dtype) != (w.shape, w.dtype):
                raise ShapeError(
                    f"{key}: the {name} kept for it is {show(kept.shape)} {kept.dtype}, "
                    f"the parameter {show(w.shape)} {w.dtype}"
                )

    def _move(self, key, w, dw, rate):
        if key not in self.state:
            self.state[key] = {name: np.zeros_like(w) for name in self.arrays}
            self.steps[key] = 0
        self.steps[key] += 1
        decay = 0.0 if any(_chosen(which, key, w) for which in self.undecayed) else self.decay
        # Block by block: what a rule computes in between is never as large as the parameter. The rows of an array are
        # views of it, whatever its order in memory. A card computes in its memory: the fewer blocks the better.
        w, dw, *kept = (a.reshape(1) if a.ndim == 0 else a for a in (w, dw, *self.state[key].values()))
        rows = max(1, _BLOCK * len(w) // max(1, w.nbytes) if isinstance(w, np.ndarray) else len(w))
        for i in range(0, len(w), rows):
            part = slice(i, i + rows)
            self.update(w[part], dw[part], [a[part] for a in kept], rate, decay, self.steps[key])

    def state_dict(self):
        """{"velocity:conv1.w": array, "steps:conv1.w": int, ...}: the optimiser's own arrays, not copies."""
        kept = {f"{name}:{key}": a for key, arrays in self.state.items() for name, a in arrays.items()}
        return {**kept, **{f"steps:{key}": n for key, n in self.steps.items()}}

    def load_state_dict(self, state):
        """Copy in what `state_dict` gave, bit for bit; whether it fits the parameters is checked by the next step.

        Raises MinicnnError for another optimiser's state or half of one; the optimiser is then as it was.
        """
        found = {}
        for name, value in state.items():
            kept, _, key = name.partition(":")  # no node's name holds a colon
            found.setdefault(key, {})[kept] = value
        for key, values in found.items():
            if values.keys() != {"steps", *self.arrays}:
                raise MinicnnError(
                    f"{type(self).__name__} keeps {', '.join(('steps', *self.arrays))} for a parameter, "
                    f"the state has {', '.join(values)} for {key!r}"
                )
            for name in self.arrays:
                check_float(**{f"{name}:{key}": values[name]})
        steps = {key: _count(key, values["steps"]) for key, values in found.items()}
        self.state = {key: {name: values[name].copy() for name in self.arrays} for key, values in found.items()}
        self.steps = steps


def biases_and_norms(key, w):
    """True of all but the weights of convolutions (4 dimensions) and of fully connected layers (2).

    What has one number a channel gains nothing from decay: Goyal et al., arXiv 1706.02677, section 5.1 (batch norm);
    He et al., ICCV 2015, section 2.1 (PReLU, which decay would turn into ReLU).
    """
    return w.ndim not in (2, 4)


def _count(key, steps):
    try:
        if index(steps) >= 1:
            return index(steps)
    except TypeError:
        pass
    raise MinicnnError(f"steps:{key} must be an int >= 1, not {steps!r}")


def _chosen(which, key, w):
    return which(key, w) if callable(which) else key.startswith(which)
