"""The patches of many pictures that excite a channel most.

    value[n] = max over y, x of out[n, c, y, x]     picture n's strongest place, ties to the first
    the `top` largest values of each channel c, ties to the first picture, each cut out as the unit's receptive field

Pictures of any size are read one batch at a time, preprocessed as the net's input and forgotten; those that cannot be
read are named and skipped, whatever their `damaged` says. One patch a picture [2, 3]. Each value is checked by a new
forward pass of its picture alone. A field that goes on past the border of the image is filled up with grey. Of one that
is larger than the image, as high in the net, the pictures show the part that matters: the middle 98 % of guided
backprop's size, by rows and by columns, in squares of one size a channel. Of a class, and of a net without ReLUs, they
show all.

pictures  files, folders and zip archives
unit      layer:channel, a class, or a layer: `channels` of it
out       Patches: values (U, K), again (U, K) of the new pass, pictures (U, K), positions (U, K, 2), boxes (U, K, 4)
Raises UsageError for a unit with a position, MinicnnError where no picture can be read or a value is not found again.

With `state`, a file, a scan that was stopped or killed goes on where it was; Ctrl-C keeps the best so far. With
`scheduler` a Dask cluster, which must see the same files, does the work (the extra `cluster`); in Python `executor` is
any `concurrent.futures.Executor`.

[2] shows nine patches of each channel, which is the default of `top`.

The picture: three, of the first 16 channels, a row or a block each, the strongest first. girshick: the whole image,
the field as a white box with the value beside it [1]. springenberg: the patches, beside them guided backprop from
the unit to the same pixels [3]. zeiler: a square of the deconvnet's pictures beside the square of the patches [2]. In
those of gradients zero is mid-grey, and each has its own scale.

Caveat: the strongest patches show what a channel likes best among these pictures, not all that it answers to, nor
whether single channels are what the net thinks in. A field is more than what mattered inside it.
[1] Girshick, Donahue, Darrell & Malik, Rich Feature Hierarchies for Accurate Object Detection, CVPR 2014, figure 4
[2] Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, figure 2
[3] Springenberg, Dosovitskiy, Brox & Riedmiller, Striving for Simplicity, ICLR workshop 2015, figures 4 and 5
"""

import re
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .. import extras
from ..errors import MinicnnError, UsageError
from .counts import at_least_one
from .image import require_meta
from .inputs import Pictures
from .pictures.patch_styles import girshick, rows, springenberg, zeiler
from .scanning.crop_boxes import CropBoxes
from .scanning.fields import shapes_of
from .scanning.scan import again, scan
from .units import find_unit


class Patches(NamedTuple):
    """The K strongest patches of U channels, the strongest first; K is `top`, or as many as pictures could be read.

    layer      the node's name
    channels   (U,) int64
    values     (U, K) of the net's dtype
    again      (U, K), found by the new pass; NaN where Ctrl-C came before it
    pictures   (U, K) int64: the picture's number in `source`
    names      U lists of K names of pictures
    positions  (U, K, 2) int64: row and column in the channel; 0, 0 in a layer without positions
    boxes      (U, K, 4) int64: top, left, bottom, right of the field in the net's input; may go past its border
    skipped    {name: reason} of the pictures that could not be read
    source     the Pictures
    """

    layer: str
    channels: np.ndarray
    values: np.ndarray
    again: np.ndarray
    pictures: np.ndarray
    names: list
    positions: np.ndarray
    boxes: np.ndarray
    skipped: dict
    source: Pictures


def patches(
    net,
    pictures: Pictures,
    unit,
    top: int = 9,
    channels: str = "",
    batch: int = 16,
    state: str = "",
    scheduler: str = "",
    executor=None,
    progress: bool = True,
):
    """The patches that excite a channel most, as Patches.

    pictures   of any size and number
    top        how many of each channel
    channels   numbers and ranges, "3,5,8-11", where the unit is a layer; all unless given
    batch      pictures that are run at once
    state      a file that keeps what is found, from which an interrupted scan goes on
    scheduler  the address of a Dask cluster, "tcp://host:8786"
    executor   any `concurrent.futures.Executor`; processes are to be started by the method spawn
    """
    at_least_one(top=top, batch=batch)
    require_meta(net.meta)
    pictures, unit, size = Pictures.of(pictures), find_unit(net, unit), net.meta.input_size
    layer, shape = unit.layer, shapes_of(net.upto(unit.layer), size)[unit.layer]
    chosen, part = _channels(unit, channels, shape[1]), net.upto(layer)
    with _workers(part, scheduler, executor) as (executor, sent):
        found, skipped = scan(part, layer, chosen, pictures, top, batch, state, executor, sent, progress)
        checked = again(part, layer, chosen, pictures, found, executor, sent, progress)
    columns = shape[3] if len(shape) == 4 else 1
    positions, box_of = np.stack(np.divmod(found.places, columns), axis=2), CropBoxes(part, layer, size)
    boxes = [
        [box_of(channel, tuple(map(int, position)) if len(shape) == 4 else None) for position in row]
        for channel, row in zip(chosen, positions)
    ]
    names = [[pictures.names[number] for number in row] for row in found.pictures]
    numbers, boxes = np.array(chosen, np.int64), np.array(boxes, np.int64)
    return Patches(layer, numbers, found.values, checked, found.pictures, names, positions, boxes, skipped, pictures)


def picture(result, net, x=None, unit=None):
    """In the styles of the papers: [("girshick", image), ("springenberg", image), ("zeiler", image)].

    Of a net without ReLUs the first alone: guided backprop and the deconvnet are rules for these.
    """
    shown = list(rows(result, net))
    styles = (girshick, springenberg, zeiler) if shown[0].guided else (girshick,)
    return [(style.__name__, style(shown, result.layer)) for style in styles]


def _channels(unit, text, count):
    """The numbers of the channels that are asked for, each once, in their order."""
    if unit.position is not None:
        raise UsageError(f"{unit}: patches are of whole channels; leave the position away")
    if unit.channel is not None and text:
        raise UsageError(
            f"{unit} is one channel, channels {text!r} are of a whole layer: give {unit.layer} as the unit"
        )
    if unit.channel is not None:
        text = str(unit.channel)
    if not text:
        return list(range(count))
    if not re.fullmatch(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*", text):
        raise UsageError(f'channels {text!r}: expected numbers from 0 and ranges, as in "3,5,8-11"')
    chosen = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            raise UsageError(f"channels {part!r}: the range ends before it begins")
        if int(last or first) >= count:
            raise UsageError(f"channel {last or first} of 0 to {count - 1} ({unit.layer} has {count})")
        chosen += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(chosen))


@contextmanager
def _workers(net, scheduler, executor):
    """(an executor or None, what it sends its workers for the net or None)."""
    if not scheduler:
        # A Dask executor would keep the net once for every waiting batch.
        client = getattr(executor, "_client", None)
        yield executor, _scattered(client, net) if hasattr(client, "scatter") else None
        return
    if executor is not None:
        raise UsageError(f"scheduler {scheduler} beside an executor: give one of them")
    distributed = extras.load("distributed", "cluster")
    try:
        client = distributed.Client(scheduler)
    except (OSError, ValueError) as error:
        raise MinicnnError(f"no Dask cluster at {scheduler}: {error}") from error
    with client:
        yield client.get_executor(pure=False), _scattered(client, net)


def _scattered(client, net):
    """The net, sent to every worker once, as what stands for it in a job."""
    return client.scatter(net, broadcast=True)
