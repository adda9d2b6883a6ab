"""Relevance through a layer with weights: what each rule of layer-wise relevance propagation does there.

A rule is a backward function like a gradient, rule(dout, cache) -> dx; but dout is the relevance R_j of the layer's
outputs, and dx the part of it that each input gets. With c_ij = x_i * w_ij, what input i contributes to output j,

    z_j = sum over i of c_ij + b_j         P_j, N_j the sums of its positive and its negative terms: z = P + N

    rule             dx_i = sum over j of
    lrp_epsilon      c_ij * R_j / (z_j + epsilon * rms(z) * sign(z_j))                  sign(0) = 1           [1, 2]
    lrp_gamma        (c_ij + gamma * max(c_ij, 0)) * R_j / (z_j + gamma * P_j)          where z_j >= 0           [2]
                     (c_ij + gamma * min(c_ij, 0)) * R_j / (z_j + gamma * N_j)          where z_j < 0            [3]
    lrp_alpha_beta   (alpha * max(c_ij, 0) / P_j - (alpha - 1) * min(c_ij, 0) / N_j) * R_j                       [1]
    lrp_z_plus       max(c_ij, 0) * R_j / P_j                                           P without b              [4]
    lrp_flat         R_j / the number of inputs that j reads                                                     [5]
    lrp_z_box        (c_ij - low_i * max(w_ij, 0) - high_i * min(w_ij, 0)) * R_j / the sum of these over i       [4]
    excitation       max(x_i, 0) * max(w_ij, 0) * R_j / the sum of these over i                                  [6]

rms(z) is the root mean square of z over one image, so that epsilon has no unit. What b contributes is nobody's: that
share of R_j is lost (or added, where b works against z). Where a denominator is 0, nothing is sent.

Each works on the caches of Conv2d, Linear and ConvTranspose2d, which hold x, w and b, and on every backend: it is made
of the layer's own forward and backward. Parameters are bound with functools.partial(lrp_epsilon, epsilon=0.01).

dout    the shape of the layer's out
dx      the shape of x

[1] Bach et al., PLoS ONE 10(7), 2015, equations 58 and 60
[2] Montavon, Binder, Lapuschkin, Samek & Mueller, Layer-wise relevance propagation: an overview, in: Explainable AI,
    Springer 2019, section 10.2.1: for inputs >= 0 and, in effect, z_j >= 0; gamma and epsilon 0.25 as in its examples
[3] Andeol, Kawakami, Wada, Kanamori, Mueller & Montavon, Learning domain invariant representations by joint Wasserstein
    distance minimization, Neural Networks 167, 2023: gamma for any sign
[4] Montavon, Lapuschkin, Binder, Samek & Mueller, Explaining nonlinear classification decisions with deep Taylor
    decomposition, Pattern Recognition 65, 2017, sections 4.1 and 4.2
[5] Lapuschkin, Waeldchen, Binder, Montavon, Samek & Mueller, Unmasking Clever Hans predictors, Nature Communications
    10, 2019
[6] Zhang, Lin, Brandt, Shen & Sclaroff, Top-down neural attention by excitation backprop, ECCV 2016, equation 7
"""

from ...kernels import current
from ...layers import conv2d_backward, conv2d_forward, conv_transpose2d_backward, linear_backward, linear_forward
from ...layers.conv2d import Conv2dCache
from ...layers.conv_transpose2d import ConvTranspose2dCache
from ...layers.linear import LinearCache


def lrp_epsilon(dout, cache, epsilon=0.25):
    """Each input by its contribution; what is less than epsilon times the usual size is damped, and partly lost."""
    return cache.x * _backward(dout / stabilised(_forward(cache), epsilon), cache)


def lrp_gamma(dout, cache, gamma=0.25):
    """As epsilon, but contributions that pull the way the output went count 1 + gamma times."""
    xp = current().xp
    up, down = _sums(cache)
    upward = up + down >= 0
    share = ratio(dout, up + down + gamma * xp.where(upward, up, down))
    more = (1 + gamma) * share
    return _sent(xp.where(upward, more, share), xp.where(upward, share, more), cache)


def lrp_alpha_beta(dout, cache, alpha=2.0):
    """Positive contributions share alpha times the relevance, negative ones -beta times, beta = alpha - 1."""
    up, down = _sums(cache)
    return _sent(alpha * ratio(dout, up), (1 - alpha) * ratio(dout, down), cache)


def lrp_z_plus(dout, cache):
    """Positive contributions share the relevance; alpha 1, beta 0 without biases."""
    up, _ = _sums(cache._replace(b=None))
    return _sent(ratio(dout, up), None, cache)


def lrp_flat(dout, cache):
    """All inputs that an output reads get the same, whatever they and the weights are; padding gets nothing."""
    xp = current().xp
    ones = cache._replace(x=xp.ones_like(cache.x), w=xp.ones_like(cache.w), b=None)
    return _backward(ratio(dout, _forward(ones)), ones)


def lrp_z_box(dout, cache, low, high):
    """For inputs that lie between two bounds, as pixels do: each by how far it is from the bound that serves j least.

    low, high  what broadcasts to x's shape; all contributions are >= 0 where low <= x <= high
    """
    w_up, w_down = _signs(cache.w)
    above, below = cache._replace(x=cache.x - low, w=w_up, b=None), cache._replace(x=cache.x - high, w=w_down, b=None)
    share = ratio(dout, _forward(above) + _forward(below))
    return above.x * _backward(share, above) + below.x * _backward(share, below)


def excitation(dout, cache):
    """The probability that a winner among the inputs of a winning output is this one: excitatory connections alone.

    Of inputs < 0, which the paper rules out, nothing is said: they excite nothing.
    """
    excited = cache._replace(x=_signs(cache.x)[0], w=_signs(cache.w)[0], b=None)
    return excited.x * _backward(ratio(dout, _forward(excited)), excited)


def stabilised(z, epsilon):
    """z moved away from 0 by epsilon times its root mean square over the image; 1 where all of it is 0.

    z, out  (N, ...)
    """
    xp = current().xp
    rms = xp.mean(z * z, axis=tuple(range(1, z.ndim)), dtype="float64", keepdims=True) ** 0.5
    step = (epsilon * rms).astype(z.dtype)
    moved = xp.where(z < 0, z - step, z + step)
    return xp.where(moved == 0, z.dtype.type(1), moved)


def ratio(dout, below):
    """dout / below, and 0 where below is 0."""
    xp = current().xp
    return xp.where(below == 0, below.dtype.type(0), dout / xp.where(below == 0, below.dtype.type(1), below))


def _sums(cache):
    """(P, N), each of out's shape."""
    (x_up, x_down), (w_up, w_down) = _signs(cache.x), _signs(cache.w)
    b_up, b_down = (None, None) if cache.b is None else _signs(cache.b)
    up = _forward(cache._replace(x=x_up, w=w_up, b=b_up))
    down = _forward(cache._replace(x=x_up, w=w_down, b=b_down))
    if x_down.any():
        up = up + _forward(cache._replace(x=x_down, w=w_down, b=None))
        down = down + _forward(cache._replace(x=x_down, w=w_up, b=None))
    return up, down


def _sent(up, down, cache):
    """dx_i = sum over j of max(c_ij, 0) * up_j + min(c_ij, 0) * down_j; None stands for zeros."""
    dx = 0
    (x_up, x_down), (w_up, w_down) = _signs(cache.x), _signs(cache.w)
    for share, for_x_up, for_x_down in ((up, w_up, w_down), (down, w_down, w_up)):
        if share is None:
            continue
        dx = dx + x_up * _backward(share, cache._replace(w=for_x_up))
        if x_down.any():
            dx = dx + x_down * _backward(share, cache._replace(w=for_x_down))
    return dx


def _signs(a):
    """(max(a, 0), min(a, 0))."""
    xp = current().xp
    return xp.maximum(a, 0), xp.minimum(a, 0)


def _forward(cache):
    """The layer's out once more, with what the cache now holds as x, w and b."""
    return _OPERATIONS[type(cache)][0](cache)


def _backward(dout, cache):
    """The layer's true gradient, with what the cache now holds as w."""
    return _OPERATIONS[type(cache)][1](dout, cache)


def _transposed(cache):
    reached, added, window = cache.geometry
    out = current().conv2d_backward_input(cache.x, cache.w, reached, *window)
    out = current().xp.pad(out, ((0, 0), (0, 0), (0, added[0]), (0, added[1])))
    return out if cache.b is None else out + cache.b.reshape(-1, 1, 1)


# The fields of these two caches are the arguments of their layers' forward.
_OPERATIONS = {
    Conv2dCache: (lambda cache: conv2d_forward(*cache)[0], conv2d_backward),
    LinearCache: (lambda cache: linear_forward(*cache)[0], linear_backward),
    ConvTranspose2dCache: (_transposed, conv_transpose2d_backward),
}
