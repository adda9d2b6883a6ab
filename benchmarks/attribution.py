"""Whether a picture of a class points at the class: every way of looking, on drawn shapes whose pixels are known.

    pointing   the share of images in which the map is largest on a pixel of the shape: the pointing game [1]
    inside     how much of the map's positive part lies on the shape; the mean over the images

Each image is asked for the class that it shows, and only images count whose class the net has right: where it is wrong
there is nothing that a map of the true class should show. A map is one number a pixel: gradients and what looks like
them by the largest size over the channels, shares of the score by the sum over the channels, of which what is above
zero counts; coarse maps are interpolated. The shapes are cut out exactly, so there is no tolerance around them.

Segments are no maps, but masks and boxes: `segment_overlap` has their mean intersection over union with the shapes'.

To stand beside them: "centre" always points at the middle, with a bell around it of a quarter of the image's side;
"everywhere" says the same of all pixels: both figures are the share of the image that shapes cover.

    python -m minicnn.benchmarks.attribution [--net shapes] [--images 200]

[1] Zhang, Lin, Brandt, Shen & Sclaroff, Top-down neural attention by excitation backprop, ECCV 2016, section 4.1
"""

import argparse
from datetime import date
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .. import load, vis
from ..errors import MinicnnError
from ..train.shapes import Shapes
from ..train.standardise import standardise
from ..vis.pictures.heat import enlarged
from ..vis.receptive_field import support
from ..vis.shares.composites import COMPOSITES
from .markdown import head, line

SEED = 1_000_003  # of the shapes: no training takes it


class Result(NamedTuple):
    """One way of looking; see above.

    pointing_error, inside_error  one standard error of each, from one image to another
    """

    method: str
    pointing: float
    inside: float
    images: int
    pointing_error: float
    inside_error: float


def measure(net, images=200, methods=None, seed=SEED, progress=True):
    """[Result] of every method, or of those named, over the first so many images that the net has right.

    net   one that tells the classes of `minicnn.train.shapes`
    Raises MinicnnError for another net, and for one that has hardly an image right.
    """
    methods = maps() if methods is None else {name: maps()[name] for name in methods}
    x, labels, masks = examples(net, images, seed)
    found = {name: ([], []) for name in methods}
    for label in tqdm(np.unique(labels), desc="attribution", disable=None if progress else True):
        of_class = labels == label
        for name, method in methods.items():
            for heat, mask in zip(method(net, x[of_class], int(label)), masks[of_class]):
                for figures, figure in zip(found[name], score(heat, mask)):
                    figures.append(figure)
    return [_result(name, *figures) for name, figures in found.items()]


def score(heat, mask):
    """(does it point, how much is inside) of one map (H, W) and the shape's pixels (H, W) bool.

    Of equally large pixels each points, for its part; a map without anything above zero does not.
    """
    positive = np.maximum(heat, 0).astype(np.float64)
    if not positive.any():
        return 0.0, 0.0
    return float(mask[positive == positive.max()].mean()), float(positive[mask].sum() / positive.sum())


def examples(net, count, seed=SEED):
    """(x (N, 3, S, S) as the net's input, labels (N,), masks (N, S, S) bool) of shapes that the net has right."""
    if net.meta is None or tuple(net.meta.classes) != Shapes.classes:
        raise MinicnnError(f"attribution needs a net of these classes: {', '.join(Shapes.classes)}")
    shapes = Shapes(seed, net.meta.input_size[1])
    drawn, first = [], 0
    while len(drawn) < count:
        if first > 20 * count:
            raise MinicnnError(f"the net has only {len(drawn)} of {first} shapes right")
        batch = [shapes.item(i) for i in range(first, first + 100)]
        first += 100
        answers = net(standardise(np.stack([d.image for d in batch]), net.meta), until=net.scores).argmax(axis=1)
        drawn += [d for d, answer in zip(batch, answers) if answer == d.label]
    drawn = drawn[:count]
    x = standardise(np.stack([d.image for d in drawn]), net.meta)
    return x, np.array([d.label for d in drawn]), np.stack([d.mask for d in drawn])


def segment_overlap(net, images=200, seed=SEED):
    """(of the mask, of the box): the mean intersection over union of what `segment` finds with the true pixels.

    Over the same images as the maps, each asked for its own class; needs the extra `segment`.
    """
    x, labels, masks = examples(net, images, seed)
    figures = []
    for one, label, mask in zip(x, labels, masks):
        found = vis.segment(net, one[None], int(label))
        left, top, right, bottom = found.boxes[0]
        boxes = _box(mask.shape, (top, bottom), (left, right)), _box(mask.shape, *support(mask))
        figures.append((_overlap(found.mask[0], mask), _overlap(*boxes)))
    return tuple(float(mean) for mean in np.mean(figures, axis=0))


def _overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def _box(shape, rows, columns):
    """A mask of what is inside of both, each (first, last + 1)."""
    box = np.zeros(shape, bool)
    box[slice(*rows), slice(*columns)] = True
    return box


def maps():
    """{name: map(net, x, unit) -> (N, H, W)}: every way of looking that says where, and the two to compare with."""
    found = {"centre": _centre, "everywhere": lambda net, x, unit: np.ones((len(x), *x.shape[2:]))}
    found["gradient"] = vis.saliency
    for name in ("deconvnet", "guided_backprop", "smooth_max_pool"):
        found[name] = partial(_compared, name, _size)
    found["smooth_grad"] = lambda net, x, unit: _size(vis.smooth_grad(net, x, unit, progress=False))
    found["grad_times_input"] = partial(_compared, "grad_times_input", _sum)
    found["integrated_gradients"] = lambda net, x, unit: _sum(
        vis.integrated_gradients(net, x, unit, steps=50, progress=False)
    )
    for name in COMPOSITES:
        found[f"lrp {name}"] = partial(_relevance, name, False)
    found["lrp epsilon-gamma-box, smooth pools"] = partial(_relevance, "epsilon-gamma-box", True)
    found["excitation_backprop"] = partial(_coarse, partial(vis.excitation_backprop, contrastive=False))
    found["excitation_backprop, contrastive"] = partial(_coarse, vis.excitation_backprop)
    found["grad_cam"] = partial(_coarse, vis.grad_cam)
    found["guided_grad_cam"] = lambda net, x, unit: _size(vis.guided_grad_cam(net, x, unit))
    return found


def _compared(name, one_number, net, x, unit):
    return one_number(vis.compare(net, x, unit, name)[name])


def _relevance(composite, smooth_pools, net, x, unit):
    return _sum(vis.lrp(net, x, unit, composite=composite, smooth_pools=smooth_pools).pixels)


def _coarse(method, net, x, unit):
    return enlarged(method(net, x, unit), x.shape[2:])


def _size(dx):
    return np.abs(dx).max(axis=1)


def _sum(dx):
    return dx.sum(axis=1)


def _centre(net, x, unit):
    y, xx = (np.arange(side) - side // 2 for side in x.shape[2:])
    bell = np.exp(-((y / (len(y) / 4)) ** 2)[:, None] / 2 - (xx / (len(xx) / 4)) ** 2 / 2)
    return np.broadcast_to(bell, (len(x), *bell.shape))


def _result(name, pointing, inside):
    errors = [float(np.std(figures) / len(figures) ** 0.5) for figures in (pointing, inside)]
    return Result(name, float(np.mean(pointing)), float(np.mean(inside)), len(inside), *errors)


def attribution_table(results, where):
    """Markdown: one row a way of looking, then what was looked at."""
    rows = [head("way of looking", "points at the shape", "of its positive part on the shape")]
    for r in results:
        rows.append(line(r.method, f"{r.pointing:.1%}", f"{r.inside:.1%}"))
    return "\n".join(rows) + f"\n\n{where}\n"


def about(results, source):
    """What the table's figures are, in a sentence or two."""
    error, share = max(r.pointing_error for r in results), max(r.inside_error for r in results)
    return (
        f"{results[0].images} drawn shapes that the net has right, each asked for its own class; one standard error is "
        f"at most {100 * error:.1f} and {100 * share:.1f} percentage points. centre: a bell around the image's middle; "
        f"everywhere: all pixels alike. The net: {source}. Measured on {date.today()}."
    )


def measure_document(name="shapes", images=200):
    """What attribution.json holds."""
    net = load(name)
    results = measure(net, images)
    about_it = about(results, net.meta.source or name)
    return {"date": str(date.today()), "seed": SEED, "about": about_it, "results": [r._asdict() for r in results]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", metavar="NAME", default="shapes", help="a net of these shapes, by name or file")
    parser.add_argument("--images", metavar="N", type=int, default=200, help="how many images; default 200")
    args = parser.parse_args()
    document = measure_document(args.net, args.images)
    print(attribution_table([Result(**row) for row in document["results"]], document["about"]))
    mask, box = segment_overlap(load(args.net), args.images)
    print(f"segment: mean intersection over union {mask:.3f} of the masks, {box:.3f} of the boxes")


if __name__ == "__main__":
    main()
