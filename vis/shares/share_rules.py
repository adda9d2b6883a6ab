"""Relevance through layers without weights, and max pooling's gradient smoothed.

dout is the relevance R that arrives, dx the part of it that each input gets, as in lrp_rules.py. What these layers keep
for backward does not hold their inputs: a rule here also takes xs, the layer's inputs, and the layer, and is bound to
them, for one tape, with functools.partial; composites.py does so.

    lrp_average       dx_i = sum over j of  x_i * a_ij / z_j * R_j      z_j = sum over i of a_ij * x_i, the average
    lrp_add           dx_k = x_k / (x_0 + x_1 + ...) * R                the inputs of an addition or a subtraction
    lrp_batch_norm    dx = |s * x| / (|s * x| + |t|) * R                out = s * x + t
    lrp_factor        dx = R for the input that depends on the image, a product's other inputs being constants
    lrp_smooth_pool   dx_i = sum over j of  x_i^2 / (sum of x^2 over j's window) * R_j
    smooth_max_pool   the gradient of  mean(x^2) / (1/100 + mean(|x|))  over the window: a maximum that is smooth

lrp_average and lrp_add move z away from 0 by 1e-9 of its root mean square, so that what cancels out does not explode.
With positive=True x counts where x > 0 alone: the shares of excitation backprop, which are never negative.

A max pool's own gradient gives all to its largest input, however close the next one comes: winner takes all. The
smooth maximum is a mean of the window in which each value has its own size as its weight [1]; so the window shares, the
most to the largest. lrp_smooth_pool gives each value what it contributes to that mean.

[1] Olah, Satyanarayan, Johnson, Carter, Schubert, Ye & Mordvintsev, The building blocks of interpretability, Distill
    2018, attribution in their notebooks (Lucid): the 1/100 is theirs; its unit is that of the activations
[2] The rule for batch norms is Hui and Binder's, BatchNorm decomposition for deep neural network interpretation, IWANN
    2019; the others' principle is that of lrp_rules.py
"""

from ...kernels import current
from ...kernels.shapes import conv_output
from ...layers import Subtract, avg_pool2d_backward, avg_pool2d_forward
from ...layers.broadcast import sum_to
from .lrp_rules import ratio, stabilised

_TINY = 1e-9


def lrp_average(dout, cache, xs, layer, positive=False):
    """Each value by its share of the average.

    xs       the one input
    layer    an AvgPool2d, GlobalAvgPool or Mean
    """
    x = _counted(xs[0], positive)
    return x * layer.backward_input(dout / stabilised(layer.forward(x)[0], _TINY), cache)


def lrp_add(dout, cache, xs, layer, positive=False):
    """Each summand by its share of the sum; a tuple.

    xs       the inputs, which may broadcast
    layer    an Add or a Subtract
    """
    terms = [xs[0], -xs[1]] if isinstance(layer, Subtract) else xs
    terms = [_counted(x, positive) for x in terms]
    share = dout / stabilised(sum(terms[1:], terms[0]), _TINY)
    return tuple(sum_to(x * share, x.shape) for x in terms)


def lrp_batch_norm(dout, cache, xs, layer):
    """What the shift t contributes is lost; sizes are compared, because s * x and t often cancel out nearly.

    cache    of a batch norm in evaluation
    """
    axes = (-1, *[1] * (cache.x.ndim - 2))
    s = cache.w * cache.inverse_std
    t = layer.array("b") - s * cache.mean
    scaled, shift = abs(cache.x * s.reshape(axes).astype(dout.dtype)), abs(t).reshape(axes).astype(dout.dtype)
    return dout * ratio(scaled, scaled + shift)


def lrp_factor(dout, cache, xs, layer, taker):
    """All to one input of a product or quotient, as through an activation; a tuple.

    taker    its number
    """
    zeros = current().xp.zeros_like
    return tuple(sum_to(dout if k == taker else zeros(dout), x.shape) for k, x in enumerate(xs))


def lrp_smooth_pool(dout, cache, xs, layer):
    """Each value of a window by its share of the sum of squares.

    cache    of a MaxPool2d or a GlobalMaxPool
    """
    squares = xs[0] * xs[0]
    mean, window = _window_mean(squares, cache)
    return squares * avg_pool2d_backward(ratio(dout, mean), window)


def smooth_max_pool(dout, cache, xs, layer, least=0.01):
    """The gradient of the smooth maximum, where a max pool stands.

        out = q / (least + m),   q = mean(x^2), m = mean(|x|):   dx = (2 x - sign(x) * out) / (least + m) * dout / area

    cache    of a MaxPool2d or a GlobalMaxPool
    least    what keeps the denominator from 0, in units of the activations
    """
    x = xs[0]
    (squares, window), (sizes, _) = _window_mean(x * x, cache), _window_mean(abs(x), cache)
    up = dout / (sizes + least)
    below = avg_pool2d_backward(up * squares / (sizes + least), window)
    return 2 * x * avg_pool2d_backward(up, window) - current().xp.sign(x) * below


def _counted(x, positive):
    return current().xp.maximum(x, 0) if positive else x


def _window_mean(x, cache):
    """(mean of x over each of the max pool's windows, cache of an average pool): padding is left out."""
    sides = zip(cache.x_shape[2:], cache.kernel, cache.stride, cache.pad[::2], cache.pad[1::2], cache.dilation)
    ceil_mode = tuple(conv_output(*side) for side in sides) != cache.argmax.shape[2:]
    return avg_pool2d_forward(x, cache.kernel, cache.stride, cache.pad, ceil_mode, False, cache.dilation)
