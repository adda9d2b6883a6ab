"""Checking a gradient that somebody wrote against the differences of the function that it belongs to."""

from contextlib import nullcontext
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from . import kernels, layers
from .errors import MinicnnError, UnknownNameError
from .gradient_report import Report, Row, index
from .gradient_subjects import as_gradient, subject
from .kernels.errors import DTypeError
from .kernels.shapes import show

_FULL = 64  # outputs up to which the whole Jacobian is compared
_ENTRIES = 2000  # entries of an array up to which each is moved by itself
_DIRECTIONS = 4  # random ones, for a larger array
_ROUNDING = np.finfo("float64").eps


def gradcheck(what, *xs, seed=0, eps=1e-5, tol=1e-6, full=None, train=False):
    """Compare backward with central differences, in float64.

        numeric = <dout, f(x + eps*v) - f(x - eps*v)> / (2 eps)     against     backward = <dx, v>

    for a random dout, and v each entry of x, w, b ... in turn (random directions where an array is too large).

    what    a layer, a net, or a pair of functions: f(x) -> (out, cache), b(dout, cache) -> dx (a tuple for several x)
    xs      the inputs, each an array or a shape to be drawn in; a net knows its own shape. A number as out is fine
    seed    of everything drawn: inputs, dout, the parameters where there are none yet
    eps     the step, for an entry of size 1 or less; larger entries take one in proportion
    tol     the largest relative error that passes
    full    whether dout is also each unit vector, that is, the whole Jacobian; where out is small unless given
    train   whether batch norm and dropout run as in training
    Returns a Report: print it, ask `.ok`. `what` is not changed.
    Kinks (no derivative, or one that eps does not resolve) are skipped and counted. They are found by the forward
    alone, so no backward can pass as one; a gradient of which nothing could be checked fails.
    Raises MinicnnError where forward or backward is not repeatable, changes what it was given, or leaves float64.
    """
    case = subject(what, xs, seed, train)
    rng = np.random.default_rng([seed, 1])
    before = {name: a.copy() for name, a in case.arrays.items()}
    out, cache = _run(case, case.arrays)
    _check_untouched(case, before, "forward")
    _check_repeatable(case, out)
    full = out.size <= _FULL if full is None else full
    # Unit vectors alone would not see a backward that is not linear in dout.
    douts = [rng.standard_normal(out.shape)]
    if full:
        douts += [unit.reshape(out.shape) for unit in np.eye(out.size)]
    gradients = [_gradients(case, dout.copy(), cache) for dout in douts]
    again = _gradients(case, douts[0].copy(), cache)
    _check_untouched(case, before, "backward")
    if any(not np.array_equal(again[name], gradients[0][name], equal_nan=True) for name in again):
        raise MinicnnError("the backward gave two different gradients for one dout; it must not change its cache")
    rows = [
        _row(case, name, np.stack([g[name].ravel() for g in gradients], axis=1), out, douts, eps, tol, rng)
        for name in case.arrays
    ]
    return Report(case.title, tol, rows)


def layer_names():
    """The names that `check_layer` takes: layers and losses, found by their files."""
    return sorted(_case_files())


def check_layer(name, backend=None, seed=0):
    """[(case, Report), ...]: a layer or loss by name on small odd shapes, those with modes in both.

    name    as in layer_names(); capitals, _ and - do not matter
    backend the name of one, the current one unless given
    Raises UnknownNameError.
    """
    files = _case_files()
    key = _plain(name)
    if key not in files:
        raise UnknownNameError("layer", name, sorted(files))
    reports = []
    with kernels.use(backend) if backend else nullcontext():
        for what, *shapes in import_module(f"{layers.__name__}.{files[key]}").CASES:
            for train in (False, True) if getattr(what, "has_modes", False) else (False,):
                report = gradcheck(what, *shapes, seed=seed, train=train)
                on = f" on {' and '.join(map(show, shapes))}" if shapes else ""
                reports.append((report.title + on, report))
    return reports


def _case_files():
    """{name: file}: the files of the room `layers` that say on which small cases they are to be checked."""
    files = [file.name for file in iter_modules(layers.__path__)]
    return {_plain(file): file for file in files if hasattr(import_module(f"{layers.__name__}.{file}"), "CASES")}


def _plain(name):
    return name.lower().replace("_", "").replace("-", "")


# The forward and the backward ------------------------------------------------------------------------------------


def _run(case, arrays):
    """(out, cache), out as a float64 host array."""
    out, cache = case.forward(arrays)
    out = np.asarray(case.on_host(out) if hasattr(out, "shape") else out)
    if out.dtype != np.float64:
        raise DTypeError(f"out is {out.dtype} for a float64 x; a gradient check needs float64 all the way")
    return out, cache


def _check_untouched(case, before, which):
    for name, a in case.arrays.items():
        if not np.array_equal(a, before[name], equal_nan=True):
            raise MinicnnError(f"the {which} changed {name} in place")


def _check_repeatable(case, out):
    again, _ = _run(case, case.arrays)
    if not np.array_equal(out, again, equal_nan=True):
        raise MinicnnError("the forward gave two different results for one x; anything random needs a fixed seed")


def _gradients(case, dout, cache):
    """{name: host array} for one dout."""
    given = case.on_device({"dout": dout})["dout"] if dout.shape else float(dout)
    found = case.backward(given, cache)
    missing = [name for name in case.arrays if name not in found]
    if missing:
        raise MinicnnError(f"backward gave no gradient for {', '.join(missing)}")
    return {name: case.on_host(as_gradient(name, found[name], a)) for name, a in case.arrays.items()}


# The comparison --------------------------------------------------------------------------------------------------


def _row(case, name, backward, out, douts, eps, tol, rng):
    """Compare one array's gradient; backward (size, number of douts)."""
    array = case.arrays[name]
    weights = np.stack([dout.ravel() for dout in douts], axis=1)
    if array.size > _ENTRIES:
        directions = rng.standard_normal((_DIRECTIONS, array.size))
        backward = directions @ backward
        # A direction moves everything at once and so meets more kinks: a shorter step meets fewer.
        moves = [(v.reshape(array.shape), eps / 10) for v in directions]
        places = [f"direction {i}" for i in range(_DIRECTIONS)]
    else:
        moves = _unit_moves(array, eps)
        places = [index(i, array.shape) for i in range(array.size)]
    label = name if "." in name else f"d{name}"  # dx, dw; conv1.w as in a net's gradients
    if not places or not out.size:
        return Row(label, 0, 0, 0, 0.0, "", 0.0, 0.0)

    slopes = [_slopes(case, name, v, h, out.ravel(), weights) for v, h in moves]
    numeric, unsettled, noise = (np.stack(column) for column in zip(*slopes))
    # An error is relative to the entry, but not to one so small that rounding alone would pass tol.
    least = max(1e-3 * abs(numeric).max(), 1e-300)
    scale = np.maximum(np.maximum(abs(numeric), 1000 / tol * noise), least)
    kink = (unsettled > tol / 4 * scale).any(axis=1)
    error = abs(backward - numeric) / np.maximum(abs(backward), scale)
    error = np.where(np.isfinite(error), error, np.inf)
    error[kink] = 0
    worst, k = np.unravel_index(error.argmax(), error.shape)
    checked = len(places) - int(kink.sum())
    return Row(
        label, array.size, checked, int(kink.sum()), float(error[worst, k]), places[worst],
        float(backward[worst, k]), float(numeric[worst, k]),
    )  # fmt: skip


def _unit_moves(array, eps):
    """(direction, step) for every entry of array."""
    for i, value in enumerate(array.flat):
        v = np.zeros(array.size)
        v[i] = 1
        yield v.reshape(array.shape), eps * max(1, abs(value))


def _slopes(case, name, v, h, out, weights):
    """(numeric, unsettled, noise) along v, each (number of douts,).

    With the step h and with h/2:    central = (f(+) - f(-)) / 2h,    bend = (f(+) - 2 f(0) + f(-)) / h

    Where f is smooth central stays (to h^2) and bend halves. At a kink bend stays instead, and where a kink is
    not at x but within the step, central moves. What deviates from smoothness is `unsettled`. It and the rounding
    `noise` are added over outputs as squares, so that no two kinks cancel.
    """
    array = case.arrays[name]

    def at(step):
        moved, _ = _run(case, {**case.arrays, name: array + step * v})
        return moved.ravel()

    plus, minus, half_plus, half_minus = at(h), at(-h), at(h / 2), at(-h / 2)
    central, half_central = (plus - minus) / (2 * h), (half_plus - half_minus) / h
    bend, half_bend = (plus - 2 * out + minus) / h, (half_plus - 2 * out + half_minus) / (h / 2)
    unsettled = abs(bend - 2 * half_bend) + abs(central - half_central)
    # Rounding reaches central through the outputs that move, divided by h, and backward by itself.
    moving = np.any([f != out for f in (plus, minus, half_plus, half_minus)], axis=0)
    noise = _ROUNDING * (np.max(np.abs([out, plus, minus])) * moving / h + 1)
    return central @ weights, _added(unsettled, weights), _added(noise, weights)


def _added(deviations, weights):
    return np.sqrt(deviations**2 @ weights**2)
