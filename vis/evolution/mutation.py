"""Small changes of numbers by chance, as evolution makes them."""

import numpy as np

STRENGTH = 15.0


def polynomial(values, rng, rate, low, high):
    """Some of the numbers moved, most of those only a little.

        out = values + d * (high - low),  held to low..high;   with u uniform in 0..1, n = 15
        d   = (2u)^(1/(n+1)) - 1         where u < 1/2, and
              1 - (2 - 2u)^(1/(n+1))     elsewhere

    Each number moves with the probability `rate`. The mean of |d| is 1 / (n + 2).
    Strength 15: Nguyen, Yosinski & Clune, CVPR 2015, section 2.3.
    Deb & Agrawal, A Simulated Binary Crossover for Continuous Search Space, 1995; Deb, Multi-Objective Optimization
    using Evolutionary Algorithms, 2001, section 4.1.7
    """
    out = np.array(values, np.float64)
    chosen = rng.random(out.shape) < rate
    u = rng.random(chosen.sum())
    power = 1 / (STRENGTH + 1)
    d = np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 - 2 * u) ** power)
    out[chosen] = np.clip(out[chosen] + d * (high - low), low, high)
    return out
