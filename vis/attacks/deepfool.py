"""DeepFool: straight to the nearest boundary between two classes, as if the net were linear.

With d_k = score_k - score_k0 for every rival k of the present class k0, and g_k its gradient, the boundary to k lies
|d_k| / |g_k| away. Until the class has changed,

    k    the rival whose boundary is nearest
    r <- r + (|d_k| / |g_k| + extra) * g_k / |g_k|
    I  = I_0 + (1 + overshoot) * r, held to [0, 1]

On a linear net one step is exact. With a target there is one rival, the target, and k0 is whichever class leads;
without, k0 is the class to leave.

overshoot 0.02, extra 1e-4 (without it, steps between several boundaries in turn may never arrive), at most 50 steps and
the 10 best rivals, which bound the walks backward a step: the authors' code (github.com/LTS4/DeepFool). Their pictures
may leave [0, 1]; these do not.
Moosavi-Dezfooli, Fawzi & Frossard, DeepFool, CVPR 2016, algorithm 2
"""

import numpy as np

OVERSHOOT = 0.02
EXTRA = 1e-4
RIVALS = 10


def nearest_boundary(box, pictures, labels, targeted, steps=50):
    """Pictures I (N, C, H, W) just across the nearest boundary, or as far as so many steps go.

    box       a UnitBox
    pictures  (N, C, H, W) in [0, 1]
    labels    (N,): the class to reach if targeted, else the one to leave
    """
    moved = np.zeros_like(pictures)
    best = pictures.copy()
    going = np.arange(len(pictures))
    for _ in range(steps + 1):
        scores, tape = box.forward(best[going])
        leading = scores.argmax(axis=1)
        wrong = leading == labels[going] if not targeted else leading != labels[going]
        if not wrong.any():
            break
        # Pictures that are done stay on this tape, and off the next.
        here = np.flatnonzero(wrong)
        move = _to_boundary(box, tape, scores, *_rivals(scores, leading, labels[going], targeted))
        going = going[here]
        moved[going] += move[here]
        best[going] = np.clip(pictures[going] + (1 + OVERSHOOT) * moved[going], 0, 1)
    return best


def _rivals(scores, leading, labels, targeted):
    """(k0 (N,), rivals (N, R))."""
    if targeted:
        return leading, labels[:, None]
    ranked = np.argsort(-scores, axis=1, kind="stable")
    others = np.array([row[row != label] for row, label in zip(ranked, labels)])
    return labels, others[:, :RIVALS]


def _to_boundary(box, tape, scores, present, rivals):
    """r (N, C, H, W): the shortest of the steps to the rivals' boundaries."""
    rows = np.arange(len(scores))
    shortest, nearest = np.full(len(scores), np.inf), 0.0
    for rival in rivals.T:
        dscores = np.zeros_like(scores)
        dscores[rows, rival] += 1
        dscores[rows, present] -= 1
        slope = box.gradient(tape, dscores)
        length = np.sqrt(np.square(slope).sum(axis=(1, 2, 3)))
        # A boundary to which nothing slopes is out of reach.
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(scores[rows, rival] - scores[rows, present]) / length + EXTRA
            factor = np.where(length > 0, distance / length, 0)
        closer = (length > 0) & (distance < shortest)
        shortest = np.where(closer, distance, shortest)
        nearest = np.where(closer[:, None, None, None], factor[:, None, None, None] * slope, nearest)
    return nearest
