"""Random arguments for every kernel of the contract: odd shapes, strange windows, any memory layout, both dtypes."""

import numpy as np
from hypothesis import strategies as st

import naive

SPECIAL = np.array([-np.inf] * 4 + [np.nan, -0.0, 0.0, 1.0, 1.0, 2.0, np.inf])


class Arrays:
    """Draws the arrays of one case: normal numbers, or many ties and special values, in one of several layouts."""

    def __init__(self, draw, special=False):
        self._draw = draw
        self._rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self._dtype = draw(st.sampled_from([np.float32, np.float64]))
        self._special = special and draw(st.booleans())

    def __call__(self, *shape):
        values = self._rng.choice(SPECIAL, shape) if self._special else self._rng.standard_normal(shape)
        return self.lay_out(values.astype(self._dtype))

    def doubles(self, *shape):
        """Positive float64 numbers, whatever the dtype of the others."""
        return self.lay_out(self._rng.uniform(0.5, 2, shape))

    def lay_out(self, array):
        layout = self._draw(st.sampled_from(["C", "C", "Fortran", "strided", "reversed", "apart"]))
        if layout == "Fortran":
            return np.asfortranarray(array)
        if layout == "strided":
            wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 7, array.dtype)
            wide[..., ::2] = array
            return wide[..., ::2]
        if layout == "reversed":
            return np.ascontiguousarray(array[::-1])[::-1]
        if layout == "apart" and array.ndim > 1:  # some channels of an array that has more
            wide = np.full((len(array), array.shape[1] + 2, *array.shape[2:]), 7, array.dtype)
            wide[:, 1:-1] = array
            return wide[:, 1:-1]
        return array


@st.composite
def windows(draw, dilated=True):
    """(hw, kernel, stride, pad, dilation) of which at least one window fits; windows of padding alone do occur."""
    sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel = draw(sizes)
    dilation = draw(sizes) if dilated else (1, 1)
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pad = draw(st.tuples(*[st.sampled_from([1, 0, 0, 2, 3])] * 4))
    hw = []
    for a in (0, 1):
        reach = (kernel[a] - 1) * dilation[a] + 1
        smallest = max(1, reach - pad[2 * a] - pad[2 * a + 1])
        hw.append(smallest + draw(st.integers(0, 4)))
    return tuple(hw), kernel, stride, pad, dilation


batches = st.sampled_from([1, 2, 3, 1, 2, 3, 0])
channels = st.integers(1, 3)


@st.composite
def im2col(draw):
    arrays = Arrays(draw, special=True)
    hw, *geometry = draw(windows())
    return arrays(draw(batches), draw(channels), *hw), *geometry


@st.composite
def col2im(draw):
    arrays = Arrays(draw)
    hw, *geometry = draw(windows())
    x_shape = (draw(batches), draw(channels), *hw)
    cols = naive.im2col(np.zeros(x_shape), *geometry)
    return arrays(*cols.shape), x_shape, *geometry


@st.composite
def matmul(draw):
    arrays = Arrays(draw)
    M, K, N = draw(st.tuples(*[st.integers(0, 6)] * 3))
    return arrays(M, K), arrays(K, N)


@st.composite
def conv2d(draw):
    """(x, w, b, dout, geometry and groups)."""
    arrays = Arrays(draw)
    if draw(st.integers(0, 3)) == 0:  # the shapes for which a backend may have a short cut
        hw, *geometry = draw(st.tuples(channels, channels)), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1)
    else:
        hw, *geometry = draw(windows())
    kernel, stride, pad, dilation = geometry
    groups, CG = draw(channels), draw(st.integers(1, 2))
    F = groups * draw(st.integers(1, 2))
    x = arrays(draw(batches), groups * CG, *hw)
    rows, columns = naive.window_starts(hw, *geometry)
    w, dout = arrays(F, CG, *kernel), arrays(x.shape[0], F, len(rows), len(columns))
    b = arrays(F) if draw(st.booleans()) else None
    return x, w, b, dout, (stride, pad, dilation, groups)


@st.composite
def conv2d_3x3(draw):
    """The same, of 3x3 windows of stride 1 in one group: those that Winograd's transforms are for."""
    arrays = Arrays(draw)
    N, C, F = draw(batches), draw(channels), draw(channels)
    pad = draw(st.tuples(*[st.sampled_from([1, 0, 2])] * 4))
    H, W = (draw(st.integers(max(1, 3 - pad[a] - pad[a + 1]), 6)) for a in (0, 2))
    x, w = arrays(N, C, H, W), arrays(F, C, 3, 3)
    b = arrays(F) if draw(st.booleans()) else None
    dout = arrays(N, F, H + pad[0] + pad[1] - 2, W + pad[2] + pad[3] - 2)
    return x, w, b, dout, ((1, 1), pad, (1, 1), 1)


def conv2d_forward():
    return conv2d().map(lambda case: (*case[:3], *case[4]))


def conv2d_backward_input():
    return conv2d().map(lambda case: (case[3], case[1], case[0].shape, *case[4]))


def conv2d_backward_weight():
    return conv2d().map(lambda case: (case[3], case[0], case[1].shape, *case[4]))


@st.composite
def relu_forward(draw):
    return (Arrays(draw, special=True)(*draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))),)


@st.composite
def relu_backward(draw):
    arrays = Arrays(draw, special=True)
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    return arrays(*shape), arrays(*shape)


shapes = st.lists(st.integers(0, 4), min_size=2, max_size=4)


@st.composite
def add(draw):
    arrays = Arrays(draw, special=True)
    a = arrays(*draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    return a, arrays.lay_out(np.arange(a.size, dtype=a.dtype).reshape(a.shape))


@st.composite
def concat(draw):
    arrays = Arrays(draw, special=True)
    N, _, *rest = draw(shapes)
    return ([arrays(N, C, *rest) for C in draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))],)


@st.composite
def batch_norm(draw, smallest=0):
    """(arrays, x, mean, inverse_std, w)."""
    arrays = Arrays(draw)
    x = arrays(*draw(st.lists(st.integers(smallest, 4), min_size=2, max_size=4)))
    C = x.shape[1]
    return arrays, x, arrays.doubles(C), arrays.doubles(C), arrays(C)


def batch_norm_statistics():
    return batch_norm(smallest=1).map(lambda case: (case[1],))


def batch_norm_forward():
    return batch_norm().map(lambda case: (*case[1:], case[0](*case[4].shape)))


def batch_norm_backward_params():
    return batch_norm().map(lambda case: (case[0](*case[1].shape), *case[1:4]))


@st.composite
def batch_norm_backward_input(draw):
    arrays, x, *rest = draw(batch_norm())
    sums = (arrays.doubles(x.shape[1]), arrays.doubles(x.shape[1])) if draw(st.booleans()) else None
    return arrays(*x.shape), x, *rest, sums


@st.composite
def softmax_forward(draw):
    return (Arrays(draw)(*draw(shapes)),)


@st.composite
def softmax_backward(draw):
    arrays = Arrays(draw)
    out = naive.softmax_forward(arrays(*draw(shapes)))
    return arrays(*out.shape), arrays.lay_out(out)


@st.composite
def max_pool2d_forward(draw):
    arrays = Arrays(draw, special=True)
    hw, *geometry = draw(windows())
    return arrays(draw(batches), draw(channels), *hw), *geometry, draw(st.booleans())


@st.composite
def max_pool2d_backward(draw):
    arrays = Arrays(draw)
    hw, *geometry = draw(windows())
    x = arrays(draw(batches), draw(channels), *hw)
    _, argmax = naive.max_pool2d_forward(x, *geometry, draw(st.booleans()))
    return arrays(*argmax.shape), arrays.lay_out(argmax), x.shape, *geometry


@st.composite
def avg_pool2d_forward(draw):
    arrays = Arrays(draw)
    hw, *geometry, _ = draw(windows(dilated=False))
    return arrays(draw(batches), draw(channels), *hw), *geometry, draw(st.booleans()), draw(st.booleans())


@st.composite
def avg_pool2d_backward(draw):
    arrays = Arrays(draw)
    hw, *geometry, dilation = draw(windows(dilated=False))
    rows, columns = naive.window_starts(hw, *geometry, dilation, draw(st.booleans()))
    N, C = draw(batches), draw(channels)
    return arrays(N, C, len(rows), len(columns)), (N, C, *hw), *geometry, draw(st.booleans())


@st.composite
def lrn(draw):
    """(arrays, x, size, alpha, beta, k)."""
    arrays = Arrays(draw)
    x = arrays(draw(batches), draw(st.integers(1, 6)), draw(channels), draw(channels))
    size = draw(st.integers(1, 5))
    return arrays, x, size, draw(st.floats(1e-4, 2)), draw(st.floats(0.5, 1)), draw(st.floats(1, 2))


def lrn_forward():
    return lrn().map(lambda case: case[1:])


@st.composite
def lrn_backward(draw):
    arrays, x, size, alpha, beta, k = draw(lrn())
    _, scale = naive.lrn_forward(x, size, alpha, beta, k)
    return arrays(*x.shape), x, scale, size, alpha, beta


CASES = {
    strategy.__name__: strategy()
    for strategy in (
        im2col,
        col2im,
        matmul,
        conv2d_forward,
        conv2d_backward_input,
        conv2d_backward_weight,
        relu_forward,
        relu_backward,
        max_pool2d_forward,
        max_pool2d_backward,
        avg_pool2d_forward,
        avg_pool2d_backward,
        lrn_forward,
        lrn_backward,
        add,
        concat,
        batch_norm_statistics,
        batch_norm_forward,
        batch_norm_backward_params,
        batch_norm_backward_input,
        softmax_forward,
        softmax_backward,
    )
}

# Of rungs that take few of the operation's cases.
_FORWARD_3X3 = conv2d_3x3().map(lambda case: (*case[:3], *case[4]))
_BACKWARD_INPUT_3X3 = conv2d_3x3().map(lambda case: (case[3], case[1], case[0].shape, *case[4]))
OWN_CASES = {
    (operation, rung): cases
    for operation, cases in (("conv2d_forward", _FORWARD_3X3), ("conv2d_backward_input", _BACKWARD_INPUT_3X3))
    for rung in ("winograd", "winograd_vectors")
}
