"""Which pixels a unit sees: by formula, by the support of the gradient, by occlusion.

    formula    1 where the graph connects the pixel with the unit, else 0
    gradient   max over the channels c of |d unit / d x[c,y,x]|
    occlusion  min(rows[y], columns[x]), how far the unit moves when that row, or that column, is replaced by noise

The first is what the unit can see of any image and needs no numbers; the other two are what it does see of these
images. A gradient passes one cell of a max-pool's window and no closed ReLU, so it may be smaller. Both are computed in
float64, and what is below 1e-9 of an image's largest value is rounding, and 0. A row and a column at a time tell the
field's border as exactly as single pixels would, in H + W passes at most: the rows above the formula's field, those
below and the columns beside it are replaced together first, and one by one only where that moves the unit.
`fields.reach` has size and stride of the formula, `fields.field` the formula for images of any size, `crop_boxes` what
lies past the border.

x     (N, C, H, W), preprocessed, any size that the net takes; without x, noise of the net's own size, coarse and fine:
      of eight times as many pictures those that the unit answers most, since at a closed gate there is nothing to see
unit  a channel is looked at where it is strongest, in noise at its middle
out   {"formula", "gradient", "occlusion"}, each (N, H, W); of noise (1, H, W), the largest values of all pictures
Raises UsageError for noise where the net has no meta.

Ctrl-C keeps what is occluded so far.

The picture: the maps show the field and half as much around it. White is the largest value, black is zero, red the
border of the formula's field, yellow that of what is not zero; the labels have the fields' sizes, width x height.

Caveat: a field is what could matter, not what does. Inside it the gradient falls off steeply towards the border [2],
and the formula counts connections whose weights are zero.
[1] Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019
[2] Luo, Li, Urtasun & Zemel, Understanding the Effective Receptive Field in Deep CNNs, NeurIPS 2016
"""

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UsageError
from .counts import at_least_one
from .image import deprocess, preprocess_whole
from .passes import look, on_device, to_host, walk
from .pictures.colour import absolute, limit_of
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .rules import RULES
from .scanning.fields import field, hull, reach, shapes_of
from .units import Unit, find_unit, unit_title

_RED, _YELLOW = (255, 60, 60), (255, 220, 0)
_SIDE = 224  # pixels of a tile


def receptive_field(net, unit, x=None, images: int = 4, batch: int = 16, seed: int = 0, progress: bool = True):
    """Which pixels a unit sees, {"formula": (N, H, W), "gradient": (N, H, W), "occlusion": (N, H, W)}.

    images  pictures of noise, where there is no x
    batch   occluded pictures that are run at once
    seed    of the noise
    """
    at_least_one(images=images, batch=batch)
    unit, rng, is_noise = find_unit(net, unit), np.random.default_rng(seed), x is None
    if is_noise:
        x, unit = _noise(net, unit, images, batch, rng)
    # Fast convolutions compute some zeros as differences: in float64 these are far below what a border contributes.
    net, x = net.astype("float64"), np.asarray(x, np.float64)
    tape, dout = look(net, x, unit)
    slope = np.abs(walk(net, tape, dout, RULES["gradient"])).max(axis=1)
    dout = to_host(net, dout)
    formula = np.stack([_formula(net, unit, d, x.shape[1:]) for d in dout])
    found = {
        "formula": formula,
        "gradient": np.stack([_without_rounding(s) for s in slope]),
        "occlusion": _occlusion(net, unit, x, dout, formula, batch, rng, progress),
    }
    if is_noise:
        found = {name: maps.max(axis=0, keepdims=True) for name, maps in found.items()}
    return {name: maps.astype(np.float32) for name, maps in found.items()}


def support(values):
    """((top, bottom), (left, right)) of what is not zero in a map (H, W); the ends are not part of it."""
    return hull(values.any(axis=1)), hull(values.any(axis=0))


def _noise(net, unit, images, batch, rng):
    """(x, unit): of eight times as many pictures of noise those that the unit, at its middle, answers most."""
    if net.meta is None:
        raise UsageError("this net has no meta that says what its images are: give x")
    H, W = net.meta.input_size[1:]
    unit, tried, values = _middle(net, unit, net.meta.input_size), [], []
    for k in range(8 * images):
        grain = 2 ** (k % 4)  # deep in a net, fine noise opens few gates
        pixels = rng.integers(0, 256, (-(-H // grain), -(-W // grain), 3), np.uint8)
        pixels = pixels.repeat(grain, axis=0).repeat(grain, axis=1)[:H, :W]
        tried.append(preprocess_whole(pixels, net.meta, max(H, W)).astype(net.dtype))
    for first in range(0, len(tried), batch):
        out = _run(net, np.concatenate(tried[first : first + batch]), unit)
        values += np.where(unit.seed(out) != 0, out, 0).reshape(len(out), -1).sum(axis=1).tolist()
    return np.concatenate([tried[k] for k in np.argsort(values)[: -images - 1 : -1]]), unit


def _middle(net, unit, shape):
    of_node = shapes_of(net.upto(unit.layer), shape)[unit.layer]
    if unit.channel is None or unit.position is not None or len(of_node) != 4:
        return unit
    return Unit(unit.layer, unit.channel, (of_node[2] // 2, of_node[3] // 2))


def _formula(net, unit, dout, shape):
    """(H, W) of one image; dout says at which position the unit is looked at."""
    position = tuple(map(int, np.argwhere(dout)[0, 1:])) if unit.channel is not None and dout.ndim == 3 else None
    rows, columns = field(net, Unit(unit.layer, unit.channel, position), shape)
    return rows[:, None] & columns


def _without_rounding(values):
    return np.where(values > 1e-9 * values.max(initial=0), values, 0)


def _occlusion(net, unit, x, dout, formula, batch, rng, progress):
    N, _, H, W = x.shape
    noise = rng.normal(x.mean(), x.std() or 1.0, x.shape).astype(x.dtype)
    before = _run(net, x, unit)
    moved = np.zeros((N, H + W))

    def moves(parts):
        """How far each (image, its lines that are noise) moves the unit; lines are rows, then columns."""
        occluded = x[[n for n, _ in parts]]
        for image, (n, lines) in zip(occluded, parts):
            rows, columns = lines[lines < H], lines[lines >= H] - H
            image[:, rows] = noise[n][:, rows]
            image[:, :, columns] = noise[n][:, :, columns]
        some = [n for n, _ in parts]
        change = np.where(dout[some] != 0, np.abs(_run(net, occluded, unit) - before[some]), 0)
        return change.reshape(len(parts), -1).max(axis=1)

    with kept_when_interrupted("receptive_field"):
        beside = [(n, lines) for n in range(N) for lines in _beside(formula[n])]
        singly = [(n, line) for n in range(N) for line in _inside(formula[n])]
        for first in range(0, len(beside), batch):
            for (n, lines), move in zip(beside[first : first + batch], moves(beside[first : first + batch])):
                if move > 1e-9 * np.abs(before[n]).max():
                    singly += [(n, line) for line in lines]
        for step in bar(-(-len(singly) // batch), "receptive_field", progress):
            some = singly[step * batch : (step + 1) * batch]
            moved[tuple(zip(*some))] = moves([(n, np.array([line])) for n, line in some])
    moved = np.stack([_without_rounding(m) for m in moved])
    return np.minimum(moved[:, :H, None], moved[:, None, H:])


def _inside(formula):
    """The rows, then the columns (from H on) of the formula's field."""
    (top, bottom), (left, right) = support(formula)
    return [*range(top, bottom), *range(len(formula) + left, len(formula) + right)]


def _beside(formula):
    """The rows above it and those below, the columns to the left and to the right: where there are any."""
    H, W = formula.shape
    (top, bottom), (left, right) = support(formula)
    ends = (0, top), (bottom, H), (H, H + left), (H + right, H + W)
    return [np.arange(*both) for both in ends if both[0] < both[1]]


def _run(net, x, unit):
    return to_host(net, net(on_device(net, x), until=unit.layer))


def picture(result, net, x=None, unit=None):
    """A row an image: the image where there is one, then the three maps, of the field and half as much around it."""
    unit, tiles, labels = find_unit(net, unit), [], []
    shown = None if x is None or net.meta is None else deprocess(x, net.meta)
    for n, formula in enumerate(result["formula"]):
        if shown is not None:
            tiles.append(_outlined(shown[n], [(_RED, support(formula))]))
            labels.append("image")
        around = tuple(_widened(ends, size) for ends, size in zip(support(formula), formula.shape))
        part = tuple(slice(low, high) for low, high in around)
        for name, maps in result.items():
            borders = [(_RED, support(formula[part])), (_YELLOW, support(maps[n][part]))]
            pixels = absolute(maps[n][part], limit_of(maps[n], 0.999))
            tiles.append(_outlined(pixels, borders[:1] if name == "formula" else borders))
            (top, bottom), (left, right) = support(maps[n])
            labels.append(f"{name} {right - left}x{bottom - top}")
    stride = reach(net, unit.layer).stride
    title = f"{unit_title(net, unit)}   stride {' x '.join(str(step) for step in sorted(set(stride)))}"
    return grid(tiles, labels, columns=len(labels) // len(result["formula"]), title=title)


def _widened(ends, size):
    low, high = ends
    more = (high - low) // 2
    return (max(low - more, 0), min(high + more, size)) if high else (0, size)


def _outlined(pixels, borders):
    """The tile, enlarged, with the borders (colour, ((top, bottom), (left, right))); an empty one is left out."""
    factor = max(1, round(_SIDE / max(pixels.shape[:2])))
    image = Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))
    draw = ImageDraw.Draw(image)
    for colour, ((top, bottom), (left, right)) in borders:
        if bottom and right:
            corners = (left * factor, top * factor, right * factor - 1, bottom * factor - 1)
            draw.rectangle(corners, outline=colour, width=2)
    return image
