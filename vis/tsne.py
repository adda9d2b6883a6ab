"""A map of pictures on which those with like codes stand together: t-SNE of a layer's codes.

    p[i|j] = exp(-|c[i] - c[j]|^2 / (2 s[j]^2)) / sum over all i but j of the same     s[j] gives p[.|j] the perplexity
    p[i,j] = (p[i|j] + p[j|i]) / 2M
    q[i,j] = 1 / (1 + |y[i] - y[j]|^2) / sum over all pairs of the same
    positions y minimise  sum of p[i,j] log(p[i,j] / q[i,j])

c are the codes, as `codes` computes them; of more than 50 dimensions, their first 50 principal components. The descent
is scikit-learn's (Barnes-Hut [2], its own learning rate and number of steps) and begins at the first two components.

pictures   more of them than the perplexity
unit       a layer, or one channel of it; unless given, the layer that the classifier reads ("fc7" in AlexNet)
positions  (M, 2) float32: x to the right, y downward, without a unit
codes      (M, D), and numbers (M,): which picture each row is of
Raises MissingExtraError without scikit-learn (`pip install "minicnn[analysis]"`), UsageError for too few pictures.

Perplexity 30 is scikit-learn's default; [1] names 5 to 50 as usual and takes 40 in its experiments, after PCA to 30. 50
components are what scikit-learn's documentation recommends. Ctrl-C while the codes are computed goes on with those that
there are; during the descent it keeps the first two principal components.

The picture: two of them. "scatter" has each picture, as the net receives it, where its position is; the later ones
cover the earlier. "grid" moves each to a cell of its own, so that the sum of squared moves is smallest: at most 2,500,
evenly chosen. There the seams between neighbours show how far their codes are apart: white is near, red is far.

Caveat: who stands together is to be believed, where the seams agree; the distance between groups, their size and the
axes say nothing, and another seed or perplexity gives another map. Sparse noise also falls into groups.
[1] van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 9, 2008   [2] van der Maaten, Accelerating t-SNE using
Tree-Based Algorithms, JMLR 15, 2014. Grid and seams after Karpathy, t-SNE visualization of CNN codes, 2014

examples:
  minicnn vis tsne demo/digits --perplexity 3 --out pictures
  minicnn vis tsne photos --model googlenet --perplexity 20 --skip-damaged --out pictures
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from .. import extras
from ..errors import MinicnnError, UsageError
from .codes import codes as codes_of
from .counts import at_least_one
from .inputs import Pictures
from .pictures.colour import signed
from .pictures.snap import snap
from .pictures.tiles import grid
from .progress import kept_when_interrupted
from .scanning.code_stream import as_seen, code_unit
from .units import unit_title

_COMPONENTS = 50
_CANVAS, _MOST_CELLS, _SEAM = 1600, 2500, 4


class Map(NamedTuple):
    positions: np.ndarray  # (M, 2) float32
    codes: np.ndarray  # (M, D)
    numbers: np.ndarray  # (M,) int64
    pictures: Pictures


def tsne(
    net,
    pictures: Pictures,
    unit=None,
    perplexity: float = 30.0,
    spatial: str = "flatten",
    batch: int = 16,
    seed: int = 0,
    progress: bool = True,
):
    """A map of pictures by their codes, `Map`: positions (M, 2), codes (M, D), numbers (M,).

    pictures    of any size: files, folders and zip archives, or PIL images and arrays
    perplexity  about how many neighbours each picture has, >= 1 and below the number of pictures
    spatial     what becomes of a layer's positions: "flatten" keeps them all, "mean" averages over them
    batch       how many pictures go through the net at a time, >= 1
    seed        of the descent and of the principal components where they are approximated
    """
    pictures = Pictures.of(pictures)
    descent = extras.load("sklearn.manifold", "analysis")  # before the long work, not after it
    at_least_one(perplexity=perplexity)
    _check_enough(len(pictures), perplexity)
    found = codes_of(net, pictures, unit, spatial, batch, progress)
    codes = found.codes.astype(np.float64)
    if not (codes != codes[0]).any():
        raise MinicnnError(f"all {len(codes)} pictures have the same code: there is no map of them")
    _check_enough(len(codes), perplexity)
    if codes.shape[1] > _COMPONENTS:
        pca = extras.load("sklearn.decomposition", "analysis").PCA(min(_COMPONENTS, len(codes)), random_state=seed)
        codes = pca.fit_transform(codes)
    positions = _first_two(codes)
    with kept_when_interrupted("tsne"):
        # As scikit-learn's own init="pca", which refuses codes of one dimension.
        start = (positions / positions[:, 0].std() * 1e-4).astype(np.float32)
        map_of = descent.TSNE(perplexity=perplexity, init=start, learning_rate="auto", random_state=seed)
        positions = map_of.fit_transform(codes)
    return Map(positions.astype(np.float32), found.codes, found.numbers, pictures)


def _check_enough(count, perplexity):
    if count <= perplexity:
        raise UsageError(
            f"tsne of {count} pictures: perplexity {perplexity:g} needs more than {perplexity:g}; "
            f"give more pictures, or a perplexity below {count}"
        )


def _first_two(codes):
    """(M, 2): the first two principal components."""
    centred = codes - codes.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    found = centred @ directions[:2].T
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def picture(result, net, x=None, unit=None):
    """[("scatter", thumbnails at their positions), ("grid", thumbnails in cells, with seams)]."""
    layer = unit_title(net, code_unit(net, unit))
    return [("scatter", _scatter(result, net, layer)), ("grid", _grid(result, net, layer))]


def _scatter(result, net, layer):
    low, high = result.positions.min(axis=0), result.positions.max(axis=0)
    # One scale for both axes: the distances are the map's.
    places = (result.positions - (low + high) / 2) / (max(high - low) or 1) + 0.5
    # Large enough to be seen, small enough that most are not covered whole.
    apart = [np.partition(np.hypot(*(places - place).T), 1)[1] for place in places]
    side = int(np.clip(1.5 * np.median(apart) * _CANVAS, 20, 112))
    sheet = Image.new("RGB", (_CANVAS + side, _CANVAS + side), "white")
    for place, number in zip(places, result.numbers):
        left, top = (place * _CANVAS).round().astype(int).tolist()
        sheet.paste(as_seen(net, result.pictures[number], side), (left, top))
    return grid([sheet], title=f"t-SNE of {layer}: {len(places)} pictures")


def _grid(result, net, layer):
    count = len(result.positions)
    chosen = np.unique(np.linspace(0, count - 1, min(_MOST_CELLS, count)).round().astype(int))
    cells, cells_a_side = snap(result.positions[chosen])
    side = int(np.clip(_CANVAS // cells_a_side, 24, 112))
    step = side + _SEAM
    sheet = Image.new("RGB", (cells_a_side * step, cells_a_side * step), "white")
    for box, colour in _seams(result.codes[chosen], cells, side):
        sheet.paste(colour, box)
    for (row, column), number in zip(cells.tolist(), result.numbers[chosen]):
        sheet.paste(as_seen(net, result.pictures[number], side), (column * step, row * step))
    shown = f"{count} pictures" if len(chosen) == count else f"{len(chosen)} of {count} pictures"
    return grid([sheet], title=f"t-SNE of {layer}, snapped to a grid: {shown}")


def _seams(codes, cells, side):
    """(box, colour) of each pair of neighbours to the right and below: white the nearest pair, red the farthest."""
    at = {tuple(cell): k for k, cell in enumerate(cells.tolist())}
    step, boxes, distances = side + _SEAM, [], []
    for (row, column), k in at.items():
        left, top = column * step, row * step
        right, below = (left + side, top, left + step, top + side), (left, top + side, left + side, top + step)
        for other, box in (((row, column + 1), right), ((row + 1, column), below)):
            if other in at:
                boxes.append(box)
                distances.append(np.linalg.norm(codes[k].astype(np.float64) - codes[at[other]]))
    if not boxes:
        return []
    distances = np.array(distances) - min(distances)
    return list(zip(boxes, map(tuple, signed(distances[None], distances.max() or 1)[0].tolist())))
