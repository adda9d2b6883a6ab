"""DeepDream: an image changed so that a layer answers more strongly to what it already sees in it.

    g = d (1/2 * |layer(I)|^2) / dI         |.|^2 the sum of squares over channels and positions
    I <- I + step_size * g / mean |g|       `steps` times at each of `octaves` sizes, from small to large

The layer's own output is the dout of the walk. Each size is 1 / ratio of the next one; what was dreamt at one is
enlarged and laid over the photo in the next size:  I = photo in this size + enlarged (I before - photo before).
Before each step the image is moved by up to `jitter` pixels each way, at random, and moved back after it; what leaves
at one edge enters at the other. Values are held between black and white.

Guided by further pictures, a position p of the layer asks for the best match among all the guides' vectors y:

    dout[:, p] = y with the largest sum over c of out[c, p] * y[c];  ties go to the first

x       (N, C, H, W), preprocessed, of any size; without it the dream starts from noise
unit    a layer or one channel of it; "inception_4c/output" as published, which GoogLeNet has
result  image    (N, C, H, W) float32, preprocessed
        norms    (N, K, 2) float32: the unit's norm before and after each octave, of the image as it lies, unmoved; with
                 a guide the sum of the matches instead
        octaves  (N, K, C, h, w) float32: the image after each octave, the longer side at most 400 pixels
        frames   (F, N, H, W, 3) uint8 where frames are asked for: each is the one before, enlarged by 1 / (1 - zoom)
                 about its centre and dreamt again
Raises UsageError for a position, for a guide to a channel, and for options out of range.

step_size 1.5 in pixels of 0 to 255, jitter 32, 10 steps, 4 octaves at 1.4 and zoom 0.05 are the published ones [1].
Octaves whose shorter side would be below 32 pixels are left out. Sides of more than `tile` pixels are cut into parts
with a gradient each, so that only the image itself, some ten copies of it, grows in memory: GoogLeNet takes 0.9 GB for
a square of 1024 pixels and 1.3 GB for one of 2048, which in one part takes 3.4. The image is then moved by up to half a
part. Ctrl-C keeps the dream so far, laid over the photo in its full size.

The picture: "image" is the dream; "octaves" shows the start and the dream after each octave, with the norms. The film
is the frames.

Caveat: it shows what makes the layer's answer larger, not what the layer needs in order to answer; a photo of the sky
ends up full of animals because the net was trained on many. The norm rises by design: it is no sign that the picture
means anything to the net.
[1] Mordvintsev, Olah & Tyka, Inceptionism: Going Deeper into Neural Networks, Google Research Blog, June 2015, and the
notebook published with it (github.com/google/deepdream)

examples:
  minicnn vis dream sky.jpg --model googlenet --out pictures
  minicnn vis dream sky.jpg --model googlenet --unit inception_3b/output --octaves 3 --out pictures
  minicnn vis dream sky.jpg --model googlenet --guide flowers.jpg --unit inception_3b/output --out pictures
  minicnn vis dream --model googlenet --side 512 --frames 100 --film dream.mp4 --out pictures
"""

import numpy as np
from PIL import Image

from ..errors import UsageError
from .image import check_finite, contrast, deprocess
from .inputs import Images, each_image
from .passes import on_device, to_host
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.dream_objectives import features_of, guided, squared
from .search.dreamer import Dream, Dreamer
from .search.jitter import warp
from .search.pyramid import octave_sizes, resize
from .search.unit_box import UnitBox
from .units import find_unit, unit_title

SIZE = 1024
_LEAST = 32  # pixels of an octave's shorter side: below, GoogLeNet's deeper layers see nothing but their padding
_NOISE = 0.1  # standard deviation about the mean colour, of the range from black to white


def dream(
    net,
    x=None,
    unit="inception_4c/output",
    guide: Images = None,
    octaves: int = 4,
    ratio: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5,
    jitter: int = 32,
    tile: int = 1024,
    frames: int = 0,
    zoom: float = 0.05,
    side: int = 0,
    seed: int = 0,
    progress: bool = True,
):
    """DeepDream: {"image": (N, C, H, W), "norms": (N, K, 2), "octaves": (N, K, C, h, w)} and, if asked for, "frames".

    guide      pictures whose features the dream is to take on
    octaves    how many sizes, >= 1
    ratio      of each size to the one before, > 1
    steps      how often the image is improved at each size, >= 1
    step_size  how far each step goes: the mean change of a pixel, in levels of 0 to 255
    jitter     by how many pixels the image is moved at most before each step, >= 0
    tile       larger sides are cut into parts of at most so many pixels, so that memory stays bounded
    frames     how many pictures the film has; 0 for none
    zoom       which share of each side a frame leaves out of the one before, 0 to below 1
    side       of the square of noise that a dream without a photo starts from; 0 for the net's own size
    seed       of the jitter and of the noise
    """
    unit = find_unit(net, unit)
    _check(unit, steps, step_size, jitter, tile, frames, zoom, side)
    rng = np.random.default_rng(seed)
    start = _noise(net, side, rng) if x is None else np.asarray(x)
    check_finite("x", start)
    objective = squared(unit) if guide is None else guided(_features(net, unit, guide))
    dreamer = Dreamer(net, unit.layer, objective, steps, step_size / 255, jitter, tile, rng)
    sizes = octave_sizes(*start.shape[2:], octaves, ratio, _LEAST)
    box = UnitBox(net, start.shape[1:])
    first = Dream(box.pictures(start).astype(net.dtype))
    film = []
    with kept_when_interrupted("dream"), bar(len(sizes) * steps * max(1, frames), "dream", progress) as ticks:
        dreamer.fill(first, sizes, ticks)
        image = first.image
        for frame in range(frames):
            if frame > 0:
                enlarged = warp(image, 1 / (1 - zoom), 0.0)
                image = dreamer.fill(Dream(enlarged), sizes, ticks, record=False).image
            film.append(deprocess(box.inputs(image), net.meta))
    values, seen = first.records()
    result = {
        "image": box.inputs(first.image),
        "norms": np.sqrt(values) if guide is None else values,
        "octaves": UnitBox(net, seen.shape[2:]).inputs(seen),
    }
    return {**result, "frames": np.stack(film)} if film else result


def _features(net, unit, guide):
    """(Q, C): the guides' vectors at the layer."""
    if unit.channel is not None:
        raise UsageError(f"{unit}: a guide is matched to all channels of a layer, name {unit.layer}")
    outs = [
        to_host(net, net(on_device(net, np.asarray(image, net.dtype)), until=unit.layer)) for image in each_image(guide)
    ]
    return np.concatenate([features_of(out) for out in outs])


def _noise(net, side, rng):
    """(1, C, H, W): grey noise about the mean colour."""
    C, H, W = contrast(net.meta).shape[1], *net.meta.input_size[1:]
    H, W = (side, side) if side else (H, W)
    return (rng.normal(0, _NOISE, (1, C, H, W)) * contrast(net.meta)).astype(net.dtype)


def _check(unit, steps, step_size, jitter, tile, frames, zoom, side):
    if unit.position is not None:
        raise UsageError(f"{unit}: a dream is of a whole layer or channel, the image moves under a position")
    for name, value, least in (("steps", steps, 1), ("tile", tile, 1), ("jitter", jitter, 0), ("frames", frames, 0)):
        if value < least:
            raise UsageError(f"{name} is {value}, expected {least} or more")
    if side < 0:
        raise UsageError(f"side is {side}, expected 0 or more")
    if not 0 < step_size < float("inf"):
        raise UsageError(f"step_size is {step_size}, expected a number above 0")
    if not 0 <= zoom < 1:
        raise UsageError(f"zoom is {zoom}, expected 0 or more and below 1")


def picture(result, net, x=None, unit="inception_4c/output"):
    """[("image", the dream), ("octaves", the start and the dream after each octave)]; a row a photo."""
    dreams = list(deprocess(result["image"], net.meta))
    tiles, labels = [], []
    for n, (norms, seen) in enumerate(zip(result["norms"], result["octaves"])):
        if x is not None:
            tiles += list(deprocess(resize(np.asarray(x)[n : n + 1], seen.shape[2:]), net.meta))
            labels.append("start")
        tiles += list(deprocess(seen, net.meta))
        labels += [f"octave {k}: {_short(before)} to {_short(after)}" for k, (before, after) in enumerate(norms, 1)]
    title = f"{unit_title(net, find_unit(net, unit))}: its strength before and after each octave"
    whole = Image.fromarray(dreams[0]) if len(dreams) == 1 else grid(dreams)
    if not tiles:  # interrupted before there was one
        return [("image", whole)]
    return [("image", whole), ("octaves", grid(tiles, labels, len(tiles) // len(dreams), title, least=160))]


def _short(value):
    return f"{value:.0f}" if 1000 <= abs(value) < 1e5 else f"{value:.3g}".replace("e+0", "e")


def film(result, net, x=None, unit=None):
    """The frames; where none were asked for, the start and the dream after each octave. Several photos side by side."""
    if "frames" in result:
        pictures = result["frames"]
    else:
        size = result["image"].shape[2:]
        steps = [resize(seen, size) for seen in result["octaves"].swapaxes(0, 1)[:-1]]
        images = [*([] if x is None else [np.asarray(x)]), *steps, result["image"]]
        pictures = [deprocess(image, net.meta) for image in images]
    return [Image.fromarray(np.concatenate(frame, axis=1)) for frame in pictures]
