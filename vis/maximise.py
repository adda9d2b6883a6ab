"""What a unit looks for: images that a neuron, a channel, a layer or a class responds to most.

    params <- params + rate * (d objective / d params - penalties')        steps times, then the recipe's tidying

The objective is the value at a position, the mean of a channel (or its strongest value), half the squared norm of a
whole node, or a class's score before the softmax. Without a prior the result is a pattern that only the net likes; each
recipe is a prior of another paper:

    simonyan              a price on the sum of squares
    yosinski_1 ... _4     decay, blurring, clipping of weak pixels
    variation             a price on the total variation
    olah                  waves scaled by 1/f in decorrelated colours, seen through shifts, scales and turns
    robust                no prior but black and white: for nets that adversarial training has taught to see

Their numbers and sources stand in vis/search/recipes.py; any of them can be changed. The images are in units of their
contrast: between black and white lies 1 whatever the net's preprocessing. Ctrl-C keeps the images so far.

unit  what to look at; several with ";" between them, or a list
x     (N, C, H, W), preprocessed: photos to start from, or None
out   {label: (K, C, H, W) float32, preprocessed}: each picture's ascent, its last image the result. One picture for
      each unit, recipe and seed (or photo); K = frames, fewer where it was interrupted
Raises MinicnnError for a net without meta, and where no step has found a slope.

The picture: one tile a picture; with frames, one row, from the start to the end. Images between black and white are
shown as they are; those beyond, and pale ones (as of simonyan and yosinski), so that mid-grey is the mean colour and
the scale ends at the last image's 99.5 % quantile.

Caveat: it shows one of many images that the unit responds to, not those that it meets. What all recipes and seeds have
in common is the unit's; the style is the recipe's. A unit that responds to several things shows their mixture.
Erhan, Bengio, Courville & Vincent, Visualizing Higher-Layer Features of a Deep Network, 2009; Simonyan et al. 2014;
Yosinski et al. 2015; Olah et al. 2017 (see vis/search/recipes.py)
"""

from itertools import product

import numpy as np

from ..errors import MinicnnError
from ..train.adversarial import pixel_range
from .counts import at_least_one
from .image import check_finite, contrast, deprocess
from .pictures.colour import channel_order, limit_of, signed, signed_rgb
from .pictures.tiles import grid
from .progress import bar, kept_when_interrupted
from .search.ascent import Ascent
from .search.objectives import find_objective
from .search.recipes import find_recipe
from .units import find_unit, unit_title

_PALE = 0.3  # of the contrast: an image that stays so near to the mean colour is shown on a scale of its own


def maximise(
    net,
    unit,
    x=None,
    recipe: str = "olah",
    objective: str = "",
    steps: int = -1,
    rate: float = -1.0,
    space: str = "",
    start: str = "",
    penalty: float = -1.0,
    variation: float = -1.0,
    decay: float = -1.0,
    blur: float = -1.0,
    blur_every: int = -1,
    clip_norm: float = -1.0,
    clip_contribution: float = -1.0,
    jitter: float = -1.0,
    zoom: float = -1.0,
    turn: float = -1.0,
    seeds: int = 1,
    frames: int = 1,
    seed: int = 0,
    progress: bool = True,
):
    """What a unit looks for, {label: (K, C, H, W), preprocessed}.

    recipe      one of vis/search/recipes.py, or several with "," between them
    objective   mean, strongest or norm; the usual one of the unit unless given
    steps       how often the image is improved; as all that follows, -1 or "" is what the recipe says
    rate        how far each step goes
    space       pixels or fourier: what is changed
    start       zeros (the mean colour) or noise
    penalty     the weight of the sum of squares
    variation   the weight of the total variation
    decay       the share of the image that is taken off after each step
    blur        the Gaussian's standard deviation in pixels
    blur_every  after how many steps it is used
    clip_norm   the percentile of the pixels' norms below which they become 0
    clip_contribution  the percentile of the pixels' contributions below which they become 0
    jitter      the largest shift, a share of the shorter side
    zoom        the largest change of scale, as a share
    turn        the largest turn in degrees
    seeds       how many pictures of each unit and recipe, of seeds one after the other; photos have one each, and what
                neither starts from noise nor moves is the same for all
    frames      how many images of each ascent are kept, from the start to the end; 1 is the end alone, 8 make a strip,
                30 and more a film
    seed        of the first picture's noise and moves
    """
    at_least_one(seeds=seeds, frames=frames)
    changes = {"steps": steps, "rate": rate, "space": space, "start": start, "penalty": penalty, "variation": variation}
    changes |= {"decay": decay, "blur": blur, "blur_every": blur_every, "clip_norm": clip_norm}
    changes |= {"clip_contribution": clip_contribution, "jitter": jitter, "zoom": zoom, "turn": turn}
    units = find_units(net, unit)
    recipes = [find_recipe(name.strip(), **changes) for name in recipe.split(",")]
    starts = {f"seed {k}": (None, k) for k in range(seed, seed + seeds)}
    if x is not None:
        check_finite("x", x)
        starts = {f"photo {k}": (x[k : k + 1], seed) for k in range(len(x))}
    films = {}
    with kept_when_interrupted("maximise"):
        for (title, one), recipe, (name, first) in product(units.items(), recipes, starts.items()):
            parts = [recipe.name] * (len(recipes) > 1) + [name] * (len(starts) > 1)
            label = ", ".join([title] * (len(units) > 1 or not parts) + parts)
            ascent = Ascent(net, one, find_objective(objective, one), recipe, *first)
            films[label] = [ascent.image()]
            _climb(ascent, frames, bar(recipe.steps, f"maximise {label}", progress), films[label])
    return {label: np.concatenate(film) for label, film in films.items()}


def find_units(net, unit):
    """{title: Unit}: of one unit, a list of them, or a text with ";" between them."""
    several = unit if isinstance(unit, (list, tuple)) else unit.split(";") if isinstance(unit, str) else [unit]
    found = [find_unit(net, one.strip() if isinstance(one, str) else one) for one in several]
    titles = [unit_title(net, one) for one in found]
    # Two classes may have one name.
    return {title if titles.count(title) == 1 else f"{title} ({one})": one for title, one in zip(titles, found)}


def _climb(ascent, frames, steps, film):
    """Go up; the film's last image is the one so far, those before it are kept."""
    count = ascent.recipe.steps
    kept = {round(k * count / (frames - 1)) for k in range(frames)} if frames > 1 else ()
    for step in steps:
        ascent.step()
        if step in kept:
            film.append(ascent.image())
        else:
            film[-1] = ascent.image()
    if not ascent.found_slope:
        raise MinicnnError(
            f"{ascent.unit} does not change with the image around the start: another seed may find a way"
        )


def picture(result, net, x=None, unit=None):
    """One tile a picture, or one row of frames each."""
    rows, count = _rows(result, net)
    tiles = [tile for row in rows for tile in row]
    if len(rows) == 1:
        return grid(tiles, columns=count, title=next(iter(result)), least=112)
    labels = [label if k == 0 else "" for label in result for k in range(count)]
    return grid(tiles, labels, columns=count if count > 1 else None, least=112)


def film(result, net, x=None, unit=None):
    """The ascents side by side, one image of the film a frame."""
    rows, count = _rows(result, net)
    return [grid([row[k] for row in rows], list(result), least=112) for k in range(count)]


def _rows(result, net):
    """(rows, count): each picture's frames to look at, of one count; one that was interrupted stands still."""
    count = max(map(len, result.values()))
    rows = [_shown(net, images) for images in result.values()]
    return [[*row, *[row[-1]] * (count - len(row))] for row in rows], count


def _shown(net, images):
    """(K, H, W, 3) uint8, all on the last one's scale."""
    black, white, level = pixel_range(net, images.shape[1:])
    steps = images / contrast(net.meta)
    limit = limit_of(steps[-1], 0.995)
    if limit > _PALE and np.all((images[-1:] > black - level) & (images[-1:] < white + level)):
        return deprocess(images, net.meta)
    if steps.shape[1] == 3:
        return signed_rgb(steps, channel_order(net), limit)
    steps = steps.sum(axis=1)
    return signed(steps, limit_of(steps[-1], 0.995))
