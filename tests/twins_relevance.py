"""The rules of relevance once more, slowly: from the papers' formulas, one output and one input at a time.

A layer is here a list of connections (j, i, w): output j reads input i with weight w; j and i are indices that begin
with the image's number. A rule says how one output shares its relevance R out:

    rule(x, w, b, R, rms) -> [the share of each input]        x, w lists, alike; rms of the outputs of this image
"""

from collections import defaultdict

import numpy as np

import naive


def conv2d_connections(x_shape, w, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    return [(j, i, w[k]) for j, k, i in naive.conv2d_products(x_shape, w.shape, stride, pad, dilation, groups)]


def transposed_connections(x_shape, w, out_shape, stride, pad, dilation, groups):
    """A transposed convolution reads where a convolution from its output to its input would write."""
    return [(i, j, w[k]) for j, k, i in naive.conv2d_products(out_shape, w.shape, stride, pad, dilation, groups)]


def linear_connections(N, w):
    return [((n, f), (n, d), w[f, d]) for n in range(N) for f, d in np.ndindex(*w.shape)]


def average_connections(x_shape, kernel, stride, pad, ceil_mode, count_include_pad):
    N, C, H, W = x_shape
    rows, columns = naive.window_starts((H, W), kernel, stride, pad, (1, 1), ceil_mode)
    found = []
    for n, c, oy, ox in np.ndindex(N, C, len(rows), len(columns)):
        area = naive.avg_pool_area(rows[oy], columns[ox], kernel, pad, (H, W), count_include_pad)
        for _, y, xx in naive.real_cells(rows[oy], columns[ox], kernel, (1, 1), (H, W)):
            found.append(((n, c, oy, ox), (n, c, y, xx), 1 / area))
    return found


def shared(rule, R, x, connections, b=None):
    """dx of the rule, in x's shape; b one number an output channel, or None."""
    reads = defaultdict(list)
    for j, i, w in connections:
        reads[j].append((i, float(x[i]), float(w)))
    bias = {j: 0.0 if b is None else float(b[j[1]]) for j in np.ndindex(*R.shape)}
    z = {j: sum(xi * w for _, xi, w in reads[j]) + bias[j] for j in bias}
    count = R[0].size
    rms = [sum(z[j] ** 2 / count for j in z if j[0] == n) ** 0.5 for n in range(len(R))]
    dx = np.zeros(x.shape)
    for j, terms in reads.items():
        inputs, values, weights = zip(*terms)
        for i, part in zip(inputs, rule(values, weights, bias[j], float(R[j]), rms[j[0]])):
            dx[i] += part
    return dx


def epsilon(size):
    def rule(x, w, b, R, rms):
        z = sum(xi * wi for xi, wi in zip(x, w)) + b
        z += size * rms if z >= 0 else -size * rms
        return [xi * wi / z * R for xi, wi in zip(x, w)]

    return rule


def gamma(size):
    def rule(x, w, b, R, rms):
        terms = [xi * wi for xi, wi in zip(x, w)]
        sign = 1 if sum(terms) + b >= 0 else -1
        # The bias is one more input that is 1.
        favoured = [c + size * c if c * sign > 0 else c for c in [*terms, b]]
        return [c / sum(favoured) * R for c in favoured[:-1]]

    return rule


def gamma_of_the_overview(size):
    """Montavon et al. 2019: the weights themselves are changed; for inputs >= 0 that feed a ReLU that is open."""

    def rule(x, w, b, R, rms):
        changed = [wi + size * max(wi, 0) for wi in w]
        z = sum(xi * wi for xi, wi in zip(x, changed)) + b + size * max(b, 0)
        return [xi * wi / z * R for xi, wi in zip(x, changed)]

    return rule


def alpha_beta(alpha):
    def rule(x, w, b, R, rms):
        terms = [xi * wi for xi, wi in zip(x, w)]
        up = sum(c for c in [*terms, b] if c > 0)
        down = sum(c for c in [*terms, b] if c < 0)
        return [alpha * c / up * R if c > 0 else (1 - alpha) * c / down * R if c < 0 else 0 for c in terms]

    return rule


def z_plus(x, w, b, R, rms):
    terms = [max(xi * wi, 0) for xi, wi in zip(x, w)]
    return [c / sum(terms) * R if c else 0 for c in terms]


def flat(x, w, b, R, rms):
    return [R / len(x)] * len(x)


def z_box(low, high):
    """One number each for all inputs."""

    def rule(x, w, b, R, rms):
        terms = [xi * wi - low * max(wi, 0) - high * min(wi, 0) for xi, wi in zip(x, w)]
        return [c / sum(terms) * R for c in terms]

    return rule


def excitation(x, w, b, R, rms):
    terms = [max(xi, 0) * wi if wi > 0 else 0 for xi, wi in zip(x, w)]
    return [c / sum(terms) * R if c else 0 for c in terms]


def smooth_maximum(values, least=0.01):
    mean = sum(abs(v) for v in values) / len(values)
    return sum(v * v for v in values) / len(values) / (least + mean)


def windows(x_shape, kernel, stride, pad, dilation, ceil_mode):
    """{(n, c, oy, ox): the cells of x that the window covers}"""
    N, C, H, W = x_shape
    rows, columns = naive.window_starts((H, W), kernel, stride, pad, dilation, ceil_mode)
    return {
        (n, c, oy, ox): [
            (n, c, y, xx) for _, y, xx in naive.real_cells(rows[oy], columns[ox], kernel, dilation, (H, W))
        ]
        for n, c, oy, ox in np.ndindex(N, C, len(rows), len(columns))
    }
