"""The strongest pictures of a layer's channels, looked for in any number of pictures by any number of workers."""

import hashlib
import logging
from pathlib import Path

import numpy as np

from ... import kernels
from ...errors import ImageError, MinicnnError
from ..image import preprocess, require_meta
from ..passes import on_device, to_host
from ..progress import bar, kept_when_interrupted
from .jobs import as_completed
from .scan_state import ScanState
from .top_k import merge, nothing, strongest

log = logging.getLogger("minicnn")


def scan(net, layer, channels, pictures, top, batch, state="", executor=None, sent=None, progress=True):
    """(Top, {name: reason} of the pictures that could not be read).

    Pictures are run in batches of fixed members, and the best are kept by value and number alone: the result depends
    neither on the executor nor on which batch comes back first.

    channels  numbers
    pictures  Pictures; each is preprocessed for the net
    top       how many of each channel are kept
    state     a file from which the next scan of the same goes on, see `ScanState`; "" for none
    executor  a `concurrent.futures.Executor`, or None: here. Processes are to be started with the method spawn
    sent      what the executor sends its workers for the net, if it has something smaller; the net itself unless given
    Ctrl-C ends it with what is found so far; raises KeyboardInterrupt where that is nothing.
    """
    net, count = net.upto(layer), -(-len(pictures) // batch)
    state = ScanState(
        Path(state) if state else None, _identity(net, channels, pictures, top, batch), len(channels), net.dtype
    )
    common = (net if sent is None else sent, net.backend or kernels.name_of(kernels.current()), layer, channels)
    open_batches = [n for n in range(count) if n not in state.done]
    calls = ((n, (*common, pictures[n * batch : (n + 1) * batch], n * batch, top)) for n in open_batches)
    with kept_when_interrupted("patches"):
        results = as_completed(executor, _look_at, calls)
        for _ in bar(len(open_batches), "patches", progress):
            number, (found, skipped) = next(results)
            state.add(number, merge(state.top, found, top), skipped)
            # Said here: what a worker elsewhere logs, nobody sees.
            for reason in skipped.values():
                log.warning("skipped: %s", reason)
    if not state.done:
        raise KeyboardInterrupt
    if not state.top.values.size:
        raise MinicnnError(f"none of {len(pictures)} pictures could be read: {next(iter(state.skipped.values()))}")
    return state.top, state.skipped


def again(net, layer, channels, pictures, top, executor=None, sent=None, progress=True):
    """(U, K): the values of a Top once more, each by a forward pass of its picture alone.

    Ctrl-C leaves NaN where no pass was made. Raises MinicnnError, which names the picture, where one differs by more
    than 1e-3 of its channel's largest.
    """
    wanted = {}
    for u, row in enumerate(top.pictures):
        for k, number in enumerate(row):
            wanted.setdefault(int(number), []).append((u, k))
    common = (net.upto(layer) if sent is None else sent, net.backend or kernels.name_of(kernels.current()), layer)
    calls = (
        (number, (*common, pictures[number : number + 1], [(channels[u], top.places[u, k]) for u, k in places]))
        for number, places in wanted.items()
    )
    values, passed = np.full_like(top.values, np.nan), np.zeros(top.values.shape, bool)
    with kept_when_interrupted("patches, again"):
        results = as_completed(executor, _values_at, calls)
        for _ in bar(len(wanted), "patches, again", progress):
            number, found = next(results)
            for (u, k), value in zip(wanted[number], found):
                values[u, k], passed[u, k] = value, True
    largest = np.abs(top.values).max(axis=1, keepdims=True)
    for u, k in np.argwhere(passed & ~(np.abs(values - top.values) <= 1e-3 * largest)):
        name = pictures.names[top.pictures[u, k]]
        raise MinicnnError(
            f"{name}: {layer}:{channels[u]} was {top.values[u, k]}, and is {values[u, k]} when run again"
        )
    return values


def _look_at(net, backend, layer, channels, pictures, first, top):
    """One batch, wherever it is run: (Top, skipped)."""
    numbers, xs, skipped = [], [], {}
    for i, name in enumerate(pictures.names):
        try:
            image = pictures[i]
        except ImageError as error:
            skipped[name] = str(error)
            continue
        numbers.append(first + i)
        xs.append(preprocess(image, net.meta))
    if not xs:
        return nothing(len(channels), net.dtype), skipped
    out = _run(net, backend, layer, np.concatenate(xs))[:, channels]
    bad = np.argwhere(np.isnan(out))
    if len(bad):
        name = pictures.names[numbers[bad[0, 0]] - first]
        raise MinicnnError(f"{name}: {layer}:{channels[bad[0, 1]]} is NaN")
    return strongest(out, numbers, top), skipped


def _values_at(net, backend, layer, pictures, places):
    """[the value at each (channel, place)] of one picture."""
    out = _run(net, backend, layer, preprocess(pictures[0], net.meta))[0]
    return [out[channel].reshape(-1)[place] for channel, place in places]


def _run(net, backend, layer, x):
    # Threads and processes do not inherit the choice of this one.
    with kernels.use(backend):
        return to_host(net, net(on_device(net, x.astype(net.dtype)), until=layer))


def _identity(net, channels, pictures, top, batch):
    """All that the result depends on, as ScanState compares it."""
    require_meta(net.meta)
    weights, names = hashlib.sha256(repr(net.meta.to_strings()).encode()), hashlib.sha256()
    if net.meta.mean_image is not None:
        weights.update(net.meta.mean_image.values.tobytes())
    for node in net.nodes:
        weights.update(repr(node).encode())
    for name, array in net.state_dict().items():
        weights.update(name.encode() + np.ascontiguousarray(to_host(net, array)).tobytes())
    for name in pictures.names:
        names.update(name.encode() + b"\0")
    return {
        "layer": net.nodes[-1].name,
        "net": weights.hexdigest()[:16],
        "channels": list(map(int, channels)),
        "pictures": f"{len(pictures)}, {names.hexdigest()[:16]}",
        "top": top,
        "batch": batch,
    }
