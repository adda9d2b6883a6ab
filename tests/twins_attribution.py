"""Grad-CAM, guided backpropagation and excitation backprop once more, slowly: over one image, from the papers.

The net is a list of steps over maps (C, H, W) without biases:

    ("conv", w)     w (F, C, K, K), stride 1, no padding
    ("relu",)
    ("pool", size)  the maximum, windows side by side
    ("fc", w)       w (F, C*H*W)
"""

import numpy as np

from twins_vis import filtered, filtered_transposed, pool_with_switches


def run(steps, x):
    """The value after every step, x first."""
    values = [x]
    for kind, *rest in steps:
        x = values[-1]
        if kind == "conv":
            values.append(filtered(x, rest[0]))
        elif kind == "relu":
            values.append(np.maximum(x, 0))
        elif kind == "pool":
            values.append(pool_with_switches(x, rest[0])[1])
        else:
            values.append(np.array([sum(row * x.ravel()) for row in rest[0]]))
    return values


def slope(steps, x, channel, step=1e-6):
    """d score / d x by central differences, x what the first of these steps reads."""
    found = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        more, less = x.copy(), x.copy()
        more[i] += step
        less[i] -= step
        found[i] = (run(steps, more)[-1][channel] - run(steps, less)[-1][channel]) / (2 * step)
    return found


def grad_cam(steps, x, channel, after):
    """The map (h, w) of the maps after so many steps."""
    maps = run(steps, x)[after]
    gradient = slope(steps[after:], maps, channel)
    total = np.zeros(maps.shape[1:])
    for k in range(len(maps)):
        weight = sum(gradient[k, i, j] for i, j in np.ndindex(*total.shape)) / total.size
        total += weight * maps[k]
    return np.where(total > 0, total, 0)


def winning_probabilities(steps, x, channel, after, negated_top=False):
    """P of every value after so many steps; the walk starts at the last step's channel."""
    values = run(steps, x)
    P = np.zeros(values[-1].shape)
    P[channel] = 1
    for number in range(len(steps) - 1, after - 1, -1):
        kind, *rest = steps[number]
        below = values[number]
        if kind == "relu":
            continue
        if kind == "pool":
            spread = np.zeros(below.shape)
            for cell, winner in pool_with_switches(below, rest[0])[0].items():
                spread[winner] += P[cell]
        else:
            w = -rest[0] if negated_top and number == len(steps) - 1 else rest[0]
            spread = _spread(kind, np.maximum(w, 0), np.maximum(below, 0), P)
        P = spread
    return P


def _spread(kind, w, below, P):
    """Every winner's P to its excitatory inputs, by what each contributes."""
    spread = np.zeros(below.shape)
    for j in np.ndindex(*P.shape):
        if kind == "fc":
            place, weights = (slice(None),) * 3, w[j[0]].reshape(below.shape)
        else:
            K = w.shape[2]
            place, weights = (slice(None), slice(j[1], j[1] + K), slice(j[2], j[2] + K)), w[j[0]]
        contributions = below[place] * weights
        if contributions.sum() > 0:
            spread[place] += P[j] * contributions / contributions.sum()
    return spread


def guided_backprop(steps, x, channel):
    """The image (C, H, W) of the last step's channel."""
    values = run(steps, x)
    back = np.zeros(values[-1].shape)
    back[channel] = 1
    for (kind, *rest), below in zip(steps[::-1], values[-2::-1]):
        if kind == "conv":
            back = filtered_transposed(back, rest[0], below.shape)
        elif kind == "fc":
            back = sum(b * row for b, row in zip(back, rest[0])).reshape(below.shape)
        elif kind == "relu":
            for cell in np.ndindex(*back.shape):
                if below[cell] <= 0 or back[cell] <= 0:
                    back[cell] = 0
        else:
            spread = np.zeros(below.shape)
            for cell, winner in pool_with_switches(below, rest[0])[0].items():
                spread[winner] += back[cell]
            back = spread
    return back
