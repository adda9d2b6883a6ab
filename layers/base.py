"""What a layer is."""

import copy
import inspect

import numpy as np

from ..kernels.errors import MinicnnError


class Layer:
    """One operation: forward and backward side by side, each a plain function of its arguments.

        out, cache = layer.forward(x)              cache: a NamedTuple of exactly what backward reads
        dx, grads  = layer.backward(dout, cache)   grads {"w": dw, "b": db}, or {}

    The cache is returned, never stored here, so one layer can run many times, in many threads. A subclass gives

        forward(*xs)                        (out, cache)
        backward_input(dout, cache)         dx, or a tuple of them, one an input: the true gradient, the default rule
        backward_params(dout, cache)        {name: gradient}, for a layer with parameters
        out_shape(*shapes), macs(*shapes)   without computing; macs counts multiply-adds
        param_shapes, buffer_shapes         {name: shape}; buffers are arrays that no gradient reaches

    Parameters do not exist before `init` draws them or a file is loaded; to use the layer earlier is an error.
    """

    param_shapes = {}
    buffer_shapes = {}
    # Whether forward takes train= and rng=, because it computes something else in training.
    has_modes = False

    def __new__(cls, *args, **kwargs):
        layer = super().__new__(cls)
        layer._arguments = args, kwargs
        return layer

    def __init__(self):
        self.params = {}
        self.buffers = {}

    @property
    def config(self):
        """{argument: value} of the constructor's call, so that `type(layer)(**layer.config)` is such a layer again.

        Arguments are numbers, strings, None and tuples of them: what a file can hold.
        """
        args, kwargs = self._arguments
        return dict(inspect.signature(type(self)).bind(*args, **kwargs).arguments)

    def backward(self, dout, cache):
        """(dx, grads): both gradients."""
        return self.backward_input(dout, cache), self.backward_params(dout, cache)

    def backward_params(self, dout, cache):
        return {}

    def macs(self, *shapes):
        return 0

    def init(self, seed=0):
        """Draw the parameters; seed: an int or a np.random.Generator. Returns the layer."""
        rng = np.random.default_rng(seed)
        self.params = {name: self.draw(name, shape, rng) for name, shape in self.param_shapes.items()}
        self.buffers = {name: self.draw(name, shape, rng) for name, shape in self.buffer_shapes.items()}
        return self

    def draw(self, name, shape, rng):
        """The first value of one parameter: He's normal for weights, zero for biases.

            w ~ N(0, 2 / fan_in),  fan_in = the product of all dimensions but the first

        He et al., ICCV 2015, equation 10
        """
        if name != "w":
            return np.zeros(shape, np.float32)
        fan_in = int(np.prod(shape[1:]))
        return rng.standard_normal(shape, dtype=np.float32) * np.float32((2 / fan_in) ** 0.5)

    def astype(self, dtype):
        """A copy of the layer whose parameters and buffers have another dtype."""
        other = copy.copy(self)
        other.params = {name: a.astype(dtype) for name, a in self.params.items()}
        other.buffers = {name: a.astype(dtype) for name, a in self.buffers.items()}
        return other

    def array(self, name):
        """The parameter or buffer `name`; raises MinicnnError where it was neither drawn nor loaded."""
        found = self.params.get(name)
        if found is None:
            found = self.buffers.get(name)
        if found is None:
            raise MinicnnError(f"{self} has no {name} yet: call init(seed) or load_state_dict first")
        return found

    def __repr__(self):
        return f"{type(self).__name__}({self.describe()})"

    def describe(self):
        """The hyperparameters, as the constructor takes them."""
        return ""
